"""The doors by which clients of IMAP read and change mailboxes: RFC 9051, RFC 3501 and their extensions.

What is said is the business of `mailer.imap`, what is kept that of `mailer.mailbox`; here the one is asked what the other wants. A session
holds one mailbox, asks it in threads, and never more than a portion at a time: a client who does not read his answers is not answered, and
nobody waits for the question of another. Two sessions of one folder see what the other does, in the order in which it was done.

`terms`      what all sessions share, and what a client may take
`troubles`   what a client is told of what went wrong
`session`    a session as those see it who do what it asks
`converse`   a connection, from its greeting to its last word
`login`      who is let in
`handlers`   which command is done by what
`selecting`  a folder is opened, and closed
`resuming`   what a client missed
`recent`     which messages a session is the first to be told of
`spans`      sets of UIDs, compared
`fetching`   what is told of messages
`portions`   what is fetched, portion by portion
`streaming`  a message that is too large to be held
`storing`    flags
`searching`  what is looked for, sorted and threaded
`copying`    copies, moves, and what is taken out
`appending`  messages that a client puts
`folders`    folders that are made, renamed, deleted, subscribed
`listing`    which folders there are, and how they are
`metadata`   what clients note at folders
`quotas`     how much there may be
`notifying`  what a client wants to hear of
`watched`    in which folders of a NOTIFY which events are asked for
`watching`   what is told of folders that are not open
`idling`     a client that waits
`kind`       the place of these doors among others
"""

from __future__ import annotations
