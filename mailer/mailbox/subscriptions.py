"""Names that are subscribed, and that no folder has: whoever makes a folder of such a name has it subscribed.

A folder says itself whether it is subscribed. When it is deleted or gets another name, the name that it had is kept here: nothing takes a
name off the list of what is subscribed but an UNSUBSCRIBE (RFC 9051 §6.3.7, RFC 3501 §6.3.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import names
from .api import Folder, Role, TooMany

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows
    from .ledger import Ledger

MOST: Final = 1000  # names of a mailbox
WHOLE: Final = 0
"""Stands for the mailbox as a whole among the folders that others are told of."""

WANTED: Final = "SELECT name FROM wanted WHERE owner = ? ORDER BY name_key"
IS_WANTED: Final = "SELECT 1 FROM wanted WHERE owner = ? AND name_key = ?"
COUNT: Final = "SELECT COUNT(*) FROM wanted WHERE owner = ?"
WANT: Final = "INSERT INTO wanted (owner, name_key, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
DROP: Final = "DELETE FROM wanted WHERE owner = ? AND name_key = ?"


def wanted(rows: Rows, owner: int) -> Sequence[str]:
    """The names that are subscribed, and that no folder has."""
    return [str(row[0]) for row in rows.run(WANTED, (owner,))]


def subscribe(ledger: Ledger, name: str, *, subscribed: bool) -> None:
    """Have a name of no folder subscribed, or not. Raises `TooMany`, `Problem` (usage) for what cannot be a name."""
    if not subscribed:
        taken(ledger, name)
        return
    name = names.checked(name)
    if ledger.rows.run(IS_WANTED, (ledger.owner, names.key_of(name))):
        return
    if _is_full(ledger):
        raise TooMany(f"{MOST} names of no folder are subscribed at most; unsubscribe one first")
    _want(ledger, name)


def kept(ledger: Ledger, folder: Folder) -> None:
    """Keep the name of a folder that goes, or gets another name, subscribed if it was; as long as there are not too many."""
    if folder.subscribed and not _is_full(ledger):
        _want(ledger, folder.name)


def taken(ledger: Ledger, name: str) -> bool:
    """Whether a name was among them, which it is not any more."""
    was = ledger.rows.change(DROP, (ledger.owner, names.key_of(name))) > 0
    if was:
        ledger.changed.add(WHOLE)
    return was


def added(ledger: Ledger, name: str, role: Role, *, subscribed: bool) -> Folder:
    """A new folder, subscribed as well where its name was."""
    return ledger.add(name, role, subscribed=taken(ledger, name) or subscribed)


def _want(ledger: Ledger, name: str) -> None:
    ledger.rows.change(WANT, (ledger.owner, names.key_of(name), name))
    ledger.changed.add(WHOLE)


def _is_full(ledger: Ledger) -> bool:
    return bool(ledger.rows.run(COUNT, (ledger.owner,))[0][0] >= MOST)
