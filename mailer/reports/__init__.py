"""Reports about mail of ours that come back to us: bounces, complaints, and what other hosts say of our domains.

A report is taken, then it is acted upon, and never the other way round: who hands one over (a server that waits for its 250, a mailbox
that deletes it, a pipe that waits for an exit code) is told "taken" when the report is a file that survives a power failure, and not
earlier. What it changes is worked out from there, and can be worked out again after a crash: the ID of a report follows from its octets,
so one that is handed over twice is one report.

`api`           what is asked of the place where reports are, and the values that cross it
`files`         reports on a disk, in the spool
`report_file`   what is in the file of one
`bookmarks`     what is remembered of a mailbox
`memory`        reports in memory
`selecting`     which messages of a mailbox are reports, and whom they came to
`sources`       what all mailboxes have in common: a look into one
`maildir`       a directory of this machine
`pop3`          a mailbox of a POP3 server
`imap`          one of an IMAP server
`imap_session`  a session with that, guarded
`configured`    a mailbox as its section says it
`component`     mailboxes as a part of the daemon
"""

from __future__ import annotations
