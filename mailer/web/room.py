"""The room for bodies: how many octets of requests are in memory at a time, whoever sends them.

A large body has its room before any of it is read, all at once, so that of many that come together each is read to its end or not begun.
Who waits is served in order. What waits stands in the network, not here. One key never has more than half of the room, so that whoever has
a key, and sends as many as it can, as slowly as it may, leaves room for others.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from mailer.config import Config

BODIES: Final = 8  # as many of the largest have room
SMALL: Final = 65_536  # octets that need none: what the library reads ahead of us anyway
PATIENCE: Final = 20.0  # seconds that one waits


def largest_body(config: Config) -> int:
    """The largest body of a request, in octets: base64 takes a third more than what it stands for."""
    return config.api.max_body or config.submission.max_message_size * 4 // 3 + 1_000_000


async def whole_body(request: Request) -> bytes:
    """The body of a request, which nobody has read before. Raises `ClientDisconnect` where its end does not come."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


class BodyRoom:
    """Room for `octets`, or for one body, however large it is; of one key half of that, or one body, however many it sends."""

    def __init__(self, octets: int) -> None:
        self.octets = octets
        self.taken = 0
        self._shares: Counter[str] = Counter()  # octets, by the key that sends them
        self._waiting: deque[_Body] = deque()

    @asynccontextmanager
    async def taking(self, octets: int, key: str = "") -> AsyncIterator[None]:
        """Within it, there is room for so many octets that `key` sends. Raises `TimeoutError` where there was none in time."""
        if octets <= SMALL:
            yield
            return
        body = _Body(octets, key, asyncio.get_running_loop().create_future())
        await self._take(body)
        try:
            yield
        finally:
            self._give(body)

    async def _take(self, body: _Body) -> None:
        self._waiting.append(body)
        self._admit()
        try:
            async with asyncio.timeout(PATIENCE):
                await body.admitted
        except BaseException:
            self._waiting = deque(each for each in self._waiting if each is not body)
            if body.admitted.done() and not body.admitted.cancelled():  # it had its room, and does not want it any more
                self._give(body)
            else:
                self._admit()
            raise

    def _give(self, body: _Body) -> None:
        self.taken -= body.octets
        self._shares[body.key] -= body.octets
        if not self._shares[body.key]:
            del self._shares[body.key]
        self._admit()

    def _admit(self) -> None:
        """In order; who has its share already lets those pass that come after it."""
        kept: deque[_Body] = deque()
        while self._waiting:
            body = self._waiting.popleft()
            share = self._shares[body.key]
            if body.key and share and share + body.octets > self.octets // 2:
                kept.append(body)
                continue
            if self.taken and self.taken + body.octets > self.octets:
                kept.append(body)
                break
            if not body.admitted.done():
                self.taken += body.octets
                self._shares[body.key] += body.octets
                body.admitted.set_result(None)
        self._waiting.extendleft(reversed(kept))


class _Body:
    """One that waits for room, or has it."""

    __slots__ = ("admitted", "key", "octets")

    def __init__(self, octets: int, key: str, admitted: asyncio.Future[None]) -> None:
        self.octets = octets
        self.key = key
        self.admitted = admitted
