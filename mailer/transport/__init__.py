"""Transport: how mail travels from here to the next host, for the daemon and for programs alike, and the one judge of what came of it.

Nothing here knows of queues, routes' rules or settings of a program: what it has to know comes in as values, and what went wrong goes out
as an `Outcome` with its `Cause`, or as a `SessionError`.

=============  ==========================================================================================
`route`        where mail goes, on what terms a session is shared, and how long we wait in one
`courier`      what carries mail, by the name of a route's transport; SMTP and LMTP
`return_path`  the sender that a message leaves with, which may say what message it is
`local`        the courier of our own mailboxes
`filing`       where in a mailbox a letter goes, for those who have no rules
`writers`      the threads that put letters into mailboxes
`maildir`      the courier of Maildirs of this machine
`trap`         the courier of a sandbox, which takes mail nowhere
`exchange`     one message over sessions: what was never begun, what is too much, what follows at once
`connection`   mail over a session
`session`      one SMTP session, from the call to QUIT
`pool`         sessions that wait for their next message
`meter`        what a pool tells of its sessions to whoever counts them
`lender`       those of a program with its one server: how many, who waits for one
`transcript`   what was said, for people
`verdict`      what becomes of a recipient after what was said or happened: the only judge
`errors`       a session that did not come about, or broke; and that none is to be had
=============  ==========================================================================================
"""
