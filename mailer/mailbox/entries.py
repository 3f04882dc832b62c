"""What is in a folder: its entries by UID, those of a message, and what is new since a MODSEQ.

Nothing here is sorted by the database: where it could have rows in their order it would read all of a folder for that.

A set of UIDs may be a stranger's, and as long as he likes: a few spans are looked up each, more are one span, of which the rows are
compared with the set in one pass.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.flags import Flag

from .api import LAST_UID, Folder, FolderChanges, FolderEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from mailer.mail.flags import Uids

    from .engine.api import Rows

ENTRIES: Final = """SELECT uid, mail, flags, keywords, modseq, saved FROM entry
    WHERE owner = ? AND folder = ? AND uid BETWEEN ? AND ? ORDER BY uid"""
NEWER: Final = """SELECT uid, mail, flags, keywords, modseq, saved FROM entry
    WHERE owner = ? AND folder = ? AND modseq > ?"""
UIDS: Final = "SELECT uid FROM entry WHERE owner = ? AND folder = ? ORDER BY uid"
VANISHED: Final = "SELECT uid FROM expunged WHERE owner = ? AND folder = ? AND modseq > ?"
HEAVY: Final = """SELECT e.uid, e.mail, e.flags, e.keywords, m.size FROM entry e JOIN mail m ON m.owner = e.owner AND m.id = e.mail
    WHERE e.owner = ? AND e.folder = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid"""
PLACES: Final = """SELECT folder, uid, mail, flags, keywords, modseq, saved FROM entry
    WHERE owner = ? AND mail = ?"""

FLAGS: Final = tuple(map(Flag, range(32)))
"""The flags of each number: making one takes longer than all else of an entry."""

FEW: Final = 20  # spans that are looked up one by one


class HeavyEntry(NamedTuple):
    """An entry as it is counted and copied: with the octets of its message."""

    uid: int
    mail: str
    flags: int
    keywords: str
    size: int


def entries(rows: Rows, owner: int, folder: int, uids: Uids = None) -> list[FolderEntry]:
    """The entries of a folder with these UIDs, in their order."""
    return [entry_of(folder, row) for row in _chosen(rows, ENTRIES, (owner, folder), uids)]


def heavy(rows: Rows, owner: int, folder: int, uids: Uids = None) -> list[HeavyEntry]:
    """The entries of a folder with these UIDs, in their order, with what they weigh."""
    return [HeavyEntry(*row) for row in _chosen(rows, HEAVY, (owner, folder), uids)]


def uids_of(rows: Rows, owner: int, folder: int) -> array[int]:
    """All UIDs of a folder, four octets each."""
    return array("I", [row[0] for row in rows.run(UIDS, (owner, folder))])


def places(rows: Rows, owner: int, mails: Sequence[str]) -> list[FolderEntry]:
    """All entries of these messages."""
    found = sorted(row for mail in dict.fromkeys(mails) for row in rows.run(PLACES, (owner, mail)))
    return [entry_of(folder, row) for folder, *row in found]


def changes(rows: Rows, owner: int, folder: Folder, since: int) -> FolderChanges:
    """What is new in a folder since a MODSEQ, RFC 7162 §3.2.5."""
    if since < folder.floor:
        return FolderChanges(folder, entries(rows, owner, folder.id), (), whole=True)
    if since >= folder.modseq:
        return FolderChanges(folder, (), (), whole=False)
    new = [entry_of(folder.id, row) for row in sorted(rows.run(NEWER, (owner, folder.id, since)))]
    return FolderChanges(folder, new, sorted(row[0] for row in rows.run(VANISHED, (owner, folder.id, since))), whole=False)


def entry_of(folder: int, row: Sequence[Any]) -> FolderEntry:
    """The entry of a row."""
    uid, mail, flags, keywords, modseq, saved = row
    return FolderEntry(folder, uid, mail, FLAGS[flags], tuple(keywords.split(" ")) if keywords else (), modseq, saved)


def _chosen(rows: Rows, statement: str, where: tuple[int, int], uids: Uids) -> Iterable[tuple[Any, ...]]:
    if uids is None:
        spans: Sequence[tuple[int, int]] = ((1, LAST_UID),)
    elif len(uids) > FEW:
        return among(rows.run(statement, (*where, uids[0][0], uids[-1][1])), uids)
    else:
        spans = uids
    return [row for first, last in spans for row in rows.run(statement, (*where, first, last))]


def among(rows: Iterable[tuple[Any, ...]], uids: Sequence[tuple[int, int]]) -> Iterator[tuple[Any, ...]]:
    """The rows whose UID, the first value, is in the set; both ascend."""
    spans = iter(uids)
    first, last = next(spans)
    for row in rows:
        while row[0] > last:
            first, last = next(spans, (0, LAST_UID))
            if not first:
                return
        if row[0] >= first:
            yield row
