"""Where the rows of mailboxes are: for each owner a file of SQLite, or one database of PostgreSQL for many.

`api`     the interface of the rows of one owner
`sqlite`  in a file of SQLite, or in memory
"""

from __future__ import annotations
