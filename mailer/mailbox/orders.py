"""What folders are put in order by, remembered while they are used: whoever sorts a folder sorts it again when something has come.

What is remembered of a folder never changes, for a UID means one message for ever (RFC 9051 §2.3.1.1): what came since is read and put
behind it, and what went is left out. Whether something went, the count of the folder tells. All folders of a process share `MOST` values;
those that were used least of late go.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from . import collating, entries
from .api import LAST_UID, CollatedFolder

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from .api import SortColumn
    from .engine.api import Rows

FOLDER: Final = "SELECT uidvalidity, uidnext, messages FROM folder WHERE owner = ? AND id = ?"
MOST: Final = 500_000  # values in all, about a hundred octets each
PLAINLY: Final = (float, int)


class _Remembered:
    """Folders of this process by (mailbox, folder, UIDVALIDITY, columns)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most
        self._folders: OrderedDict[Hashable, tuple[CollatedFolder, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> CollatedFolder | None:
        """What is remembered by it."""
        with self._lock:
            found = self._folders.get(key)
            if found is None:
                return None
            self._folders.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, folder: CollatedFolder) -> None:
        """Remember it, if it is not the most of all; others go for it."""
        with self._lock:
            self._drop(key)
            size = len(folder.uids) * (len(folder.columns) + 1) + sum(sum(map(len, each)) for each in folder.columns if _is_of_ids(each))
            if size * 2 > self._most:
                return
            self._folders[key] = folder, size
            self._left -= size
            while self._left < 0:
                self._drop(next(iter(self._folders)))

    def forget(self, mailbox: int) -> None:
        """A mailbox is not used any more."""
        with self._lock:
            for key in [key for key in self._folders if isinstance(key, tuple) and key[0] == mailbox]:
                self._drop(key)

    def _drop(self, key: Hashable) -> None:
        gone = self._folders.pop(key, None)
        if gone is not None:
            self._left += gone[1]


def _is_of_ids(column: Sequence[Any]) -> bool:
    return bool(column) and isinstance(column[0], array)


REMEMBERED: Final = _Remembered(MOST)
_NUMBERS: Final = count()


class FolderOrders:
    """What the folders of one mailbox are put in order by."""

    def __init__(self) -> None:
        self._mailbox = next(_NUMBERS)

    def read(self, rows: Rows, owner: int, folder: int, columns: tuple[SortColumn, ...], *, partly: bool = False) -> CollatedFolder | None:
        """The columns of a folder at this moment. None where some of its messages have no row yet, unless they are left out: `partly`."""
        said = rows.run(FOLDER, (owner, folder))
        if not said:
            return CollatedFolder(array("I"), tuple([] for _ in columns), 1, {})
        uidvalidity, uidnext, messages = said[0]
        key = (self._mailbox, folder, uidvalidity, columns)
        known = REMEMBERED.get(key)
        if known is None or known.uidnext != uidnext:
            new = collating.collated(rows, owner, folder, ((known.uidnext if known else 1, LAST_UID),), columns)
            if any(row[1] is None for row in new):
                if not partly:
                    return None
                new = [row for row in new if row[1] is not None]
            known = _grown(known, new, uidnext, columns)
            REMEMBERED.put(key, known)
        if len(known.uids) != messages:
            known = _without_gone(known, entries.uids_of(rows, owner, folder))
            REMEMBERED.put(key, known)
        return known

    def forget(self) -> None:
        """The mailbox is not used any more."""
        REMEMBERED.forget(self._mailbox)


def _grown(known: CollatedFolder | None, new: Sequence[tuple[Any, ...]], uidnext: int, columns: Sequence[SortColumn]) -> CollatedFolder:
    """With the rows of messages that came."""
    uids = array("I", [row[0] for row in new])
    fresh = tuple(_column(name, [row[place] for row in new]) for place, name in enumerate(columns, 1))
    if known is None:
        return CollatedFolder(uids, fresh, uidnext, {})
    return CollatedFolder(known.uids + uids, tuple([*old, *more] for old, more in zip(known.columns, fresh, strict=True)), uidnext, {})


def _column(name: SortColumn, values: list[Any]) -> Sequence[Any]:
    """Values as they are remembered: those that are the same once."""
    if name == "ids":
        return [collating.ids_of(value) for value in values]
    if values and isinstance(values[0], PLAINLY):
        return values
    once: dict[Any, Any] = {}
    return [once.setdefault(value, value) for value in values]


def _without_gone(known: CollatedFolder, there: array[int]) -> CollatedFolder:
    """Without those that went."""
    left = set(there)
    places = [place for place, uid in enumerate(known.uids) if uid in left]
    uids = array("I", [known.uids[place] for place in places])
    return CollatedFolder(uids, tuple([column[place] for place in places] for column in known.columns), known.uidnext, {})
