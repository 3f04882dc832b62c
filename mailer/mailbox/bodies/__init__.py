"""Where the messages of mailboxes are: one object each, written once.

`api`     the interface of where messages are kept
`files`   a file each
`memory`  in memory, for tests
"""

from __future__ import annotations
