"""Reading a journal on a disk: by whoever may read its files, in any process, while it is being written.

Who goes on where he was is found again at once: the place of the last event of each page is kept, of a few readers, and looked at before
it is believed, since the end of a segment may be cut back. Nothing is locked. A segment that is deleted meanwhile is passed over.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable
from mailer.spool import put_at

from . import segment
from .api import from_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .api import JournalEvent

MOST = 1 << 20  # bytes of a page, and a line more
READERS = 64  # whose places are kept


class LinePlace(NamedTuple):
    """Where the line of an event begins, and its segment."""

    name: str
    start: int


class SegmentReader:
    """A reader of the journal in `directory`. Its methods block, and raise `OSError`; they may be called from any thread."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._places: dict[str, LinePlace] = {}  # by the ID of the event there
        self._counts: dict[str, tuple[int, int]] = {}  # of segments: size, and how many lines

    def read(self, after: str, limit: int) -> list[JournalEvent]:
        """A page of what comes after the ID `after`."""
        found: list[JournalEvent] = []
        size = 0
        for name, line in self._lines_after(after):
            event = from_line(line.text)
            if event is None or event.id <= after:
                continue
            found.append(event)
            size += len(line.text)
            if len(found) >= limit or size >= MOST:
                self._keep(event.id, LinePlace(name, line.start))
                return found
        if found:
            self._keep(found[-1].id, LinePlace(name, line.start))
        return found

    def any(self, after: str) -> bool:
        """Whether there is an event after that ID."""
        return any(line.id > after for _, line in self._lines_after(after))

    def first(self) -> str:
        """The first ID; empty if there is none."""
        return next((line.id for _, line in self._lines_after("") if line.id), "")

    def last(self) -> str:
        """The last ID; empty if there is none."""
        return next((id for name in reversed(segment.names(self._directory)) if (id := self.last_of(name))), "")

    def last_of(self, name: str) -> str:
        """The last ID in a segment; empty if there is none."""
        if (fd := self._open(name)) is None:
            return ""
        try:
            return segment.tail(fd).id
        finally:
            durable.let_go(fd)

    def count(self, after: str = "") -> int:
        """How many lines come after that ID."""
        names = segment.names(self._directory)
        at = max(bisect_right(names, after) - 1, 0)
        return sum(self.count_in(name, after) for name in names[at:])

    def count_in(self, name: str, after: str) -> int:
        """How many lines of a segment come after that ID."""
        if (fd := self._open(name)) is None:
            return 0
        try:
            if after >= name:
                return segment.count(fd, segment.after(fd, after))
            size = os.fstat(fd).st_size
            known = self._counts.get(name)
            if known is None or known[0] != size:
                if len(self._counts) > 1000:  # segments that are long gone
                    self._counts.clear()
                known = self._counts[name] = (size, segment.count(fd))
            return known[1]
        finally:
            durable.let_go(fd)

    def sizes(self) -> dict[str, int]:
        """The size of each segment in bytes, oldest first."""
        found = {}
        for name in segment.names(self._directory):
            try:
                found[name] = os.stat(segment.path_of(self._directory, name), follow_symlinks=False).st_size
            except FileNotFoundError:
                continue
        return found

    def since(self) -> float:
        """Since when nothing that has not been deleted is missing, in seconds since the epoch; 0.0 if nothing was ever begun."""
        names = segment.names(self._directory)
        return put_at(names[0]) if names else 0.0

    def _lines_after(self, after: str) -> Iterator[tuple[str, segment.SegmentLine]]:
        names = segment.names(self._directory)
        place = self._places.get(after)
        if place is not None and place.name in names:
            at = names.index(place.name)
        else:
            at, place = max(bisect_right(names, after) - 1, 0), None
        for name in names[at:]:
            if (fd := self._open(name)) is None:
                continue
            try:
                if place is not None:
                    line = next(segment.lines(fd, place.start), None)
                    start = place.start if line is not None and line.id == after else segment.after(fd, after)
                    place = None
                else:
                    start = segment.after(fd, after) if after and name <= after else 0
                for line in segment.lines(fd, start):
                    yield name, line
            finally:
                durable.let_go(fd)

    def _open(self, name: str) -> int | None:
        try:
            return segment.opened(self._directory, name)
        except FileNotFoundError:
            return None

    def _keep(self, id: str, place: LinePlace) -> None:
        self._places[id] = place
        while len(self._places) > READERS:
            self._places.pop(next(iter(self._places)), None)
