"""Sessions that wait for the next message, so that it need not wait for one.

`lend` gives a session that nobody else has: a waiting one with an equal `Endpoint`, else a new one. `give_back`
takes it again. How many there may be is decided by whoever lends: the queue's
scheduler, or a program's `lender`.

A session is reused while it is `usable` and younger than `lifetime` seconds, whatever the number of its messages: a limit
by count makes the slowest host of a domain collect all connections. One that waited for `idle` seconds takes its leave, and so
does the one that has waited longest where `most` of them do.
QUIT is nobody's wait: it happens in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from mailer.net.happy_eyeballs import NegativeCache, race
from mailer.net.stream import Stream

from .connection import Connection
from .errors import SessionError, furthest
from .route import Endpoint, Timeouts
from .session import Watch, reach

if TYPE_CHECKING:
    from .meter import Meter

_Key = tuple[Endpoint, str]


class Pool:
    """The sessions of one event loop that wait for their next message."""

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        *,
        idle: float = 20.0,
        lifetime: float = 300.0,
        most: int = 100,
        meter: Meter | None = None,
    ) -> None:
        """`idle` and `lifetime` are seconds; of `most` sessions half may wait at once, and half take their leave. `meter` hears of all."""
        self._timeouts = timeouts or Timeouts()
        self._idle = idle
        self.lifetime = lifetime
        self._most = max(most // 2, 1)
        self._meter = meter
        self.dead = NegativeCache()
        """The addresses that failed a moment ago; whoever knows of a failure in a session that it lent may add it."""
        self._waiting: dict[_Key, list[Connection]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def lend(self, endpoint: Endpoint, addresses: Sequence[str], watch: Watch | None = None) -> Connection:
        """A session with one of the `addresses` of the endpoint's host: a waiting one, or the first that can be opened.
        `watch` is told the steps of one that is opened.

        An address that does not answer at once is not waited for while there are others (`race`); one that could not be
        reached a moment ago comes last. Raises `SessionError`: that of the address where it got furthest, with the others beside
        it; or at once if it is our login, which another address of the same host would refuse too.
        """
        if not addresses:
            raise ValueError(f"{endpoint.host} has no addresses")
        for address in addresses:
            if connection := self._take((endpoint, address)):
                if self._meter is not None:
                    self._meter.lent(connection, 0.0, new=False)
                return connection
        began = monotonic()
        connection = await self._open(endpoint, self.dead.last(addresses, endpoint.port), watch)
        if self._meter is not None:
            self._meter.lent(connection, monotonic() - began, new=True)
        return connection

    async def _open(self, endpoint: Endpoint, addresses: list[str], watch: Watch | None) -> Connection:
        """A new session, with the address that answers first; if it comes to nothing there, with one of the others."""
        left = dict.fromkeys(addresses)
        troubles: list[SessionError] = []

        def lost(address: str, error: Exception) -> None:
            if isinstance(error, SessionError):
                self._failed(error, address, endpoint)
                troubles.append(error)
            del left[address]

        def attempt(address: str) -> Coroutine[None, None, Stream]:
            return reach(endpoint, address, self._timeouts)

        while left:
            try:
                address, stream = await race(list(left), attempt, lost, Stream.abort)
            except SessionError:
                break  # `lost` was told of all of them
            del left[address]
            try:
                connection = await Connection.open(endpoint, address, self._timeouts, watch=watch, stream=stream)
            except SessionError as error:
                troubles.append(error)
                self._failed(error, address, endpoint)
                if error.kind in ("auth", "ours"):
                    break
            else:
                self.dead.discard(address, endpoint.port)
                return connection
        raise furthest(troubles)

    def _failed(self, error: SessionError, address: str, endpoint: Endpoint) -> None:
        """What that says about the address. Where we are short of something, what we have that nobody needs is given up."""
        if self._meter is not None:
            self._meter.failed(error)
        if error.kind == "short":
            self._dismiss_all()
        elif error.kind not in ("auth", "ours"):
            self.dead.add(address, endpoint.port)

    def give_back(self, connection: Connection) -> None:
        """Take back what was lent; keep it if it is good for more."""
        if connection.expecting:  # it was promised a mail that did not come
            connection.abandon()
            self._ended(connection)
            return
        if self._closed or not connection.takes_more(self.lifetime):
            self._dismiss(connection)
            return
        if len(self) >= self._most:
            self._dismiss(self._oldest())
        self._waiting.setdefault((connection.endpoint, connection.address), []).append(connection)
        if self._meter is not None:
            self._meter.returned(connection)
        if self._sweeper is None:
            self._sweep_in(self._idle)

    async def close_all(self) -> None:
        """Take leave of all that wait; those that are lent, when they come back. Takes `Timeouts.quit` at most."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._dismiss_all()
        while self._leaving:
            await asyncio.wait(self._leaving)

    def __len__(self) -> int:
        """How many sessions wait."""
        return sum(map(len, self._waiting.values()))

    def _take(self, key: _Key) -> Connection | None:
        """The session that came back last: the others may grow old and leave."""
        waiting = self._waiting.get(key)
        while waiting:
            connection = waiting.pop()
            if not waiting:
                del self._waiting[key]
            if connection.takes_more(self.lifetime):
                return connection
            self._dismiss(connection)
        return None

    def _oldest(self) -> Connection:
        """The one that has waited longest, which waits no more."""
        key, connections = min(self._waiting.items(), key=lambda item: item[1][0].last_used)
        oldest = connections.pop(0)
        if not connections:
            del self._waiting[key]
        return oldest

    def _dismiss_all(self) -> None:
        for connections in self._waiting.values():
            for connection in connections:
                self._dismiss(connection)
        self._waiting.clear()

    def _ended(self, connection: Connection) -> None:
        if self._meter is not None:
            self._meter.over(connection)

    def _dismiss(self, connection: Connection) -> None:
        self._ended(connection)
        if not connection.usable or (len(self._leaving) >= self._most and not self._closed):
            connection.abandon()
            return
        task = asyncio.get_running_loop().create_task(connection.close())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _sweep_in(self, seconds: float) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        """Dismiss what has waited long enough, and come back when the next one will have."""
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        kept: dict[_Key, list[Connection]] = {}
        for key, connections in self._waiting.items():
            for connection in connections:
                if connection.takes_more(self.lifetime) and now - connection.last_used < self._idle:
                    kept.setdefault(key, []).append(connection)
                else:
                    self._dismiss(connection)
        self._waiting = kept
        if kept:
            oldest = min(connection.last_used for connections in kept.values() for connection in connections)
            self._sweep_in(max(oldest + self._idle - now, 0.01))
