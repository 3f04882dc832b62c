"""Serving people and hosts that call us, whatever is spoken with them: SMTP, LMTP, IMAP or POP3.

`component`     all doors of a process as a part of it: opened, changed with the configuration, closed
`kinds`         what a kind of doors has to say of itself
`common`        what the sessions of all doors share
`pace`          what a client may take
`room`          the memory of all messages that are under way
`login`         the desk where users log in
`boxes`         mailboxes as sessions use them, and news of them
`ending`        the end of a session from outside
`threads`       the threads in which those are asked, and the share of each user
`hearing`       what is heard of mailboxes that other processes change
`counting`      what is counted of them, in all processes together
`certificates`  what a login can be bound to
"""
