"""Turns: which questions are asked now, where there are more of them than sockets for them.

Each question has a socket until it is answered, and a domain whose name servers are silent has it for many seconds. So that a
thousand of these hold up nobody else:

- half of the room is for questions that have just begun. One that is not answered within `PATIENCE` seconds, while others wait, goes over
  to the other half; where that is full, the one that has waited longest is called off there, and is nobody's fault but its own;
- those that wait are taken by zone (the last two labels of the name), in turns, and a zone has a quarter of the room at most;
- every other turn goes to the zone that came last, of those that have had fewer than `FEW` since: what comes behind a thousand waits for
  none of them, and who came first is at the front nevertheless;
- names that could not be looked up lately come after the others, and have one turn in `UNKNOWN` where these are many.

All of it costs the same however many wait. Used by `query`.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

PATIENCE = 0.5  # seconds; most answers that come at all take less
LATELY = 900.0  # seconds for which it is remembered that a name could not be looked up
REMEMBERED = 10_000  # names
FEW = 4  # turns: enough for the MX records and the addresses of a host
UNKNOWN = 4  # turns, of which names that failed lately have one: whoever always has new names must not keep back those of others


class QuestionTurn:
    """The turn of a question that is under way; it `began` at a time of the loop, and `limit` ends it."""

    __slots__ = ("began", "limit", "over")

    def __init__(self, began: float, limit: asyncio.Timeout) -> None:
        self.began = began
        self.limit = limit
        self.over = False


class ZoneQueue:
    """Questions that wait for a turn, zone by zone."""

    def __init__(self) -> None:
        self._zones: dict[str, deque[asyncio.Future[None]]] = {}
        self._new: dict[str, int] = {}  # zones that have had few turns, and how many; the last came last
        self._last = True  # whether the turn before was that of the zone that came last

    def __bool__(self) -> bool:
        return bool(self._zones)

    def add(self, zone: str, waiter: asyncio.Future[None]) -> None:
        """Let `waiter` wait behind the others of its zone; a new zone is the last one."""
        if zone not in self._zones:
            self._zones[zone] = deque()
            self._new[zone] = 0
        self._zones[zone].append(waiter)

    def take(self, taken: Counter[str], most: int) -> tuple[str, asyncio.Future[None]] | None:
        """The zone and the next waiter of one that has fewer than `most` turns; that zone is the last one then."""
        zone = self._next(reversed(self._new), taken, most) if not self._last else None
        self._last = zone is not None
        if zone is None and (zone := self._next(iter(self._zones), taken, most)) is None:
            return None
        waiters = self._zones.pop(zone)
        waiter = waiters.popleft()
        turns = self._new.get(zone, FEW) + 1
        if waiters:
            self._zones[zone] = waiters
        if waiters and turns < FEW:
            self._new[zone] = turns
        else:
            self._new.pop(zone, None)
        return zone, waiter

    def _next(self, zones: Iterator[str], taken: Counter[str], most: int) -> str | None:
        """The first of `zones` that may have a turn. Those where nobody waits any more leave."""
        left, found = [], None
        for zone in zones:
            waiters = self._zones[zone]
            while waiters and waiters[0].done():  # whose time is up
                waiters.popleft()
            if not waiters:
                left.append(zone)
            elif taken[zone] < most:
                found = zone
                break
        for zone in left:
            del self._zones[zone]
            self._new.pop(zone, None)
        return found


class QuestionTurns:
    """The turns of all questions: there is room for `at_once` of them."""

    def __init__(self, at_once: int) -> None:
        self._slow_most = max(at_once // 2, 1)
        self._quick_most = max(at_once - self._slow_most, 1)
        self._zone_most = max(at_once // 4, 1)
        self._quick: dict[QuestionTurn, None] = {}  # the oldest first
        self._slow: dict[QuestionTurn, None] = {}
        self._taken: Counter[str] = Counter()
        self._all = 0
        self._lines = (ZoneQueue(), ZoneQueue())  # of those that failed lately is the second
        self._given = 0  # turns to those that wait
        self._failed: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def come(self, name: str) -> None:
        """Wait for the turn of a question about `name`; `having` has to follow."""
        zone = zone_of(name)
        if not any(self._lines) and self._free > 0 and self._taken[zone] < self._zone_most:
            self._take(zone)
            return
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._lines[self._failed.get(name, 0.0) > loop.time()].add(zone, waiter)
        self._look()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._leave(zone)
            raise

    @asynccontextmanager
    async def having(self, name: str) -> AsyncIterator[None]:
        """The turn that has come. Raises `TimeoutError` in it where others need the room."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                turn = QuestionTurn(loop.time(), limit)
                self._quick[turn] = None
                try:
                    yield
                finally:
                    self._quick.pop(turn, None)
                    self._slow.pop(turn, None)
        finally:
            self._leave(zone_of(name))

    def failed(self, name: str) -> None:
        """Note that no server could say anything about `name`: its questions come after others for a time."""
        self._failed.pop(name, None)
        if len(self._failed) >= REMEMBERED:
            del self._failed[next(iter(self._failed))]
        self._failed[name] = asyncio.get_running_loop().time() + LATELY

    def answered(self, name: str) -> None:
        """Note that a server could say something about `name`."""
        self._failed.pop(name, None)

    def _take(self, zone: str) -> None:
        self._taken[zone] += 1
        self._all += 1

    def _leave(self, zone: str) -> None:
        self._all -= 1
        self._taken[zone] -= 1
        if not self._taken[zone]:
            del self._taken[zone]
        self._look()

    @property
    def _free(self) -> int:
        """Places among those that have just begun."""
        return self._quick_most - (self._all - len(self._slow))

    def _look(self) -> None:
        """Give places to those that wait, and make some where there is none."""
        while any(self._lines):
            if self._free <= 0 and not self._make_room():
                return
            first, second = self._lines if (self._given + 1) % UNKNOWN else self._lines[::-1]
            found = first.take(self._taken, self._zone_most) or second.take(self._taken, self._zone_most)
            if found is None:
                return
            self._given += 1
            zone, waiter = found
            self._take(zone)
            waiter.set_result(None)

    def _make_room(self) -> bool:
        """Whether the oldest of those that have begun has had its time and goes over. If not, it is looked again when that can be."""
        loop = asyncio.get_running_loop()
        oldest = next(iter(self._quick), None)
        if oldest is None:
            return False
        if (ready := oldest.began + PATIENCE) > loop.time():
            if self._timer is None:
                self._timer = loop.call_at(ready, self._ring)
            return False
        if len(self._slow) >= self._slow_most:
            longest = next((turn for turn in self._slow if not turn.over), None)
            if longest is not None:
                longest.over = True
                longest.limit.reschedule(loop.time())
            return False
        del self._quick[oldest]
        self._slow[oldest] = None
        return True

    def _ring(self) -> None:
        self._timer = None
        self._look()


def zone_of(name: str) -> str:
    """The zone of a name, its last two labels: a stranger who has as many names as he likes has them in one zone."""
    return ".".join(name.rsplit(".", 2)[-2:])
