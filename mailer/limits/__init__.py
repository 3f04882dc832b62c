"""Limits: how much, how fast, how many at once, and when again. Pure, but for `store`: time and chance come in as arguments.

===========  ==============================================================
`rate`       so many in so much time, evenly or in bursts
`fuse`       so many at once, then so many in a time, with turns in order
`window`     how many sessions at once
`callers`    how many connections a network has to us, and how fast it opens them
`breaker`    whether a destination or a server is worth calling
`failures`   how many logins may fail, from where
`familiar`   where users have logged in from
`outgoing`   how much a user sends, and to how many new recipients
`users`      these three together, written down now and then
`table`      what is remembered for them, within bounds
`store`      where that is written down
`backoff`    after which pause something is tried again, and for how long
===========  ==============================================================
"""
