"""Doors where users fetch their mail by POP3 (RFC 1939): the inbox, as it was when the session began.

The grammar, and who may say what when, is `mailer.pop3.server`; who is served, and for how long, `mailer.serving`; whose mail it is, says
the desk of logins. Several sessions of one mailbox go on side by side, each with what it found; nobody is locked out by a session that a
telephone has forgotten, although RFC 1939 §4 would have that. What another one has removed meanwhile is not there any more, and no other
message comes in its place. Flags are left alone: to fetch is not to read.

`session`  the machine driven over a stream, with its time
`reading`  the messages of one session, read some at a time
`kind`     what the kind pop3 has to say of itself
"""

from __future__ import annotations
