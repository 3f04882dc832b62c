"""How many handshakes of TLS are made at a time: each costs milliseconds of the processor, and a client may stop in the middle of one.

Used by whoever makes them for callers, one `Handshakes` for all of them in an event loop. Who stalls has less time while many are at it,
so that a few clients that stall cannot keep the others from TLS.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST = 64  # at a time
SECONDS = 30.0  # for one
HURRIED = 5.0  # seconds for one, while half of the turns are taken


class Handshakes:
    """Turns at making handshakes, `most` at a time."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._busy = 0
        self._turns = asyncio.Semaphore(most)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Wait for a turn; yields the seconds that the handshake may take. Raises `TimeoutError` where none came in `SECONDS`."""
        async with asyncio.timeout(SECONDS):
            await self._turns.acquire()
        self._busy += 1
        try:
            yield HURRIED if self._busy > self._most // 2 else SECONDS
        finally:
            self._busy -= 1
            self._turns.release()
