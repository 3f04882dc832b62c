"""A journal on a disk, beside the messages of a spool: `SPOOL/journal/`, of which `mailer-spool(5)` is the contract.

The daemon writes it; whoever may read the spool may read it and has a cursor there. What blocks is done in threads.
"""

from __future__ import annotations

import asyncio
import os
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from mailer.io import durable
from mailer.spool import put_at

from . import NAME, segment
from .api import PAGE, Behind, Held
from .cursors import CursorFiles
from .reader import SegmentReader
from .writer import SEGMENT, SegmentWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mailer.spool.files.store import SpoolDirectory

    from .api import JournalEvent

QUICK, SLOW = 0.02, 0.25  # seconds between two looks for something new: at first, and when there has been none for a while


def journal_of(spool: SpoolDirectory, now: Callable[[], float] = time.time) -> FileJournal:
    """The journal of `spool`, whether anything was ever written to it or not."""
    return FileJournal(spool.beside(NAME), now)


class FileJournal:
    """The journal in `directory`, an implementation of `Journal`. `now` tells seconds since the epoch; a segment has `size` bytes."""

    def __init__(self, directory: str, now: Callable[[], float] = time.time, size: int = SEGMENT) -> None:
        self._directory = directory
        self._now = now
        self._cursors = CursorFiles(f"{directory}/cursors", f"{directory}/lost")
        self._reader = SegmentReader(directory)
        self._writer = SegmentWriter(directory, self._cursors, now, size)

    # The daemon alone

    async def append(self, events: Sequence[JournalEvent]) -> Sequence[JournalEvent]:
        """Write events down, all or none; returns them with their IDs once they are durable. Raises `OSError`."""
        return await asyncio.to_thread(self._writer.append, events)

    async def keep(self, seconds: float, size: int, living: Collection[str]) -> Mapping[str, int]:
        """Begin, if that has not been done, and delete what is past its time or too much. Raises `OSError`."""
        return await asyncio.to_thread(self._keep, seconds, size, living)

    async def close(self) -> None:
        """Let go of the file that is written."""
        await asyncio.to_thread(self._writer.close)

    # Whoever reads

    async def read(self, after: str = "", limit: int = PAGE) -> Sequence[JournalEvent]:
        """A page of what comes after that ID. Raises `OSError`."""
        return await asyncio.to_thread(self._reader.read, after, limit)

    async def wait(self, after: str = "") -> None:
        """Wait until there is something after that ID: looked for when a segment has grown, or there is another. Raises `OSError`."""
        seen, pause = None, QUICK
        while True:
            signs = await asyncio.to_thread(self._signs)
            if signs != seen and await asyncio.to_thread(self._reader.any, after):
                return
            seen = signs
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, SLOW)

    async def first(self) -> str:
        """The oldest ID. Raises `OSError`."""
        return await asyncio.to_thread(self._reader.first)

    async def last(self) -> str:
        """The newest ID. Raises `OSError`."""
        return await asyncio.to_thread(self._reader.last)

    async def held(self) -> Held:
        """How much there is. Raises `OSError`."""
        return await asyncio.to_thread(lambda: Held(self._reader.count(), sum(self._reader.sizes().values()), self._reader.since()))

    # Cursors

    async def cursor(self, name: str) -> str:
        """Where that reader is. Raises `OSError`, `ValueError`."""
        return await asyncio.to_thread(self._cursors.get, name)

    async def move(self, name: str, to: str) -> None:
        """Note durably where that reader is. Raises `OSError`, `ValueError`."""
        await asyncio.to_thread(self._cursors.move, name, to)

    async def cursors(self) -> Mapping[str, str]:
        """All cursors. Raises `OSError`."""
        return await asyncio.to_thread(self._cursors.all)

    async def forget(self, name: str) -> None:
        """Delete a cursor. Raises `OSError`, `ValueError`."""
        await asyncio.to_thread(self._cursors.forget, name)

    async def behind(self, name: str) -> Behind:
        """How much there is after the cursor. Raises `OSError`, `ValueError`."""
        return await asyncio.to_thread(self._behind, name)

    async def lost(self, name: str) -> int:
        """How many events that reader never had. Raises `OSError`."""
        return (await asyncio.to_thread(self._cursors.lost)).get(name, 0)

    # In a thread

    def _behind(self, name: str) -> Behind:
        at = self._cursors.get(name)
        oldest = self._reader.read(at, 1)
        return Behind(self._reader.count(at), max(self._now() - oldest[0].at, 0.0)) if oldest else Behind(0, 0.0)

    def _signs(self) -> tuple[tuple[str, int], ...]:
        """What changes when something is written: which segment is the newest, and how long it is."""
        names = segment.names(self._directory)
        try:
            return ((names[-1], os.stat(segment.path_of(self._directory, names[-1])).st_size),) if names else ()
        except FileNotFoundError:
            return ()

    def _keep(self, seconds: float, size: int, living: Collection[str]) -> dict[str, int]:
        self._writer.begin()
        cursors, sizes, before = self._cursors.all(), self._reader.sizes(), self._now() - seconds
        names, left, told = [*sizes], sum(sizes.values()), dict[str, int]()
        for name, following in pairwise(names):  # never the one that is being written
            last = self._reader.last_of(name)
            needed = [each for each in living if each in cursors and cursors[each] < last]
            if left <= size and (put_at(last or following) > before or needed):
                break
            losses = {each: lost for each, at in cursors.items() if (lost := self._reader.count_in(name, at))}
            self._cursors.lose(losses)
            durable.forget(segment.path_of(self._directory, name))
            left -= sizes[name]
            for each in needed:
                told[each] = told.get(each, 0) + losses.get(each, 0)
        return told
