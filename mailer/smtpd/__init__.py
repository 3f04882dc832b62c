"""Doors where others bring mail by SMTP (RFC 5321) or LMTP (RFC 2033): strangers, for who lives here; hosts that report about our mail.

The grammar, and who may say what when, is `mailer.smtp.server`; who is served, and for how long, `mailer.net.server`; what doors have in
common, whatever is spoken there, `mailer.serving`. Here it is
decided what is taken. A 250 behind a message says that it is on disk, and is said for no other reason.

`session`      the machine driven over a stream, with its time and its share
`kinds`        what all kinds of doors have in common here
`reports`      what is taken at a door of the kind reports, and what is refused
`mx`           the same for the kinds mx and lmtp
`transaction`  whom a message of a stranger is for
`looking`      whether such a message can be taken at all
`quota`        whether there is room in a mailbox of this machine
`next_hop`     the relay of a domain of ours is asked whether it takes mail for somebody
`submission`   what is taken from users who log in
`letter`       what one of them hands in
`reception`    what these doors share, and the way from there into the spool
`assembly`     what they are made of
`entrance`     that, from the moment on when there is a door
"""

from __future__ import annotations
