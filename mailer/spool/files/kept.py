"""What a daemon keeps of the files of its messages: open files and contents of those that wait, and files that wait to be closed."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING

from mailer.io import durable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future, ThreadPoolExecutor

    from .claim import FileEntry

CONTENTS = 64 << 20  # bytes of messages that are kept between being read and being leased
STALE = 1.0  # seconds; whatever goes to a quick destination has left by then
UNCLOSED = 8  # batches whose files are to be closed: from there on the loop does it itself, before it opens any more


class Kept:
    """The contents that wait in memory between being read and leased, in bytes, and open files; beyond, messages are read again.

    What has waited for longer than `STALE` makes room for what is new: a destination that does not answer must not make the mail
    of the others be read twice. `used` counts the contents of leased messages, too, until they are forgotten.
    """

    def __init__(self, limit: int, files: int = 0, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.files = files
        self.now = now
        self.used = 0
        self._contents: dict[FileEntry, float] = {}  # of what is not leased, and since when: the oldest first
        self._files: dict[FileEntry, float] = {}

    @property
    def open(self) -> int:
        """How many files are kept open."""
        return len(self._files)

    def wants_file(self) -> bool:
        """Whether the file of a message that is going to be read may stay open."""
        while self.files and len(self._files) >= self.files and (stale := self._stale(self._files)):
            self._close(stale)  # its content stays until there is no room for that either
        return len(self._files) < self.files

    def keep(self, entry: FileEntry) -> None:
        """Keep the file of `entry` if it is open, and its content if there is room; else that is given away once, and read again later."""
        now, size = self.now(), len(entry.content or b"")
        while self.used + size > self.limit and (stale := self._stale(self._contents)):
            self._drop(stale)
        if self.used + size <= self.limit or not self.used:
            entry.counted = True
            self.used += size
            self._contents[entry] = now
        if entry.fd >= 0:
            self._files[entry] = now

    def taken(self, entry: FileEntry) -> None:
        """Leave the file of `entry` to its lease; its content stays."""
        self._contents.pop(entry, None)
        self._files.pop(entry, None)

    def forget(self, entry: FileEntry) -> None:
        """Close the file of `entry` and let go of its content: it is not going to be leased, or its lease is over."""
        if entry in self._files:
            self._close(entry)
        self._drop(entry)

    def shrink(self) -> None:
        """Let go of what is not leased, as memory is short: it is read again when its turn comes."""
        while self._contents:
            self._drop(next(iter(self._contents)))

    def _close(self, entry: FileEntry) -> None:
        del self._files[entry]
        durable.let_go(entry.fd)
        entry.fd = -1

    def _drop(self, entry: FileEntry) -> None:
        """Let go of its content, and not of its file."""
        self._contents.pop(entry, None)
        if entry.counted:
            self.used -= len(entry.content or b"")
        entry.content, entry.counted = None, False

    def _stale(self, entries: dict[FileEntry, float]) -> FileEntry | None:
        oldest = next(iter(entries.items()), None)
        return oldest[0] if oldest is not None and self.now() - oldest[1] > STALE else None


def together(descriptors: Iterable[int]) -> list[tuple[int, int]]:
    """The runs of open `descriptors` that stand side by side, each from its first to behind its last: one call closes a run.

    A thread that closes them one after the other comes back to the interpreter for each, and whoever works there has to wait for it as
    often. The lowest free numbers are given out first, so files that were opened together nearly always are neighbours.
    """
    runs: list[tuple[int, int]] = []
    for descriptor in sorted(descriptors):
        if runs and runs[-1][1] == descriptor:
            runs[-1] = (runs[-1][0], descriptor + 1)
        else:
            runs.append((descriptor, descriptor + 1))
    return runs


def close(runs: Iterable[tuple[int, int]]) -> None:
    """Close the runs of descriptors that `together` gave."""
    for first, end in runs:
        os.closerange(first, end)


class Closer:
    """Closes the files of batches in a thread of its own, which is there from the first on, until `end`."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._unclosed: deque[Future[None]] = deque()

    def close(self, runs: list[tuple[int, int]]) -> None:
        """Close the descriptors in `runs`, soon; at once where so much waits that no more may be opened before."""
        if self._thread is None:
            from concurrent.futures import ThreadPoolExecutor

            self._thread = ThreadPoolExecutor(1, "unlinked")
        while self._unclosed and self._unclosed[0].done():
            self._unclosed.popleft()
        if len(self._unclosed) < UNCLOSED:
            self._unclosed.append(self._thread.submit(close, runs))
        else:
            close(runs)

    def end(self) -> None:
        """Wait until all are closed."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
