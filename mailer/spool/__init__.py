"""The durable queue. `api` is what is asked of it, `files` keeps it on a disk, `memory` for tests; `suspensions` are values of it.

On a disk, of which `mailer-spool(5)` is the contract, a message is one file, named by its ID, in exactly one of these directories::

    queued/     due now
    deferred/   due at the file's mtime
    held/       taken out of delivery by an operator
    failed/     given up; kept for inspection until retention
    corrupt/    unreadable; kept, never deleted by the program

besides ``tmp/``, where files are being written and nobody reads, and ``drop/``, where other users of a
system-wide spool put files for the daemon to adopt. A file is written once, then only appended to, then
only renamed. What is known of a message is read off its place and its records, never stored apart.
Whoever moves or appends to a message holds the lock (`flock`) on its file, so
an operator's command and the daemon never act on one message at once.
"""
