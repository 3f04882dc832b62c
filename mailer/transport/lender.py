"""Sessions of a program with its one server: how many there may be, who waits for one, and which are kept warm.

On top of `pool`, which opens sessions, keeps them and lets them go. Here is what it leaves to its caller:

- At most `most` are lent. Who comes later waits in line, at most `patience` seconds. A session that comes back goes to the first in
  line, so nobody is overtaken, and a send that is cancelled while it waits loses its place and nobody else's.
- A session that has waited longer than `interval` seconds is asked with NOOP before it is used.
- `kept_open` sessions are, from the first send on: looked after once in each interval.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.limits.rate import RateExceeded
from mailer.mail.outcome import Cause, Hop
from mailer.net.happy_eyeballs import arranged
from mailer.smtp.reply import Reply

from .errors import NoSession, SessionError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.net.dialer import Dialer

    from .connection import Connection
    from .pool import Pool
    from .route import Endpoint

ADDRESSES_KEPT = 60.0  # seconds, so that a session from the pool costs no look-up


class Lender:
    """The sessions with one endpoint, in one event loop.

    `admit` is awaited before a new connection is made, and what it raises is raised.
    """

    def __init__(
        self,
        pool: Pool,
        endpoint: Endpoint,
        family: str,
        admit: Callable[[], Awaitable[None]],
        *,
        most: int,
        kept_open: int,
        patience: float,
        interval: float,
        checks: bool,
    ) -> None:
        """`family` says which addresses to call, one of `mailer.net.happy_eyeballs.FAMILIES`; without `checks` nobody is asked NOOP."""
        self.most = most
        self._pool = pool
        self._endpoint = endpoint
        self._names = HostAddresses(endpoint.host, endpoint.port, family, endpoint.dialer)
        self._admit = admit
        self._kept_open = kept_open
        self._patience = patience
        self._interval = interval
        self._checks = checks
        self.in_use = 0
        """How many are lent, or being opened."""
        self._line: deque[asyncio.Future[None]] = deque()
        self._opening: set[asyncio.Timeout] = set()
        self._lent: set[Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def idle(self) -> int:
        """How many sessions wait for a message."""
        return len(self._pool)

    @property
    def pending(self) -> int:
        """How many sends wait for a session."""
        return len(self._line)

    async def lend(self, *, check: bool = False) -> Connection:
        """A session that nobody else has, asked first if it lives where `check` says so; `give_back` takes it.

        Raises `SessionError`, `NoSession`, and what `admit` raises.
        """
        await self._turn()
        limit = asyncio.timeout(None)
        self._opening.add(limit)
        try:
            async with limit:
                connection = await self._session(0.0 if check else self._interval)
        except BaseException as error:
            self._next()
            if limit.expired() and isinstance(error, TimeoutError):  # a cancellation from outside stays one
                raise _shut_down() from None
            raise
        finally:
            self._opening.discard(limit)
        self._lent.add(connection)
        if self._keeper is None and self._kept_open and not self._closed:
            self._keeper = asyncio.create_task(self._keep())
        return connection

    def may_hold(self, connection: Connection) -> bool:
        """Whether who has this session may keep it for the next message: nobody waits for it, and it is not too old."""
        return not self._closed and not self._line and connection.age < self._pool.lifetime

    def give_back(self, connection: Connection) -> None:
        """Take a session back, for the next in line, or to wait."""
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
        if self.in_use < self.most:
            self.in_use += 1
            self._empty.clear()
            return
        if not self._patience:
            raise NoSession("busy", f"all {self.most} connections are busy")
        await self._wait_in_line()

    async def _wait_in_line(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            async with asyncio.timeout(self._patience):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._next()  # the turn came in the same moment in which we gave up
            if isinstance(error, TimeoutError):
                raise NoSession("late", f"all {self.most} connections were busy for {self._patience:g} s") from None
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
        self.in_use -= 1
        if not self.in_use:
            self._empty.set()

    # -- sessions

    async def _session(self, patience: float) -> Connection:
        """A session that answers: one that has waited for `patience` seconds is asked."""
        while True:
            if not len(self._pool):
                await self._admit()
            connection = await self._open()
            waited = asyncio.get_running_loop().time() - connection.last_used
            if waited < patience or (patience and not self._checks):
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
            return await self._pool.lend(self._endpoint, await self._names.find())
        except SessionError:
            self._names.forget()
            raise

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self._look_after()
            except (SessionError, NoSession, RateExceeded):
                pass  # it is the next send's to tell; we look again

    async def _look_after(self) -> None:
        """Have `kept_open` sessions answer, or make new ones. Half the interval, so that none goes unasked for two."""
        held: list[Connection] = []
        try:
            while len(held) < self._kept_open and self.in_use < self.most:
                self.in_use += 1
                self._empty.clear()
                try:
                    held.append(await self._session(self._interval / 2))
                except BaseException:
                    self._next()
                    raise
        finally:
            for connection in held:
                self.give_back(connection)


def _shut_down() -> NoSession:
    return NoSession("closed", "the client was shut down")


class HostAddresses:
    """The addresses of one host, as this machine's own resolver knows them, remembered for `ADDRESSES_KEPT` seconds.

    `getaddrinfo`, not the DNS alone: a program's server may be named in /etc/hosts, by a container runtime, or in the search
    domain of a cluster.
    """

    def __init__(self, host: str, port: int, family: str = "any", dialer: Dialer | None = None) -> None:
        """Where a `dialer` makes the connection, its name stands for all of them, and nobody is asked."""
        self._dialled = [dialer.name] if dialer is not None else []
        self._host = host.strip("[]")
        self._port = port
        self._family = family
        self._known: list[str] = []
        self._until = 0.0

    async def find(self) -> list[str]:
        """The addresses, in the order to try them (RFC 6724). Raises `SessionError`, of the phase ``dns``."""
        if self._dialled:
            return self._dialled
        loop = asyncio.get_running_loop()
        if not self._known or loop.time() >= self._until:
            self._known = _literal(self._host) or self._ours(await self._look_up())
            self._until = loop.time() + ADDRESSES_KEPT
        return self._known

    def forget(self) -> None:
        """Ask again next time: what is known did not help."""
        self._known = []

    def _ours(self, addresses: list[str]) -> list[str]:
        """Those that may be called; a literal is what its user wants."""
        if found := arranged(addresses, self._family):
            return found
        text = f"{self._host} has no IPv{self._family[-1]} address, and no other may be called (family={self._family!r})"
        raise self._nowhere(text, for_now=False)

    async def _look_up(self) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            for_now = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            reason = error.strerror if isinstance(error, OSError) else "it is no name"
            raise self._nowhere(f"{self._host} has no address: {reason}", for_now=for_now) from error
        return list(dict.fromkeys(str(place[0]) for *_, place in found))

    def _nowhere(self, text: str, *, for_now: bool) -> SessionError:
        """There is nobody to call."""
        reply = Reply.own(451, "4.4.3", text, Cause.DNS) if for_now else Reply.own(550, "5.1.2", text, Cause.NO_ADDRESS)
        return SessionError("refused", "dns", reply, Hop(self._host))


def _literal(host: str) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
