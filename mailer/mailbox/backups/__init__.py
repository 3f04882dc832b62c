"""Backups of mailboxes, made while they are used, and mailboxes made of backups.

A backup is a directory with the messages of each owner, as they are kept here, and with states: what his mailbox was at one moment, all
rows of it. A message is copied once, whatever number of states has it; a state is there when all its messages are. So a backup that is
killed leaves those before it whole, and the next one goes on with what is there already. An owner whose mailbox is encrypted has encrypted
messages and an encrypted state: keys are never part of a backup, but wrapped.

A restore makes a mailbox of its own, looks whether all is in it, and only then lets the address lead to it. Every folder has a new
UIDVALIDITY then, for what mail programs remember is of another time (RFC 9051 §2.3.1.1).

`shelf`      what is where in the directory of backups
`rows`       all rows of a mailbox, of one moment
`writing`    making a state
`sealed`     states of mailboxes that are encrypted
`restoring`  making a mailbox of one
"""

from __future__ import annotations
