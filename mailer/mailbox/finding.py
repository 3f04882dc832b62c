"""What one key of a search is true of: a statement for what the narrow tables have, the texts of messages for the rest.

A place is the number of a folder and a UID in one number (`PLACE`), so that sets of places are sets of numbers. Nothing here knows of
other keys; `search` puts them together.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from math import inf, nextafter
from typing import TYPE_CHECKING, Final

from mailer.mail.query import Among, Contains, Has, Is, Within

from .api import SearchTooLong
from .hundreds import HUNDRED, hundreds
from .texts import COLUMNS, Unpacking, needle_of
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from mailer.mail.flags import Uids
    from mailer.mail.query import Leaf

    from .engine.api import Rows
    from .texts import Searched

PLACE: Final = 1 << 32  # folder × this + UID; the statements have it as a number
EVERY_FOLDER: Final = (0, (1 << 31) - 1)
LEAST, MOST = -1e18, 1e18
DAY: Final = 86400
FEW: Final = 2000  # messages that are looked up one by one

FEW_SPANS: Final = 20  # spans of UIDs that are looked up one by one

ALL: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ?"
AMONG: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND uid BETWEEN ? AND ?"
MAILS: Final = "SELECT folder * 4294967296 + uid, mail FROM entry WHERE owner = ? AND folder BETWEEN ? AND ?"
FLAGGED: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND (flags & ?) <> 0"
UNFLAGGED: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND (flags & ?) = 0"
KEYWORDS: Final = "SELECT folder * 4294967296 + uid, keywords FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND keywords <> ''"
MODSEQ: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND modseq BETWEEN ? AND ?"
SAVED: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND folder BETWEEN ? AND ? AND saved >= ? AND saved < ?"
SAME_THREAD: Final = """SELECT e.folder * 4294967296 + e.uid FROM mail m CROSS JOIN entry e
    WHERE m.owner = ? AND m.thread = ? AND e.owner = m.owner AND e.mail = m.id AND e.folder BETWEEN ? AND ?"""
SAME_MAIL: Final = "SELECT folder * 4294967296 + uid FROM entry WHERE owner = ? AND mail = ? AND folder BETWEEN ? AND ?"

_JOINED: Final = "AND e.owner = h.owner AND e.mail = h.mail AND e.folder BETWEEN ? AND ?"
_HEADINGS: Final = "SELECT e.folder * 4294967296 + e.uid FROM heading h CROSS JOIN entry e WHERE h.owner = ?"
SIZE: Final = f"{_HEADINGS} AND h.size BETWEEN ? AND ? {_JOINED}"
DAYS: Final = f"{_HEADINGS} AND h.day BETWEEN ? AND ? {_JOINED}"
RECEIVED: Final = f"{_HEADINGS} AND h.received >= ? AND h.received < ? {_JOINED}"
HELD: Final = {column: f"{_HEADINGS} AND h.{column} IS NOT NULL {_JOINED}" for column in COLUMNS.values()}
HELD["files"] = f"{_HEADINGS} AND h.files <> '' {_JOINED}"
_FINDERS: Final = {"sqlite": "instr", "postgresql": "strpos"}
HEADED: Final = {
    (dialect, column): f"{_HEADINGS} AND {finder}(h.{column}, ?) > 0 {_JOINED}" for dialect, finder in _FINDERS.items() for column in HELD
}
HEADED_AMONG: Final = {
    (dialect, column): f"SELECT mail FROM heading WHERE owner = ? AND {finder}({column}, ?) > 0 AND mail IN ({HUNDRED})"
    for dialect, finder in _FINDERS.items() for column in HELD
}  # fmt: skip
TEXTS: Final = f"SELECT mail, body FROM text WHERE owner = ? AND mail IN ({HUNDRED})"


class KeySearch:
    """Finds places in one folder or in all (`EVERY_FOLDER`), in one transaction; `texts` are the keys that ask for texts. It looks at the
    clock before each key and each hundred texts, and gives up after so many seconds."""

    def __init__(
        self, rows: Rows, owner: int, dialect: str, folders: tuple[int, int], texts: Sequence[Contains], patience: float = inf
    ) -> None:
        self.rows, self.owner, self.dialect, self.folders = rows, owner, dialect, folders
        self._scope: frozenset[int] | None = None
        self._mails: dict[str, list[int]] | None = None
        self._keys = {key: _key_of(key) for key in texts}
        self._matched: dict[Contains, set[str]] = {key: set() for key in texts}
        self._read: set[str] = set()
        self._unpacking = Unpacking()
        self._until = time.monotonic() + patience

    def all(self) -> frozenset[int]:
        """All places."""
        if self._scope is None:
            self._scope = frozenset(self._places(ALL, *self.folders))
        return self._scope

    def found(self, leaf: Leaf, among: AbstractSet[int] | None) -> AbstractSet[int]:
        """The places of `among`, None for all, that a key is true of. Raises `SearchTooLong`."""
        self._hurry()
        if isinstance(leaf, Contains) and leaf in self._keys:
            return self._with_text(leaf, among)
        if isinstance(leaf, Contains) and among is not None and len(among) <= FEW and leaf.text:
            return self._headed_among(leaf, among)
        if isinstance(leaf, Among):
            return self._among(leaf.uids, among)
        places = self._of(leaf)
        return places if among is None else among & places

    def without(self, flag: int, among: AbstractSet[int] | None) -> AbstractSet[int]:
        """The places of `among`, None for all, that have not a flag. Raises `SearchTooLong`."""
        self._hurry()
        places = self._places(UNFLAGGED, *self.folders, flag)
        return places if among is None else among & places

    def _places(self, statement: str, *values: object) -> set[int]:
        return {row[0] for row in self.rows.run(statement, (self.owner, *values))}

    def _of(self, leaf: Leaf) -> AbstractSet[int]:
        if isinstance(leaf, Has):
            return self._with_keyword(leaf.keyword) if leaf.flag is None else self._places(FLAGGED, *self.folders, int(leaf.flag))
        if isinstance(leaf, Among):
            return self._among(leaf.uids, None)
        if isinstance(leaf, Within):
            return self._within(leaf)
        if isinstance(leaf, Is):
            return self._places(SAME_THREAD if leaf.what == "thread" else SAME_MAIL, leaf.id, *self.folders)
        column = _column(leaf)
        if not leaf.text:
            return self._places(HELD[column], *self.folders)
        needle = needle_of(leaf.text).decode()
        return self._places(HEADED[self.dialect, column], needle, *self.folders) if "\0" not in needle else frozenset()

    def _hurry(self) -> None:
        if time.monotonic() > self._until:
            raise SearchTooLong("the search took too long; look for less at once, or in fewer messages")

    def _among(self, uids: Uids, among: AbstractSet[int] | None) -> AbstractSet[int]:
        if uids is None:
            return self.all() if among is None else among
        if among is None and len(uids) <= FEW_SPANS and self.folders[0] == self.folders[1]:
            return {row[0] for span in uids for row in self.rows.run(AMONG, (self.owner, *self.folders, *span))}
        return _among(self.all() if among is None else among, uids)

    def _with_keyword(self, keyword: str) -> set[int]:
        wanted = keyword.lower()
        rows = self.rows.run(KEYWORDS, (self.owner, *self.folders))
        return {place for place, keywords in rows if wanted in keywords.lower().split(" ")}

    def _within(self, leaf: Within) -> set[int]:
        least = LEAST if leaf.least is None else leaf.least
        most = MOST if leaf.most is None else leaf.most
        if leaf.what == "modseq":
            return self._places(MODSEQ, *self.folders, *_whole(least, most))
        if leaf.what in ("size", "day"):
            return self._places(SIZE if leaf.what == "size" else DAYS, *_whole(least, most), *self.folders)
        if leaf.what.endswith("-day"):
            least, most = least * DAY, (most + 1) * DAY
        else:
            most = _behind(most)
        if leaf.what.startswith("saved"):
            return self._places(SAVED, *self.folders, float(least), float(most))
        return self._places(RECEIVED, float(least), float(most), *self.folders)

    def _by_mail(self, among: AbstractSet[int] | None) -> dict[str, list[int]]:
        """The messages of these places, each with its places."""
        if self._mails is None:
            self._mails = {}
            for place, mail in self.rows.run(MAILS, (self.owner, *self.folders)):
                self._mails.setdefault(mail, []).append(place)
        if among is None:
            return self._mails
        chosen = ((mail, [place for place in places if place in among]) for mail, places in self._mails.items())
        return {mail: places for mail, places in chosen if places}

    def _headed_among(self, leaf: Contains, among: AbstractSet[int]) -> AbstractSet[int]:
        mails, needle = self._by_mail(among), needle_of(leaf.text).decode()
        if "\0" in needle:
            return frozenset()
        statement = HEADED_AMONG[self.dialect, _column(leaf)]
        found = (mail for some in hundreds([*mails]) for (mail,) in self.rows.run(statement, (self.owner, needle, *some)))
        return {place for mail in found for place in mails[mail]}

    def _with_text(self, leaf: Contains, among: AbstractSet[int] | None) -> AbstractSet[int]:
        mails = self._by_mail(among)
        self._read_texts([mail for mail in mails if mail not in self._read])
        return {place for mail in mails.keys() & self._matched[leaf] for place in mails[mail]}

    def _read_texts(self, mails: Sequence[str]) -> None:
        """Ask the texts of these messages all that is asked of texts: each is unpacked once."""
        for some in hundreds(mails):
            self._hurry()
            for mail, body in self.rows.run(TEXTS, (self.owner, *some)):
                text = self._unpacking.text(body)
                for key, asks in self._keys.items():
                    if asks.true_of(text):
                        self._matched[key].add(mail)
            self._read.update(some)


class _Part:
    """Asks whether a text is in a part of a message."""

    def __init__(self, key: Contains) -> None:
        self._needle, self._where, self._name = needle_of(key.text), key.where, key.name.lower().encode("ascii", "replace")

    def true_of(self, text: Searched) -> bool:
        return b"\0" not in self._needle and text.has(self._needle, self._where, self._name)


def _key_of(key: Contains) -> _Part | Words:
    return Words(key.text) if key.where == "words" else _Part(key)


def asks_texts(leaf: Contains) -> bool:
    """Whether a key is answered by the texts of messages; the others are by ``heading``."""
    return leaf.where != "attachment" and not (leaf.where == "header" and leaf.name.lower() in COLUMNS)


def _column(leaf: Contains) -> str:
    return "files" if leaf.where == "attachment" else COLUMNS[leaf.name.lower()]


def _among(places: Iterable[int], uids: Sequence[tuple[int, int]]) -> set[int]:
    if len(uids) == 1:
        ((first, last),) = uids
        return {place for place in places if first <= place % PLACE <= last}
    firsts = [first for first, _ in uids]
    found = set()
    for place in places:
        uid = place % PLACE
        at = bisect_right(firsts, uid) - 1
        if at >= 0 and uid <= uids[at][1]:
            found.add(place)
    return found


def _whole(least: float, most: float) -> tuple[int, int]:
    """Bounds of whole numbers."""
    return -int(-least // 1), int(most // 1)


def _behind(most: float) -> float:
    """The bound that is the next number; what is no more than `most` is less than this."""
    return nextafter(most, inf)
