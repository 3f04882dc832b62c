"""A journal in memory, for tests and for whoever wants to see what is told without a disk."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from typing import TYPE_CHECKING

from mailer.spool import is_id, put_at

from .api import PAGE, Behind, Held
from .cursors import check_name
from .ids import Ascending

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from .api import JournalEvent


class MemoryJournal:
    """A journal, an implementation of `Journal`. `now` tells seconds since the epoch; writing raises `trouble` while that is set."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.trouble: OSError | None = None
        self._now = now
        self._ids = Ascending(now)
        self._since = 0.0
        self._events: list[JournalEvent] = []
        self._cursors: dict[str, str] = {}
        self._lost: dict[str, int] = {}
        self._more = asyncio.Event()

    async def append(self, events: Sequence[JournalEvent]) -> Sequence[JournalEvent]:
        """Add events, with IDs."""
        self._check()
        self._begin()
        for id in self._cursors.values():
            self._ids.beyond(id)
        named = [event._replace(id=self._ids.next()) for event in events]
        self._events += named
        self._more.set()
        self._more = asyncio.Event()
        return named

    async def keep(self, seconds: float, size: int, living: Collection[str]) -> Mapping[str, int]:
        """Delete event by event."""
        self._check()
        self._begin()
        left, told = sum(len(event.as_line()) for event in self._events), dict[str, int]()
        while len(self._events) > 1:
            oldest = self._events[0]
            losers = [name for name, at in self._cursors.items() if at < oldest.id]
            needed = [name for name in losers if name in living]
            if left <= size and (put_at(oldest.id) > self._now() - seconds or needed):
                break
            for name in losers:
                self._lost[name] = self._lost.get(name, 0) + 1
            for name in needed:
                told[name] = told.get(name, 0) + 1
            left -= len(oldest.as_line())
            del self._events[0]
        return told

    async def close(self) -> None:
        """Nothing is open."""

    async def read(self, after: str = "", limit: int = PAGE) -> Sequence[JournalEvent]:
        """A page of what comes after that ID."""
        at = bisect_right(self._events, after, key=lambda event: event.id)
        return self._events[at : at + limit]

    async def wait(self, after: str = "") -> None:
        """Wait until there is something after that ID."""
        while not (self._events and self._events[-1].id > after):
            await self._more.wait()

    async def first(self) -> str:
        """The oldest ID."""
        return self._events[0].id if self._events else ""

    async def last(self) -> str:
        """The newest ID."""
        return self._events[-1].id if self._events else ""

    async def held(self) -> Held:
        """How much there is."""
        return Held(len(self._events), sum(len(event.as_line()) for event in self._events), self._since)

    async def cursor(self, name: str) -> str:
        """Where that reader is."""
        return self._cursors.get(check_name(name), "")

    async def move(self, name: str, to: str) -> None:
        """Note where that reader is. Raises `ValueError`."""
        if not is_id(to):
            raise ValueError(f"{to[:40]!r} is no ID of an event")
        self._check()
        self._cursors[check_name(name)] = to

    async def cursors(self) -> Mapping[str, str]:
        """All cursors."""
        return dict(sorted(self._cursors.items()))

    async def forget(self, name: str) -> None:
        """Delete a cursor."""
        self._cursors.pop(check_name(name), None)
        self._lost.pop(name, None)

    async def behind(self, name: str) -> Behind:
        """How much there is after the cursor."""
        left = await self.read(await self.cursor(name), len(self._events) + 1)
        return Behind(len(left), max(self._now() - left[0].at, 0.0)) if left else Behind(0, 0.0)

    async def lost(self, name: str) -> int:
        """How many events that reader never had."""
        return self._lost.get(name, 0)

    def _begin(self) -> None:
        self._since = self._since or self._now()

    def _check(self) -> None:
        if self.trouble is not None:
            raise self.trouble
