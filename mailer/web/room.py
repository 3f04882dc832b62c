"""The room for bodies: how many octets of requests are in memory at a time, whoever sends them.

A large body has its room before any of it is read, all at once, so that of many that come together each is read to its end or not begun.
Who waits is served in order. What waits stands in the network, not here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.config import Config

BODIES: Final = 8  # as many of the largest have room
SMALL: Final = 65_536  # octets that need none: what the library reads ahead of us anyway
PATIENCE: Final = 20.0  # seconds that one waits


def largest_body(config: Config) -> int:
    """The largest body of a request, in octets: base64 takes a third more than what it stands for."""
    return config.api.max_body or config.submission.max_message_size * 4 // 3 + 1_000_000


class BodyRoom:
    """Room for `octets`, or for one body, however large it is."""

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def taking(self, octets: int) -> AsyncIterator[None]:
        """Within it, there is room for so many octets. Raises `TimeoutError` where there was none in time."""
        if octets <= SMALL:
            yield
            return
        await self._take(octets)
        try:
            yield
        finally:
            self.taken -= octets
            self._admit()

    async def _take(self, octets: int) -> None:
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append((octets, admitted))
        self._admit()
        try:
            async with asyncio.timeout(PATIENCE):
                await admitted
        except BaseException:
            if admitted.done() and not admitted.cancelled():  # it had its room, and does not want it any more
                self.taken -= octets
            self._waiting = deque(each for each in self._waiting if each[1] is not admitted)
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting:
            octets, admitted = self._waiting[0]
            if self.taken and self.taken + octets > self.octets:
                return
            self._waiting.popleft()
            if not admitted.done():
                self.taken += octets
                admitted.set_result(None)
