"""The bell of the journal: one looks whether there is something new, for all streams of this process, and rings.

A stream notes how often it has rung, reads, and waits for the next ring after that: so none is missed that comes between the two. Who waits
behind an ID that is not there yet disturbs nobody, for where the watcher waits is found by itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.journal.api import Journal

PAUSE: Final = 0.02  # seconds between two rings at least: what comes in between is one piece of news
UNWELL: Final = 1.0  # seconds after trouble with the disk


class JournalBell:
    """Rings where the journal has grown, and where it cannot be read, which those who hear it see for themselves."""

    def __init__(self) -> None:
        self.rings = 0
        self._next = asyncio.Event()
        self._listeners = 0
        self._watch: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def heard(self, journal: Journal) -> AsyncIterator[None]:
        """While anybody is in this, `journal` is watched."""
        self._listeners += 1
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching(journal), name="bell")
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._watch.cancel()
                self._watch = None

    async def rung(self, seen: int) -> None:
        """Wait until it has rung more often than `seen`."""
        while self.rings == seen:
            await self._next.wait()

    async def _watching(self, journal: Journal) -> None:
        while True:
            try:
                last = await journal.last()
                self._ring()
                await journal.wait(last)
                await asyncio.sleep(PAUSE)
            except OSError:
                self._ring()
                await asyncio.sleep(UNWELL)

    def _ring(self) -> None:
        self.rings += 1
        now, self._next = self._next, asyncio.Event()
        now.set()
