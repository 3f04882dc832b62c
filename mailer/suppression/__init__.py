"""Suppression: the addresses that are not to be mailed, why, since when and until when.

A truth of its own, beside the spool: nothing else says it, and no message may leave for who stands here. An entry is about an address, or
about all of a domain, and holds for one stream of mail or for all of it. A stream is a kind of mail that a person can have enough of
without having enough of all: the one of an API key, of a broker's queue, or of a mailing list (RFC 2919). So who leaves a newsletter still
gets the reset of a password.

`api`          an entry, what two of one address come to, how long each lasts, and the interface of where they are kept
`address`      the one form in which addresses are compared here
`ledger`       what adding, removing, undoing and expiring do
`sqlite`       entries in ``suppress.sqlite3`` beside the spool
`rows`         entries as rows of it
`schema`       its tables, and the statements about them
`memory`       entries in memory
`unsubscribe`  the link with which one recipient leaves a stream, RFC 8058, and what it is sealed with
`table`        entries as CSV and JSON, in our words and in those of large providers
`component`    what the daemon does with them
"""

from __future__ import annotations
