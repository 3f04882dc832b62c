"""The users whose mail lives here: who they are, as whom they may send, and how they prove it.

`api`         a user, and the interfaces of where users are looked up and kept
`configured`  the users as the configuration has them
`sqlite`      users in a file of SQLite
`schema`      its tables, and the statements about them
`file`        users in a file that others write
`dovecot`     users with a Dovecot, which is asked over its sockets
`memory`      users in memory
"""

from __future__ import annotations
