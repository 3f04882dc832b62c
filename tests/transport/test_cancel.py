"""A task that is cancelled, wherever it waits, leaves nothing behind; and ten thousand sessions leave nothing either."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import ssl
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from mailer.sink.server import Sink
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Login, Timeouts

QUICK = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)
NAME = "mx.example.com"
SMALL = b"Subject: small\r\n\r\nhello\r\n"
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * 20000  # more than the sockets hold
NEXT = b"Subject: next\r\n\r\nhello again\r\n"


class CancelledAt:
    """Awaits something, and cancels the task in its nth wait. `waits` counts them."""

    def __init__(self, awaited: Awaitable[object], number: int) -> None:
        self._awaited = awaited
        self._number = number
        self.waits = 0

    def __await__(self) -> Generator[object, None, None]:
        steps = self._awaited.__await__()
        task = asyncio.current_task()
        assert task is not None
        sent: BaseException | None = None
        while True:
            try:
                future = steps.throw(sent) if sent else next(steps)
            except StopIteration:
                return
            self.waits += 1
            if self.waits == self._number:
                asyncio.get_running_loop().call_soon(task.cancel)
            sent = None
            try:
                yield future
            except BaseException as error:
                sent = error


@dataclass
class Scene:
    """What is done with a sink, and how to get there."""

    sink: Sink
    endpoint: Endpoint
    addresses: list[str]

    async def send(self, pool: Pool, content: bytes, to: str = "bob@example.com") -> None:
        """A session of the pool, one message, and back."""
        connection = await pool.lend(self.endpoint, self.addresses)
        try:
            (answer,) = await connection.deliver(Parcel("me@example.org", [to], content))
            assert answer.reply.code == 250, answer
        finally:
            pool.give_back(connection)

    async def cancelled(self, number: int, content: bytes, *, reused: bool) -> bool:
        """Cancel the sending of a message in its nth wait, then send another; whether there were so many waits."""
        pool = Pool(QUICK)
        if reused:
            await self.send(pool, SMALL)
        attempt = CancelledAt(self.send(pool, content), number)
        task = asyncio.create_task(_run(attempt))
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert result is None or isinstance(result, asyncio.CancelledError), result
        assert result is None or not len(pool)  # what was within a transaction is not kept, even before its replies come
        self.sink.messages.clear()
        await self.send(pool, NEXT, "carol@example.net")
        assert self.sink.messages[-1].content == NEXT
        assert self.sink.messages[-1].recipients == ("carol@example.net",)  # and nobody of the message before
        await pool.close_all()
        while self.sink.sessions:
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return attempt.waits >= number


async def _run(awaited: CancelledAt) -> None:
    await awaited


def at_every_wait(scene: Callable[[], Scene], content: bytes, *, reused: bool) -> int:
    """Cancel in the first wait, in the second, and so on, until there are no more; how many there were."""

    async def run() -> int:
        made = scene()
        async with made.sink:
            made.endpoint = Endpoint(NAME, made.sink.port, made.endpoint.requirement, made.endpoint.login)
            number = 1
            while await made.cancelled(number, content, reused=reused):
                number += 1
            return number - 1

    return asyncio.run(run())


@pytest.mark.slow
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_cancelled_at_every_wait(content: bytes, reused: bool) -> None:
    """Wherever the sending is cancelled, the next message goes through whole, and no connection, task or half transaction is left."""
    waits = at_every_wait(lambda: Scene(Sink(), Endpoint(NAME, 0, Requirement("none")), ["127.0.0.1"]), content, reused=reused)
    assert waits >= (2 if reused else 4)


def test_cancelled_at_every_wait_with_several_addresses() -> None:
    """So it is while addresses are raced."""
    scene = Scene(Sink(), Endpoint(NAME, 0, Requirement("none")), ["127.0.0.8", "127.0.0.1"])
    assert at_every_wait(lambda: scene, SMALL, reused=False) >= 4


@pytest.mark.slow
def test_cancelled_at_every_wait_with_tls_and_login(tmp_path: Path) -> None:
    """So it is within the handshake and the login."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    requirement = Requirement("starttls", ca_file=str(tmp_path / "ca.pem"))
    login = Login("me", lambda: "secret")
    sink = Sink(tls=context, users={"me": "secret"}, mechanisms=["CRAM-MD5"])
    assert at_every_wait(lambda: Scene(sink, Endpoint(NAME, 0, requirement, login), ["127.0.0.1"]), SMALL, reused=False) >= 8


class Tiny(asyncio.Protocol):
    """As little of a server as a session needs."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        server_side.add(self)
        transport.write(b"220 x\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"QUIT"):
            self.transport.write(b"221 x\r\n")  # type: ignore[attr-defined]
            self.transport.close()
        else:
            self.transport.write(b"250 x\r\n")  # type: ignore[attr-defined]

    def connection_lost(self, error: Exception | None) -> None:
        server_side.discard(self)


server_side: set[Tiny] = set()
CYCLES = 10_000
AT_ONCE = 20


@pytest.mark.slow
def test_ten_thousand_sessions_leave_nothing() -> None:
    """Opening and closing ten thousand sessions leaves no descriptor, no task and no memory behind."""

    async def cycles(endpoint: Endpoint, count: int) -> None:
        for _ in range(count):
            connection = await Connection.open(endpoint, "127.0.0.1", QUICK)
            await connection.close()

    async def all_cycles(endpoint: Endpoint, count: int) -> tuple[int, int]:
        await asyncio.gather(*(cycles(endpoint, count // AT_ONCE) for _ in range(AT_ONCE)))
        while asyncio.all_tasks() != {asyncio.current_task()} or server_side:
            await asyncio.sleep(0.01)
        gc.collect()
        return len(os.listdir("/proc/self/fd")), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Tiny, "127.0.0.1", 0)
        endpoint = Endpoint(NAME, server.sockets[0].getsockname()[1], Requirement("none"))
        descriptors, memory = await all_cycles(endpoint, 1000)
        descriptors_then, memory_then = await all_cycles(endpoint, CYCLES - 1000)
        assert descriptors_then == descriptors
        assert memory_then - memory < 4096  # KiB; a single kept session would be 9000 times its size
        server.close()
        await server.wait_closed()

    asyncio.run(run())
