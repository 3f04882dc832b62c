"""Settings of a mailbox: texts by their names, which go wherever the mailbox goes. What they mean is for whoever keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .engine.api import Rows

OWNER: Final = "owner"
"""The setting that says whose rows these are, by his ID: what stands for him in a database is a number that another may have elsewhere."""

GET: Final = "SELECT value FROM setting WHERE owner = ? AND name = ?"
KEEP: Final = "INSERT INTO setting (owner, name, value) VALUES (?, ?, ?) ON CONFLICT (owner, name) DO UPDATE SET value = excluded.value"


def get(rows: Rows, owner: int, name: str) -> str:
    """The setting of that name, empty where there is none."""
    found = rows.run(GET, (owner, name))
    return str(found[0][0]) if found else ""


def keep(rows: Rows, owner: int, name: str, value: str) -> None:
    """Have it so."""
    rows.change(KEEP, (owner, name, value))
