"""The UIDs of a folder in the order of the folder: which number has which, RFC 9051 §2.3.1.

UIDs ascend with the numbers. They are kept as runs of UIDs that follow each other, so that a folder of ten thousand from which little was
ever deleted takes some octets; where there would be more than half as many runs as UIDs, as one array of all. Both are one form: of each
run the first UID and its place, where the places are left out if each run is of one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


FEW = 64  # UIDs of an array of which runs are made again when there are more of them


class UidRuns:
    """UIDs, ascending. Places begin with 0; numbers, as clients say them, with 1."""

    __slots__ = ("_count", "_firsts", "_places")

    def __init__(self, uids: Iterable[int] = ()) -> None:
        here = uids if isinstance(uids, array) and uids.typecode == "I" else array("I", uids)
        places = _starts(here)
        if 2 * len(places) > len(here):
            self._firsts, self._places, self._count = here[:], array("I"), len(here)
        else:
            self._firsts, self._places, self._count = array("I", [here[place] for place in places]), places, len(here)

    def _keep(self, firsts: array[int], places: array[int], count: int) -> None:
        self._firsts, self._places, self._count = firsts, places, count
        if 2 * len(firsts) > count:
            self._firsts, self._places = self.all(), array("I")

    def __len__(self) -> int:
        return self._count

    def _place(self, run: int) -> int:
        return self._places[run] if self._places else run

    def _length(self, run: int) -> int:
        return (self._place(run + 1) if run + 1 < len(self._firsts) else self._count) - self._place(run)

    def all(self) -> array[int]:
        """All UIDs."""
        if not self._places:
            return self._firsts[:]
        found = array("I")
        for run, first in enumerate(self._firsts):
            found.extend(range(first, first + self._length(run)))
        return found

    def last(self) -> int:
        """The highest UID, 0 where there is none."""
        return self.uid(self._count) if self._count else 0

    def before(self, uid: int) -> int:
        """How many UIDs are less than `uid`."""
        run = bisect_right(self._firsts, uid) - 1
        return self._place(run) + min(uid - self._firsts[run], self._length(run)) if run >= 0 else 0

    def number(self, uid: int) -> int:
        """The number that `uid` has; 0 where it is not here."""
        run = bisect_right(self._firsts, uid) - 1
        if run < 0 or uid - self._firsts[run] >= self._length(run):
            return 0
        return self._place(run) + uid - self._firsts[run] + 1

    def uid(self, number: int) -> int:
        """The UID that has the number. Raises `IndexError` where none has."""
        if not 0 < number <= self._count:
            raise IndexError(number)
        run = bisect_right(self._places, number - 1) - 1 if self._places else number - 1
        return self._firsts[run] + number - 1 - self._place(run)

    def numbered(self, uids: Iterable[int]) -> Iterator[tuple[int, int]]:
        """(number, UID) of those of `uids` that are here; quick where they ascend."""
        first, end, less = 1, 1, 0
        for uid in uids:
            if not first <= uid < end:
                run = bisect_right(self._firsts, uid) - 1
                if run < 0:
                    continue
                first = self._firsts[run]
                end, less = first + self._length(run), first - self._place(run) - 1
                if uid >= end:
                    continue
            yield uid - less, uid

    def extend(self, uids: Sequence[int]) -> None:
        """Have more, which ascend, and are above all that are here."""
        if not uids:
            return
        if not self._places and self._count > FEW:
            self._firsts.extend(uids)
            self._count += len(uids)
            return
        before, last = self._count, self.last()
        firsts = self._firsts if self._places else array("I", [self._firsts[place] for place in _starts(self._firsts)])
        here = self._places or _starts(self._firsts)
        for place in _starts(new := array("I", uids)):
            if not before or place or new[0] != last + 1:
                firsts.append(new[place])
                here.append(before + place)
        self._keep(firsts, here, before + len(new))

    def remove(self, uids: Sequence[int]) -> None:
        """Have those of `uids`, which ascend, no more."""
        if not self._places:
            self._firsts = _without(self._firsts, uids)
            self._count = len(self._firsts)
            return
        firsts, places, count = array("I"), array("I"), 0
        at = 0
        for run, begin in enumerate(self._firsts):
            first, end = begin, begin + self._length(run)
            at = bisect_left(uids, first, at)
            while at < len(uids) and uids[at] < end:
                if first < uids[at]:
                    firsts.append(first)
                    places.append(count)
                    count += uids[at] - first
                first = uids[at] + 1
                at += 1
            if first < end:
                firsts.append(first)
                places.append(count)
                count += end - first
        self._keep(firsts, places, count)


def _starts(uids: array[int]) -> array[int]:
    """The places where runs of ascending `uids` begin. Where there are few, they are found by halving, without a look at each."""
    count = len(uids)
    if count and 32 * (uids[-1] - uids[0] + 1 - count) > count:
        return array("I", [0, *(place for place, (one, other) in enumerate(pairwise(uids), 1) if other != one + 1)])
    found = array("I")
    waiting = [(0, count)] if uids else []
    while waiting:
        start, end = waiting.pop()
        if uids[end - 1] - uids[start] != end - 1 - start:
            middle = (start + end) // 2
            waiting += ((middle, end), (start, middle))
        elif not start or uids[start] != uids[start - 1] + 1:
            found.append(start)
    return found


def _without(uids: array[int], gone: Sequence[int]) -> array[int]:
    kept, at = array("I"), 0
    for uid in gone:
        place = bisect_left(uids, uid, at)
        if place < len(uids) and uids[place] == uid:
            kept += uids[at:place]
            at = place + 1
    return kept + uids[at:]
