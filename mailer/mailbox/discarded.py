"""Messages that rules have discarded: marked, they lie in the trash as long as deleted messages are kept, and then they are deleted.

Who takes the mark off one, or takes it out of the trash, keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows

DISCARDED: Final = "$Discarded"

TRASHES: Final = """SELECT f.id FROM folder f JOIN keyword k ON k.owner = f.owner AND k.folder = f.id
    WHERE f.owner = ? AND f.role = 'trash' AND f.gone = 0 AND k.word = ?"""
MARKED: Final = "SELECT uid, keywords FROM entry WHERE owner = ? AND folder = ? AND saved < ? AND keywords <> '' ORDER BY uid"


def due(rows: Rows, owner: int, before: float) -> Sequence[tuple[int, Sequence[tuple[int, int]]]]:
    """The folders, and the UIDs in each, of what was discarded `before`, in seconds since the epoch."""
    found = []
    for (folder,) in rows.run(TRASHES, (owner, DISCARDED.lower())):
        marked = [uid for uid, words in rows.run(MARKED, (owner, folder, before)) if DISCARDED.lower() in words.lower().split(" ")]
        if marked:
            found.append((folder, [(uid, uid) for uid in marked]))
    return found
