"""Owners of mailboxes: who has one, by ID and by address.

`api`     an owner, and the interface of where owners are kept
`rows`    owners as rows of a table, whatever the database
`schema`  the table, and the statements about it
`sqlite`  in a file beside the mailboxes of one machine
`postgres`  in the database that has the mailboxes of several machines
`memory`  in this process, for tests
"""

from __future__ import annotations
