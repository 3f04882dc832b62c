"""The users whose mail lives here: who they are, as whom they may send, and how they prove it.

`api`     a user, and the interfaces of where users are looked up and kept
`sqlite`  users in a file of SQLite
`schema`  its tables, and the statements about them
`file`    users in a file that others write
`memory`  users in memory
`configured`  the users as the configuration has them
"""

from __future__ import annotations
