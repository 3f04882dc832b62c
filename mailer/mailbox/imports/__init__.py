"""Mail that is kept elsewhere comes into a mailbox here: from a Maildir, an mbox, another server.

A source tells its folders, and of each the messages one after the other, in the order of their UIDs where it has such; `taking` puts them.
Whatever the source is, these hold:

- What comes is a stranger's. A name in it never becomes part of a path here; a file is opened without following links, and read only if
  it is a regular one of the same owner; sizes are those of the files, and bounded. What is not taken is named, and the rest is taken.
- An import can die at any message, and is begun anew: each message has a key that is the same at the next attempt, which is kept in the
  transaction that puts the message. So nothing is there twice, and the same import twice adds nothing.
- A message keeps the time when it was received, its flags and keywords; and its UID, UIDVALIDITY and UIDL where the folder here was
  empty, so that no client has to fetch it anew.

`api`       what a source is, and what it tells
`regular`   opening files of strangers
`maildir`   Maildirs: Maildir++, nested ones, and several side by side
`dovecot`   what Dovecot writes into a Maildir beside the messages
`mbox`      files of many messages: mboxo, mboxrd, mboxcl
`mboxes`    a directory of such
`from_line` the line that parts messages of an mbox
`imap`      folders of another server
"""

from __future__ import annotations
