"""What clients note at folders, and at the mailbox as a whole: values by the names of entries, RFC 5464 §3.

Names are compared without regard to case, and spelled as they were first. What is noted goes with its folder: to another name, to another
store, into backups, and away. How much there may be is bounded, for it is in no quota.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem

from .api import Annotation, TooMany

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine.api import Rows
    from .ledger import Ledger

WHOLE: Final = 0  # in place of a folder: the mailbox
LONGEST: Final = 32 * 1024  # octets of a value; RFC 5464 §4.1 wants 1024 at least
LONGEST_NAME: Final = 500  # characters
MOST: Final = 100  # entries of a folder; RFC 5464 §4.1 wants 10 at least
MOST_IN_ALL: Final = 5000  # entries of a mailbox
MOST_OCTETS: Final = 4 * 1024 * 1024  # of all values of a mailbox

LISTING: Final = "SELECT folder, entry, value, modseq FROM annotation WHERE owner = ? AND folder = ? ORDER BY word"
EVERYTHING: Final = "SELECT folder, entry, value, modseq FROM annotation WHERE owner = ? ORDER BY folder, word"
MARKS: Final = "SELECT folder, entry, modseq FROM annotation WHERE owner = ?"
COUNT: Final = "SELECT COUNT(*) FROM annotation WHERE owner = ? AND folder = ?"
WEIGHT: Final = "SELECT COUNT(*), COALESCE(SUM(LENGTH(value)), 0) FROM annotation WHERE owner = ?"
KEEP: Final = """INSERT INTO annotation (owner, folder, word, entry, value, modseq) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (owner, folder, word) DO UPDATE SET value = excluded.value, modseq = excluded.modseq"""
DROP: Final = "DELETE FROM annotation WHERE owner = ? AND folder = ? AND word = ?"
CLEAR: Final = "DELETE FROM annotation WHERE owner = ? AND folder = ?"
COPY: Final = """INSERT INTO annotation (owner, folder, word, entry, value, modseq)
    SELECT owner, ?, word, entry, value, ? FROM annotation WHERE owner = ? AND folder = ?"""


def listing(rows: Rows, owner: int, folder: int | None) -> Sequence[Annotation]:
    """What is noted at a folder, or anywhere for None, in the order of names."""
    found = rows.run(EVERYTHING, (owner,)) if folder is None else rows.run(LISTING, (owner, folder))
    return [Annotation(each, entry, bytes(value), modseq) for each, entry, value, modseq in found]


def marks(rows: Rows, owner: int) -> Sequence[tuple[int, str, int]]:
    """Folder, entry and MODSEQ of all that is noted anywhere."""
    return [(folder, entry, modseq) for folder, entry, modseq in rows.run(MARKS, (owner,))]


def annotate(ledger: Ledger, folder: int, values: Sequence[tuple[str, bytes | None]]) -> None:
    """Note all of these entries at a folder, or none; None removes one. Raises `NoFolder`, `TooMany`, `Problem` (usage)."""
    if folder != WHOLE:
        ledger.alter(ledger.by_id(folder))
    ledger.changed.add(folder)
    for entry, value in values:
        if value is None:
            ledger.rows.change(DROP, (ledger.owner, folder, entry.lower()))
        elif len(value) > LONGEST or len(entry) > LONGEST_NAME:
            raise Problem(f"a note has {LONGEST} octets at most, and {LONGEST_NAME} letters in its name: {entry[:60]!r}", "usage")
        else:
            ledger.rows.change(KEEP, (ledger.owner, folder, entry.lower(), entry, value, ledger.modseq))
    if any(value is not None for _, value in values):
        _refuse_more(ledger, folder)


def copy(ledger: Ledger, source: int, target: int) -> None:
    """Note at another folder what is noted at one, as far as there is room."""
    many = ledger.rows.run(COUNT, (ledger.owner, source))[0][0]
    entries, octets = ledger.rows.run(WEIGHT, (ledger.owner,))[0]
    if entries + many <= MOST_IN_ALL and octets * 2 <= MOST_OCTETS:
        ledger.rows.change(COPY, (target, ledger.modseq, ledger.owner, source))


def _refuse_more(ledger: Ledger, folder: int) -> None:
    """Raises `TooMany`."""
    (here,) = ledger.rows.run(COUNT, (ledger.owner, folder))[0]
    entries, octets = ledger.rows.run(WEIGHT, (ledger.owner,))[0]
    if here > MOST:
        raise TooMany(f"{MOST} entries are noted at a folder at most; remove one first")
    if entries > MOST_IN_ALL or octets > MOST_OCTETS:
        room = f"{MOST_IN_ALL} entries, and {MOST_OCTETS} octets in them,"
        raise TooMany(f"{room} are noted in a mailbox at most; remove some first")
