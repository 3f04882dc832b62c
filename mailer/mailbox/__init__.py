"""Mailboxes: the mail that is kept here for the people who live here, for years.

A message is one file, written once and never changed. What can change (in which folders it is, its flags, the numbers that clients know it
by) is in a database beside it, and there alone: a file's name says nothing but which message it is, and no name that a person gave to a
folder ever becomes part of a path. UIDs, UIDVALIDITY and MODSEQ are those of IMAP (RFC 9051 §2.3.1, RFC 7162 §3.1).

A mailbox belongs to an owner, who has an ID that is never given again and never an address: people are married and renamed, and whoever
gets an address that another had before gets a mailbox of his own.

`api`      the values that cross, and the interface of one mailbox
`flags`    what a message of a folder is marked by
`query`    what messages are looked for by
`layout`   where what is on the disk
`schema`   the tables of a mailbox
`engine`   where the rows of a mailbox are: a file of SQLite for each owner, PostgreSQL
`owners`   who has a mailbox
`bodies`   where the messages themselves are
`imports`  mail that is kept elsewhere comes here
"""

from __future__ import annotations
