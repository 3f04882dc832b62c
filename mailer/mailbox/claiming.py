"""Which messages of a folder are recent: those that no session was told of as such before. RFC 3501 §2.3.2.

A folder has one mark, the UID from which on nobody was. Whoever tells its messages as recent moves the mark behind them in a transaction of
its own, so that of two sessions one gets them. That is no change of the folder: it has no MODSEQ, and nobody is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import ledger

if TYPE_CHECKING:
    from .engine.api import Rows
    from .ledger import Ledger

CLAIM: Final = "UPDATE folder SET recent = ? WHERE owner = ? AND id = ?"
RECENT: Final = "SELECT COUNT(*) FROM entry WHERE owner = ? AND folder = ? AND uid >= ?"


def claim(act: Ledger, folder: int, until: int) -> int:
    """Have messages with UIDs below `until` told; the UID from which on nobody was told before, at most `until`. Raises `NoFolder`."""
    first = act.by_id(folder).recent
    if first < until:
        act.rows.change(CLAIM, (until, act.owner, folder))
    return min(first, until)


def recent(rows: Rows, owner: int, folder: int) -> int:
    """How many messages were told to nobody. Raises `NoFolder`."""
    known = ledger.by_id(rows, owner, folder)
    return int(rows.run(RECENT, (owner, folder, known.recent))[0][0]) if known.recent < known.uidnext else 0
