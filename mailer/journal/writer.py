"""The one writer of a journal on a disk: appends batches to the newest segment, and begins another where that is full.

=================  ========================================================  ================================================
step               on disk                                                   what a crash in the middle leaves
=================  ========================================================  ================================================
append             write the lines, fdatasync                                nobody was told that they are there. Whole lines
                                                                             may be, and are told again under other IDs
first in a         create it, write the lines, fsync it, fsync the           the same, or an empty segment
segment            directory
begin anew         cut off what is torn at the end of the newest segment     the same again
retention          count what cursors lose, unlink the segment               counted, and still there: counted twice at worst
=================  ========================================================  ================================================

After an error the segment is cut back to what was synced, so that readers find no line twice; where a sync has failed, nobody knows what
the disk has, and the next batch goes into a segment of its own. There must be one writer at a time: the daemon holds the lock of its spool.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from mailer.io import durable

from . import segment
from .api import JournalEvent
from .ids import Ascending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .cursors import CursorFiles

SEGMENT = 16 << 20  # bytes; the one that is being written may have a batch more
_APPEND = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class SegmentWriter:
    """The writer of the journal in `directory`. Its methods block, raise `OSError`, and may be called from any thread."""

    def __init__(self, directory: str, cursors: CursorFiles, now: Callable[[], float], size: int = SEGMENT) -> None:
        self._directory = directory
        self._cursors = cursors
        self._now = now
        self._size = size
        self._lock = threading.Lock()
        self._ids: Ascending | None = None
        self._fd = -1
        self._name = ""
        self._end = 0  # of what is synced
        self._fresh = False  # the name of the segment is not durable yet

    def append(self, events: Sequence[JournalEvent]) -> list[JournalEvent]:
        """Write `events` down durably, all or none; returns them with their IDs."""
        with self._lock:
            ids = self._begin()
            named = [JournalEvent._make((id, *event[1:])) for id, event in zip(ids.take(len(events)), events, strict=True)]
            if named:
                if self._fd < 0 or self._end >= self._size or not os.fstat(self._fd).st_nlink:  # somebody has removed it
                    self._next(named[0].id)
                self._write(b"".join([event.as_line() for event in named]))
            return named

    def begin(self) -> None:
        """Make sure that there is a segment, whose name says since when nothing is missing."""
        with self._lock:
            ids = self._begin()
            if self._fd < 0:
                self._next(ids.next())
                self._write(b"")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._let_go()
            self._ids = None

    def _begin(self) -> Ascending:
        """The IDs; at first, find out where the journal ends, and cut off what is torn there."""
        if self._ids is not None:
            return self._ids
        os.makedirs(self._directory, 0o700, exist_ok=True)
        ids = Ascending(self._now)
        for id in self._cursors.all().values():  # one may be beyond what a power failure has left
            ids.beyond(id)
        names = segment.names(self._directory)
        for name in names[-1:]:
            fd = os.open(segment.path_of(self._directory, name), _APPEND)
            try:
                found = segment.tail(fd)
                if os.fstat(fd).st_size != found.end:
                    os.ftruncate(fd, found.end)
                os.fsync(fd)  # whoever wrote this may not have come so far
                durable.sync_directory(self._directory)
            except BaseException:
                durable.let_go(fd)
                raise
            self._fd, self._name, self._end, self._fresh = fd, name, found.end, False
            ids.beyond(name)
            ids.beyond(found.id)
        self._ids = ids
        return ids

    def _next(self, name: str) -> None:
        """Begin a segment."""
        self._let_go()
        path = segment.path_of(self._directory, name)
        try:
            self._fd = os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, durable.PRIVATE)
        except FileNotFoundError:  # somebody has removed the directory
            os.makedirs(self._directory, 0o700)
            self._fd = os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, durable.PRIVATE)
        self._name, self._end, self._fresh = name, 0, True
        os.fchmod(self._fd, durable.PRIVATE)  # a umask may have taken away our own rights

    def _write(self, data: bytes) -> None:
        try:
            durable.write_all(self._fd, data)
        except BaseException:
            self._take_back()
            raise
        try:
            if self._fresh:
                os.fsync(self._fd)
                durable.sync_directory(self._directory)
                self._fresh = False
            else:
                os.fdatasync(self._fd)
        except BaseException:
            self._take_back()
            self._let_go()  # the next batch has a segment of its own
            raise
        self._end += len(data)

    def _take_back(self) -> None:
        """Cut off what was not synced. Where that fails, too, all is found out anew before the next batch."""
        try:
            if self._fresh:
                os.unlink(segment.path_of(self._directory, self._name))
                self._let_go()
            else:
                os.ftruncate(self._fd, self._end)
        except OSError:
            self._let_go()
            self._ids = None

    def _let_go(self) -> None:
        if self._fd >= 0:
            durable.let_go(self._fd)
            self._fd = -1
