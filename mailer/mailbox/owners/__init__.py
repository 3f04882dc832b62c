"""Owners of mailboxes: who has one, by ID and by address.

`api`  an owner, and the interface of where owners are kept
"""

from __future__ import annotations
