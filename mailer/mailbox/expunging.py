"""Messages that are taken out of a folder. One that is in no folder any more is kept for a while, and then its file goes.

A UID that went is remembered, so that a client who was away can be told (RFC 7162 §3.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem

from . import twins
from .entries import heavy
from .hundreds import HUNDRED, hundreds
from .ledger import weighed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.flags import Uids

    from .api import Folder
    from .engine.api import Rows
    from .entries import HeavyEntry
    from .ledger import Ledger

REMOVE: Final = "DELETE FROM entry WHERE owner = ? AND folder = ? AND uid = ?"
REMEMBER: Final = "INSERT INTO expunged (owner, folder, uid, mail, modseq, at) VALUES (?, ?, ?, ?, ?, ?)"
LEFT: Final = f"SELECT mail FROM entry WHERE owner = ? AND mail IN ({HUNDRED})"
ERASE: Final = "INSERT INTO erase (owner, mail, after) VALUES (?, ?, ?) ON CONFLICT (owner, mail) DO UPDATE SET after = excluded.after"
FREED: Final = f"""SELECT COALESCE(SUM(m.size), 0) FROM mail m WHERE m.owner = ?
    AND m.id IN (SELECT mail FROM entry WHERE owner = ? AND folder = ? AND flags & {int(Flag.DELETED)} <> 0)
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = m.owner AND e.mail = m.id
        AND (e.folder <> ? OR e.flags & {int(Flag.DELETED)} = 0))"""


def expunge(ledger: Ledger, folder: int, uids: Uids, after: float, *, marked: bool = True) -> tuple[int, Sequence[int]]:
    """Take those out of a folder that are marked as deleted, or all of `uids`; the MODSEQ, and the UIDs that went.

    A message that is in no other folder may be erased `after`, in seconds since the epoch. Raises `NoFolder`.
    """
    state = ledger.by_id(folder)
    if marked and not state.deleted:
        return state.modseq, ()
    chosen = [each for each in heavy(ledger.rows, ledger.owner, folder, uids) if not marked or each.flags & Flag.DELETED]
    if not chosen:
        return state.modseq, ()
    take_out(ledger, state, chosen)
    lose(ledger, {each.mail: each.size for each in chosen}, after)
    return ledger.modseq, [each.uid for each in chosen]


def replaced(ledger: Ledger, folder: int, uid: int, after: float) -> None:
    """Take out a message in whose place others come. Raises `NoFolder`, `Problem` (no-such) where it is gone."""
    if not expunge(ledger, folder, ((uid, uid),), after, marked=False)[1]:
        raise Problem("the message that is to be replaced is gone", "no-such")


def freed(rows: Rows, owner: int, folder: int) -> int:
    """The octets that an expunge of a folder would free: of messages marked as deleted that are nowhere else (RFC 9208 §4.1.4)."""
    return int(rows.run(FREED, (owner, owner, folder, folder))[0][0])


def take_out(ledger: Ledger, folder: Folder, chosen: Sequence[HeavyEntry]) -> None:
    """Take entries out of a folder, and remember that they went."""
    owner, modseq, now = ledger.owner, ledger.modseq, ledger.now
    ledger.rows.many(REMOVE, [(owner, folder.id, each.uid) for each in chosen])
    ledger.rows.many(REMEMBER, [(owner, folder.id, each.uid, each.mail, modseq, now) for each in chosen])
    for each in chosen:
        folder = weighed(folder, each.flags, each.size, -1)
    if chosen:
        twins.forget(ledger, folder.id, [each.uid for each in chosen])
        ledger.alter(folder)


def lose(ledger: Ledger, sizes: dict[str, int], after: float) -> None:
    """Have those messages erased `after` that are in no folder any more."""
    left = {row[0] for some in hundreds([*sizes]) for row in ledger.rows.run(LEFT, (ledger.owner, *some))}
    gone = [mail for mail in sizes if mail not in left]
    ledger.rows.many(ERASE, [(ledger.owner, mail, after) for mail in gone])
    ledger.count(-sum(sizes[mail] for mail in gone), -len(gone))
