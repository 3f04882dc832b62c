"""What is thought of mail that strangers bring: who they are, what they can prove, and what filters say of it.

Used by the doors that take such mail (`mailer.smtpd`) and by ``mailer filter test``, which goes the same way and takes nothing. A door has
a `api.Case` for each session, asks it at each step, and answers as it says. Nothing here takes mail, refuses a recipient because nobody has
that name, or writes to the spool.

`api`    what passes between a door and those who judge
`proof`  what a message proves of its sender
"""

from __future__ import annotations
