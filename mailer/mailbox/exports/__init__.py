"""A mailbox goes out of here, in a form that any mail program reads: a Maildir with what Dovecot keeps beside, or mboxes.

It is written beside its place and renamed when it is whole; what is at that place already is never touched. Messages are copied: a hard
link to a file of ours would be a file of ours that others may change. A message whose body is lost is named, and the others are written.

`api`      what came of an export
`maildir`  Maildir++, which Dovecot goes on with: UIDs, flags, keywords, subscriptions
`mbox`     a file for each folder
"""

from __future__ import annotations
