"""What became of every message, recipient and attempt. A view: the spool is the truth.

The daemon writes, in batches; nobody else ever does. Anybody with permission reads, while the daemon runs and while it does not. What
people are shown is always the union of spool and recorder: a message that no daemon has seen yet shows as ``queued``, and where both know
a message that is still pending, the spool is right. The recorder's part may be deleted while the daemon is down. What is in the spool
comes back; lost is the history of what has left it.

===========  ===================================================================================
`api`        what is asked and told: `StatusRecorder`, `MailView`, and the values that cross
`sqlite`     the recorder in a file; `memory`: one for tests
`view`       spool and recorder together
`record`     what became of one message, as a value, and its JSON
`story`      its whole story: each attempt, and what was said
`judged`     what a failure means, in a word
`received`   what came by the doors, taken and refused alike
`incoming`   the record of what a door tells
`standing`   how it stands with a destination
`component`  the parts of the daemon that write, and sweep
`catchup`    what the recorder missed is made good from the spool
===========  ===================================================================================
"""
