"""Moving the mailbox of one owner from one store to another, while it is used; UIDs, UIDVALIDITY and MODSEQ stay.

It goes in phases:

copy    all rows (and the messages, where the stores have not the same bodies), a portion in each transaction, beside everybody's work
chase   what has changed since, by MODSEQ, again and again until it is little
freeze  nobody writes for `move.LEASE` seconds at most (`mailer.mailbox.fencing`): the rest is copied, and both sides are compared
flip    the owner is given to the other store, in one change of him; from here on it is done

Killed before the flip, the mailbox is where it was, and is written again when the lease is over; the next move copies what differs, which
is only what the one before had not done. What is left in the store that it came from is removed by `move.purge`: when somebody asks, or by
a sweep a week later.

`place`    where a mailbox can be
`tables`   the rows of a table on both sides, made the same
`news`     what has changed since a MODSEQ
`balance`  whether both sides are the same
`move`     the phases
"""

from __future__ import annotations
