"""Doors where other hosts bring mail by SMTP (RFC 5321) or LMTP (RFC 2033). So far one kind: reports about mail of ours.

The grammar, and who may say what when, is `mailer.smtp.server`; who is served, and for how long, `mailer.net.server`. Here it is
decided what is taken. A 250 behind a message says that it is on disk, and is said for no other reason.

`session`    the machine driven over a stream, with its time and its share
`room`       the memory of all messages that are under way
`reports`    what is taken at a door of the kind reports, and what is refused
`next_hop`   the relay of a domain of ours is asked whether it takes mail for somebody
`component`  these doors as a part of the daemon
"""

from __future__ import annotations
