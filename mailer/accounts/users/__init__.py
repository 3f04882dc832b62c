"""The users whose mail lives here: who they are, as whom they may send, and how they prove it.

`api`     a user, and the interfaces of where users are looked up and kept
`memory`  users in memory
"""

from __future__ import annotations
