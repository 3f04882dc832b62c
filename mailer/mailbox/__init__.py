"""Mailboxes: the mail that is kept here for the people who live here, for years.

A message is one file, written once and never changed. What can change (in which folders it is, its flags, the numbers that clients know it
by) is in a database beside it, and there alone: a file's name says nothing but which message it is, and no name that a person gave to a
folder ever becomes part of a path. UIDs, UIDVALIDITY and MODSEQ are those of IMAP (RFC 9051 §2.3.1, RFC 7162 §3.1).

A mailbox belongs to an owner, who has an ID that is never given again and never an address: people are married and renamed, and whoever
gets an address that another had before gets a mailbox of his own.

`api`        the values that cross, and the interface of one mailbox
`mailboxes`  all of them, found by address
`box`        the mailbox of one owner
`ledger`     what a change is written by: its numbers, and the counts that it leaves
`fencing`    who may write a mailbox while it is moved
`folders`    made, renamed, deleted, subscribed
`subscriptions`  names that are subscribed, and that no folder has
`noting`     what clients note at folders
`names`      what can be the name of a folder
`keywords`   the keywords of a folder
`putting`    messages that come in
`together`   messages that come into several mailboxes
`mails`      the rows of messages
`threads`    which conversation a message belongs to
`entries`    what is in a folder, and what is new there
`maildrop`   what POP3 tells of a folder
`twins`      names there that are not those of messages
`fetched`    some columns of many messages
`heads`      headers as they are written
`opening`    what a client is told that opens a folder
`claiming`   which messages were told as recent to nobody
`search`     which entries a query is true of
`finding`    what one key of a search is true of
`collating`  what messages are sorted and threaded by
`orders`     the same of a folder, remembered while it is used
`texts`      the text of messages as it is searched
`words`      words as a person types them
`ranking`    the messages that words say best
`flagging`   changes of flags
`copying`    copies and moves
`expunging`  messages that are taken out
`discarded`  what rules have put into the trash
`sweeping`   what goes with time
`checking`   whether all is as it has to be, and mending it
`reading`    the bodies of one mailbox, proved
`settings`   texts that go where the mailbox goes
`notices`    a letter to whom it concerns that his quota is used up
`hundreds`   values that are asked for a hundred at a time
`keys`       the master keys, and what they wrap
`masters`    where those are, by the configuration
`keyring`    the keys of each owner
`sealing`    how a body is encrypted
`age_files`  an encrypted body is opened quickly
`rekeying`   other keys, while a mailbox is used
`scripts`    scripts, rules, answers and forwards of an owner
`layout`     where what is on the disk
`bell`       rung by whoever changes a mailbox, heard by all processes that look into one
`wire`       the same between machines that share a database
`schema`     the tables of a mailbox
`engine`     where the rows of a mailbox are: a file of SQLite for each owner, PostgreSQL
`owners`     who has a mailbox
`bodies`     where the messages themselves are
`moving`     a mailbox goes from one store to another
`imports`    mail that is kept elsewhere comes here
`exports`    a mailbox goes out, in forms that other programs read
`backups`    mailboxes as they were at one moment, elsewhere and back
`stores`     the places where mailboxes can be
`configured` the mailboxes that the configuration says
`component`  mailboxes as a part of the daemon
"""

from __future__ import annotations
