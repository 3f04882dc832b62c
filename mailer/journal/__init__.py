"""The journal: what became of mail, event by event, for programs that have to hear all of it.

It is written where somebody subscribes, and nowhere else. An event is durable here before the file of its message leaves the spool; who
reads goes on where he was, after a crash of his or of ours, and hears each event at least once. IDs of events ascend, so order and
place in it are one thing. The status database is no such thing: it says how it stands, may be deleted, and forgets by another rule.

`api`        what is asked of a journal, and the event that is its line (NDJSON)
`files`      a journal on a disk, beside the spool
`segment`    a file of it: found by halving, torn ends, damaged lines
`writer`     the one who appends to it, step by step
`reader`     whoever reads it, in any process
`cursors`    where each reader is
`memory`     a journal in memory
`lines`      what the events of the daemon come to
`chronicle`  what is not written yet, and what is already
`catchup`    what the journal missed, after a crash
`component`  the journal as a part of the daemon
`ids`        IDs that ascend whatever the clock does
"""

NAME = "journal"
"""The directory of it, beside the spool."""
