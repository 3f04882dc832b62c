"""What goes with time: messages that were deleted long enough ago, what is remembered for clients who were away, and files without a row.

A message that is in no folder any more goes in three steps: its row, in a transaction that leaves word of its file; the file; the word. A
crash in between leaves word, and the file is removed once more, which harms nobody. From the first step on nobody can have it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem
from mailer.spool import first_id

from . import ranking, scripts
from .api import IMPORTED
from .hundreds import HUNDRED, hundreds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .bodies.api import Bodies
    from .engine.api import Engine, Rows

REMEMBERED: Final = 90 * 86400.0  # seconds that a client may be away and be told what went
DELIVERED: Final = 14 * 86400.0  # seconds in which a second attempt at a delivery is known; mail waits for five days
UNFINISHED: Final = 36 * 3600.0  # seconds after which what is being written is not being written any more
ORPHANED: Final = 48 * 3600.0  # seconds after which a file without a row will never have one
SEARCHED: Final = 7 * 86400.0  # seconds between two searches for those: each reads the names of all files
MOST_STRAY: Final = 200  # files without a row that crashes may have left in a week: two of the largest portions that are put at once
PORTION: Final = 500  # messages of one transaction

DUE: Final = """SELECT mail FROM erase WHERE owner = ? AND after > 0 AND after <= ?
    AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.owner = erase.owner AND e.mail = erase.mail) ORDER BY after LIMIT ?"""
ERASED: Final = f"DELETE FROM mail WHERE owner = ? AND id IN ({HUNDRED})"
TEXTS: Final = f"DELETE FROM text WHERE owner = ? AND mail IN ({HUNDRED})"
HEADINGS: Final = f"DELETE FROM heading WHERE owner = ? AND mail IN ({HUNDRED})"
UNEVEN: Final = f"DELETE FROM uneven WHERE owner = ? AND mail IN ({HUNDRED})"
COLLATED: Final = f"DELETE FROM collated WHERE owner = ? AND mail IN ({HUNDRED})"
HEADS: Final = f"DELETE FROM head WHERE owner = ? AND mail IN ({HUNDRED})"
JUDGED: Final = f"DELETE FROM judged WHERE owner = ? AND mail IN ({HUNDRED})"
WORD: Final = f"UPDATE erase SET after = 0 WHERE owner = ? AND mail IN ({HUNDRED})"
WORDS: Final = "SELECT mail FROM erase WHERE owner = ? AND after = 0 LIMIT ?"
DONE: Final = f"DELETE FROM erase WHERE owner = ? AND after = 0 AND mail IN ({HUNDRED})"
FLOORS: Final = "SELECT folder, modseq FROM expunged WHERE owner = ? AND at < ?"
RAISE: Final = "UPDATE folder SET floor = ? WHERE owner = ? AND id = ? AND floor < ?"
FORGET_EXPUNGED: Final = "DELETE FROM expunged WHERE owner = ? AND at < ?"
FORGET_FOLDERS: Final = "DELETE FROM folder WHERE owner = ? AND gone > 0 AND gone < ?"
FORGET_DELIVERED: Final = "DELETE FROM delivered WHERE owner = ? AND at < ? AND recipient <> ?"  # imports are repeated after years
SEARCHED_AT: Final = "SELECT searched FROM account WHERE owner = ?"
SEARCH: Final = "UPDATE account SET searched = ? WHERE owner = ?"
KNOWN: Final = f"SELECT id FROM mail WHERE owner = ? AND id IN ({HUNDRED})"


def sweep(engine: Engine, bodies: Bodies, owner: str, now: float) -> int:
    """Remove what is due in the mailbox of the owner with the ID `owner`; how many files went. Raises `Problem`."""
    engine.change(lambda rows: _forget(rows, engine.owner, now))
    files = 0
    while engine.change(lambda rows: _give_up(rows, engine, now)):
        files += _remove(engine, bodies, owner)
    files += _remove(engine, bodies, owner)
    files += bodies.sweep(owner, now - UNFINISHED)
    if engine.read(lambda rows: rows.run(SEARCHED_AT, (engine.owner,)))[0][0] < now - SEARCHED:
        files += _search(engine, bodies, owner, now)
        engine.change(lambda rows: rows.change(SEARCH, (now, engine.owner)))
    return files


def orphans(engine: Engine, bodies: Bodies, owner: str, before: float) -> Iterator[Sequence[str]]:
    """Messages that were written `before` and have no row, some at a time. Raises `Problem`."""
    some: list[str] = []
    latest = first_id(before)
    for each in bodies.listing(owner):
        if each.written < before and each.id < latest:
            some.append(each.id)
        if len(some) == PORTION:
            yield _unknown(engine, some)
            some = []
    if some:
        yield _unknown(engine, some)


def _unknown(engine: Engine, ids: Sequence[str]) -> Sequence[str]:
    known = engine.read(lambda rows: {row[0] for some in hundreds(ids) for row in rows.run(KNOWN, (engine.owner, *some))})
    return [id for id in ids if id not in known]


def _forget(rows: Rows, owner: int, now: float) -> None:
    """Forget what nobody asks about any more; folders know up to where they have forgotten."""
    floors = {folder: modseq for modseq, folder in sorted((row[1], row[0]) for row in rows.run(FLOORS, (owner, now - REMEMBERED)))}
    for folder, modseq in floors.items():
        rows.change(RAISE, (modseq, owner, folder, modseq))
    rows.change(FORGET_EXPUNGED, (owner, now - REMEMBERED))
    rows.change(FORGET_FOLDERS, (owner, now - REMEMBERED))
    rows.change(FORGET_DELIVERED, (owner, now - DELIVERED, IMPORTED))
    scripts.forget(rows, owner, now)


def _give_up(rows: Rows, engine: Engine, now: float) -> bool:
    """Remove the rows of some messages that are due, and leave word of their files; whether there were any."""
    due = [row[0] for row in rows.run(DUE, (engine.owner, now, PORTION))]
    for some in hundreds(due):
        for STATEMENT in (ERASED, TEXTS, HEADINGS, UNEVEN, COLLATED, HEADS, JUDGED, WORD):  # noqa: N806 - each is one
            rows.change(STATEMENT, (engine.owner, *some))
        if engine.dialect == "postgresql":
            ranking.erased(rows, engine.owner, some)
    return bool(due)


def _remove(engine: Engine, bodies: Bodies, owner: str) -> int:
    """Remove the files that there is word of, and then that."""
    files = 0
    while words := engine.read(lambda rows: [row[0] for row in rows.run(WORDS, (engine.owner, PORTION))]):
        bodies.remove(owner, words)
        engine.change(lambda rows: [rows.change(DONE, (engine.owner, *some)) for some in hundreds(words)])
        files += len(words)
    return files


def _search(engine: Engine, bodies: Bodies, owner: str, now: float) -> int:
    """Remove files that a crash has left without a row, which nobody was told of. Raises `Problem` where those are too many for that."""
    stray: list[str] = []
    for some in orphans(engine, bodies, owner, now - ORPHANED):
        stray += some
        if len(stray) > MOST_STRAY:
            what = f"more than {MOST_STRAY} messages are there and nothing says where, as if older rows had been put back"
            raise Problem(f"{what}; nothing was removed, and `mailer doctor --repair` has them in INBOX/Recovered", "io-error")
    bodies.remove(owner, stray)
    return len(stray)
