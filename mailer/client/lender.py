"""Sessions for sends: how many there may be, who waits for one, and which are kept warm.

On top of `mailer.transport.pool`, which opens sessions, keeps them and lets them go. Here is what it leaves to its caller:

- At most ``max_connections`` are lent. Who comes later waits in line, at most ``acquire_timeout`` seconds. A session that
  comes back goes to the first in line, so nobody is overtaken, and a send that is cancelled while it waits loses its place
  and nobody else's.
- A session that has waited longer than ``health_check_interval`` is asked with NOOP before it is used.
- ``min_idle`` sessions are kept open, from the first send on: looked after once in each interval.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from mailer.transport.connection import SessionError

from .errors import ErrorKind, SmtpError
from .results import PoolStatus
from .translate import from_session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.transport.connection import Connection, Endpoint
    from mailer.transport.pool import Pool

    from .names import Names
    from .settings import PoolSettings


class Lender:
    """For one endpoint and one event loop. `admit` is awaited before a new connection is made and may raise `SmtpError`."""

    def __init__(self, pool: Pool, endpoint: Endpoint, names: Names, settings: PoolSettings, admit: Callable[[], Awaitable[None]]) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._names = names
        self._settings = settings
        self._admit = admit
        self._in_use = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._opening: set[asyncio.Timeout] = set()
        self._lent: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None

    def status(self) -> PoolStatus:
        """What there is at this moment."""
        return PoolStatus(len(self._pool), self._in_use, len(self._line), self._settings.max_connections)

    async def lend(self, *, check: bool = False) -> Connection:
        """A session that nobody else has, asked first if it lives where `check` says so; `give_back` takes it. Raises `SmtpError`."""
        await self._turn()
        limit = asyncio.timeout(None)
        self._opening.add(limit)
        try:
            async with limit:
                connection = await self._session(0.0 if check else self._settings.health_check_interval)
        except BaseException as error:
            self._next()
            if limit.expired() and isinstance(error, TimeoutError):  # a cancellation from outside stays one
                raise _shut_down() from None
            raise
        finally:
            self._opening.discard(limit)
        self._lent.add(connection)
        if self._keeper is None and self._settings.min_idle and not self._closed:
            self._keeper = asyncio.create_task(self._keep())
        return connection

    def may_hold(self, connection: Connection) -> bool:
        """Whether who has this session may keep it for the next message: nobody waits for it, and it is not too old."""
        return not self._closed and not self._line and connection.age < self._settings.max_lifetime

    def give_back(self, connection: Connection) -> None:
        """Give the connection to the next in line, or keep it."""
        self._lent.discard(connection)
        self._pool.give_back(connection)
        self._next()

    async def close(self, grace: float | None) -> None:
        """Turn away who waits in line, wait for what is lent (`grace` seconds at most, then it is abandoned), and take leave."""
        self._closed = True
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        for waiter in self._line:
            if not waiter.done():
                waiter.set_exception(_shut_down())
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            for connection in self._lent:
                connection.abandon()
            for limit in self._opening:
                limit.reschedule(asyncio.get_running_loop().time())
            await self._empty.wait()
        await self._pool.close_all()

    # -- turns

    async def _turn(self) -> None:
        """Wait until one more may be lent, and count it."""
        if self._closed:
            raise _shut_down()
        if self._in_use < self._settings.max_connections:
            self._in_use += 1
            self._empty.clear()
            return
        if not self._settings.acquire_timeout:
            raise SmtpError(
                ErrorKind.POOL_EXHAUSTED, f"all {self._settings.max_connections} connections are busy", host=self._endpoint.host
            )
        await self._wait_in_line()

    async def _wait_in_line(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            async with asyncio.timeout(self._settings.acquire_timeout):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._next()  # the turn came in the same moment in which we gave up
            if isinstance(error, TimeoutError):
                seconds, most = self._settings.acquire_timeout, self._settings.max_connections
                text = f"all {most} connections were busy for {seconds:g} s"
                raise SmtpError(ErrorKind.ACQUIRE_TIMEOUT, text, host=self._endpoint.host) from None
            raise
        finally:
            if waiter in self._line:
                self._line.remove(waiter)

    def _next(self) -> None:
        """One less is lent, or the first in line has its turn."""
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._in_use -= 1
        if not self._in_use:
            self._empty.set()

    # -- sessions

    async def _session(self, patience: float) -> Connection:
        """A session that answers: one that has waited for `patience` seconds is asked. Raises `SmtpError`."""
        while True:
            if not len(self._pool):
                await self._admit()
            connection = await self._open()
            waited = asyncio.get_running_loop().time() - connection.last_used
            if waited < patience or (patience and not self._settings.health_check):
                return connection
            try:
                if await connection.check():
                    return connection
            except BaseException:
                self._pool.give_back(connection)
                raise
            self._pool.give_back(connection)

    async def _open(self) -> Connection:
        try:
            return await self._pool.lend(self._endpoint, await self._names.addresses())
        except SessionError as error:
            self._names.forget()
            raise from_session(error) from error

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._settings.health_check_interval)
            try:
                await self._look_after()
            except SmtpError:
                pass  # it is the next send's to tell; we look again

    async def _look_after(self) -> None:
        """Have ``min_idle`` sessions answer, or make new ones. Half the interval, so that none goes unasked for two."""
        held: list[Connection] = []
        try:
            while len(held) < self._settings.min_idle and self._in_use < self._settings.max_connections:
                self._in_use += 1
                self._empty.clear()
                try:
                    held.append(await self._session(self._settings.health_check_interval / 2))
                except BaseException:
                    self._next()
                    raise
        finally:
            for connection in held:
                self.give_back(connection)


def _shut_down() -> SmtpError:
    return SmtpError(ErrorKind.CANCELLED, "the client was shut down")
