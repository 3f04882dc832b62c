"""Whether both sides of a move are the same: counts and sums of each table and each folder, made where the rows are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, SupportsInt

from .tables import COLUMNS, TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mailbox.engine.api import Engine, Rows

COUNTS: Final = {name: f"SELECT COUNT(*) FROM {name} WHERE owner = ?" for name in COLUMNS}
SUMS: Final = {
    **COUNTS,
    "account": f"SELECT {', '.join(COLUMNS['account'])} FROM account WHERE owner = ?",
    "folder": f"SELECT {', '.join(COLUMNS['folder'])} FROM folder WHERE owner = ? ORDER BY id",
    "mail": "SELECT COUNT(*), SUM(size), SUM(modseq), MAX(modseq), SUM(key_number) FROM mail WHERE owner = ?",
    "entry": """SELECT folder, COUNT(*), SUM(uid), MAX(uid), SUM(flags), SUM(modseq), MAX(modseq), SUM(LENGTH(keywords)) FROM entry
        WHERE owner = ? GROUP BY folder ORDER BY folder""",
    "expunged": """SELECT folder, COUNT(*), SUM(uid), SUM(modseq) FROM expunged WHERE owner = ? GROUP BY folder ORDER BY folder""",
    "heading": "SELECT COUNT(*), SUM(size), SUM(day), SUM(LENGTH(subject)), SUM(LENGTH(files)) FROM heading WHERE owner = ?",
    "annotation": """SELECT folder, COUNT(*), SUM(LENGTH(value)), SUM(modseq) FROM annotation WHERE owner = ?
        GROUP BY folder ORDER BY folder""",
    "collated": "SELECT COUNT(*), SUM(size), SUM(LENGTH(subject)), SUM(LENGTH(sender)), SUM(LENGTH(ids)) FROM collated WHERE owner = ?",
    "uneven": "SELECT COUNT(*), SUM(octets) FROM uneven WHERE owner = ?",
    "twin": "SELECT folder, COUNT(*), SUM(uid), SUM(LENGTH(name)) FROM twin WHERE owner = ? GROUP BY folder ORDER BY folder",
    "head": "SELECT COUNT(*), SUM(LENGTH(header)) FROM head WHERE owner = ?",
    "text": "SELECT COUNT(*), SUM(LENGTH(body)) FROM text WHERE owner = ?",
}
"""What is the same on both sides if the rows of a table are."""


def differing(source: Engine, target: Engine) -> Sequence[str]:
    """The tables that differ. Raises `Problem`."""
    ours, theirs = (each.read(partial(_sums, owner=each.owner)) for each in (source, target))
    return [name for name in TABLES if ours[name] != theirs[name]]


def _sums(rows: Rows, owner: int) -> dict[str, list[list[object]]]:
    found: dict[str, list[list[object]]] = {}
    for name, STATEMENT in SUMS.items():  # noqa: N806 - each is one
        found[name] = [[_plain(value) for value in row] for row in rows.run(STATEMENT, (owner,))]
    return found


def _plain(value: object) -> object:
    """A sum as a number of Python; PostgreSQL has decimal ones for it."""
    return int(value) if isinstance(value, SupportsInt) and not isinstance(value, float) else value
