"""What is thought of mail that strangers bring: who they are, what they can prove, and what filters say of it.

Used by the doors that take such mail (`mailer.smtpd`) and by ``mailer filter test``, which goes the same way and takes nothing. A door has
a `api.Case` for each session, asks it at each step, and answers as it says. Nothing here takes mail, refuses a recipient because nobody has
that name, or writes to the spool.

`api`        what passes between a door and those who judge
`panel`      all who judge, in their order, for each session
`component`  the panel as a part of the daemon
`verdict`    what becomes of a message by all that was found
`marks`      the fields that say so
`blocklist`  DNS lists of addresses, asked and looked after
`grey`       who is put off once
`greylist`   where that is remembered
`attended`   a filter with its turn, its time and its trouble
`health`     since when a filter does not answer, and what follows
`letter`     a message as filters are shown it
`line`       a connection to a filter
`scanners`   clamd, spamd and rspamd, asked
`program`    a program, started
`milter`     a session with a milter
`milters`    all milters beside a session with a client
`proof`        what a message proves of its sender
`disposition`  what follows from that
`learning`     filters learn what users say of their mail
`learner`      that as a part of the daemon
`lessons`      where that is kept until they have
`teachers`     spamd and rspamd, told
`replays`      signatures that come again and again
"""

from __future__ import annotations
