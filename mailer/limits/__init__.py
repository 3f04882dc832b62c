"""Limits: how much, how fast, how many at once, and when again. Pure: time and chance come in as arguments.

===========  ==============================================================
`rate`       so many in so much time, evenly or in bursts
`fuse`       so many at once, then so many in a time, with turns in order
`window`     how many sessions at once
`callers`    how many connections a network has to us, and how fast it opens them
`breaker`    whether a destination or a server is worth calling
`backoff`    after which pause something is tried again, and for how long
===========  ==============================================================
"""
