"""Where the rows of mailboxes are: for each owner a file of SQLite, or one database of PostgreSQL for many.

`api`             the interface of the rows of one owner
`sqlite`          in a file of SQLite, or in memory
`sealed`          in an encrypted file of SQLite
`encrypted_file`  which is opened as others are
`postgres`        in a database of PostgreSQL
`connections`     to that database, lent to whoever asks
`migration`       of its tables
"""

from __future__ import annotations
