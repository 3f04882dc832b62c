"""Where the messages of mailboxes are: one object each, written once.

`api`  the interface of where messages are kept
"""

from __future__ import annotations
