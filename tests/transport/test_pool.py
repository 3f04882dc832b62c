"""Sessions that wait for the next message."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mailer.mail.outcome import Cause
from mailer.mail.problem import Problem
from mailer.tlspolicy import MX, Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.fakes import waiting
from tests.fakes.friendly import Friendly

NONE = Requirement("none")
TIMEOUTS = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
HERE = ["127.0.0.1"]


def with_pool(test: Callable[[Pool, Friendly, Endpoint], Awaitable[None]], server: Friendly | None = None, **options: Any) -> Friendly:
    """Run `test` with a pool and a server; all is closed at the end."""

    async def run() -> Friendly:
        async with server or Friendly() as running:
            pool = Pool(TIMEOUTS, **options)
            await test(pool, running, Endpoint("mx.example.com", running.port, NONE))
            await pool.close_all()
            return running

    return waiting.run(run())


async def use(pool: Pool, endpoint: Endpoint) -> Connection:
    """Lend a session, send a message, give the session back."""
    connection = await pool.lend(endpoint, HERE)
    (answer,) = await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], CONTENT))
    assert answer.kind in ("reply", "lost", "protocol")
    pool.give_back(connection)
    return connection


def test_reuse() -> None:
    """One session carries message after message, and takes its leave in the end."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        first = await use(pool, endpoint)
        assert len(pool) == 1
        assert await use(pool, endpoint) is first
        assert await use(pool, endpoint) is first
        assert first.deliveries == 3

    server = with_pool(test)
    assert server.sessions == 1
    assert server.said.count(b"QUIT") == 1


def test_nobody_shares_what_is_lent() -> None:
    """What is lent belongs to one; another gets a session of their own."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        first = await pool.lend(endpoint, HERE)
        second = await pool.lend(endpoint, HERE)
        assert first is not second
        pool.give_back(first)
        pool.give_back(second)
        assert await pool.lend(endpoint, HERE) is second  # what came back last goes first, the other may grow old
        pool.give_back(second)

    assert with_pool(test).sessions == 2


@pytest.mark.parametrize(
    "difference",
    [
        {"host": "mx2.example.com"},
        {"requirement": MX},
        {"hello": "other.example.org"},
        {"source": "127.0.0.9"},
        {"login": Login("me", str, allow_plain=True)},
    ],
)
def test_only_equals_share(difference: dict[str, object]) -> None:
    """Sessions whose terms differ in anything are not interchangeable."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        await use(pool, endpoint)
        other = replace(endpoint, **difference)  # type: ignore[arg-type]
        try:
            await use(pool, other)
        except SessionError as error:
            assert error.kind == "auth"  # noqa: PT017 - the server offers no AUTH

    assert with_pool(test).sessions == 2


@pytest.mark.parametrize("reply", [b"421 4.3.2 bye\r\n", None, b"250 ok\r\n250 twice\r\n", b"nonsense\r\n"])
def test_bad_ends_are_not_kept(reply: bytes | None) -> None:
    """After 421, a hang-up, a reply too many or nonsense, the next message gets a new session."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        await use(pool, endpoint)
        assert len(pool) == 0
        server.replies[b"."] = b"250 ok\r\n"
        await use(pool, endpoint)
        assert len(pool) == 1

    assert with_pool(test, Friendly({b".": reply})).sessions == 2


@pytest.mark.parametrize("last", [b"421 4.4.2 idle\r\n", b"?", b""])
def test_sessions_that_go_bad_while_they_wait(last: bytes) -> None:
    """A session that was hung up, or was spoken in, while it waited is not lent."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        first = await use(pool, endpoint)
        server.writers[0].write(last)
        if not last:
            server.writers[0].close()
        await asyncio.sleep(0.05)
        assert await use(pool, endpoint) is not first

    assert with_pool(test).sessions == 2


def test_refused_messages_do_not_end_a_session() -> None:
    """A server that refuses a message is a good server still."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        assert await use(pool, endpoint) is await use(pool, endpoint)

    server = with_pool(test, Friendly({b"MAIL": b"550 5.7.1 no\r\n", b"RCPT": b"503 x\r\n", b"DATA": b"503 x\r\n"}))
    assert server.sessions == 1


def test_lifetime() -> None:
    """A session is given up by its age, whatever the number of its messages."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        first = await use(pool, endpoint)
        assert await use(pool, endpoint) is first
        await asyncio.sleep(0.15)
        assert await use(pool, endpoint) is not first

    server = with_pool(test, lifetime=0.1)
    assert server.said.count(b"QUIT") == 2


def test_idle() -> None:
    """A session that nobody needs takes its leave by itself."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        await use(pool, endpoint)
        while len(pool):
            await asyncio.sleep(0.01)
        while b"QUIT" not in server.said:
            await asyncio.sleep(0.01)

    with_pool(test, idle=0.05)


def test_no_more_wait_than_there_is_room_for() -> None:
    """The one that has waited longest takes its leave: each is a descriptor, and there may be ten thousand domains."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        lent = [await pool.lend(endpoint, HERE) for _ in range(5)]
        for connection in lent:
            pool.give_back(connection)
        assert len(pool) == 2
        last = await pool.lend(endpoint, HERE)
        assert last is lent[-1]
        pool.give_back(last)
        while b"QUIT" not in server.said:
            await asyncio.sleep(0.01)

    with_pool(test, most=4)


def test_a_process_without_descriptors_blames_no_address() -> None:
    """EMFILE is our own trouble: the error says so, no address counts as dead, and sessions that wait make room."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        pool.give_back(await pool.lend(endpoint, HERE))
        with no_descriptors(), pytest.raises(SessionError) as caught:
            await pool.lend(replace(endpoint, host="other.example.com"), ["127.0.0.1", "127.0.0.2"])
        assert (caught.value.kind, caught.value.phase, caught.value.reply.code) == ("short", "connect", 451)
        assert "Too many open files" in str(caught.value.reply)
        assert not pool.dead
        assert len(pool) == 0

    with_pool(test)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Not one more can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_next_address() -> None:
    """When one address of a host does not answer, the next one is called."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        connection = await pool.lend(endpoint, ["127.0.0.200", "127.0.0.1"])
        assert connection.hop.ip == "127.0.0.1"
        pool.give_back(connection)
        assert await pool.lend(endpoint, ["127.0.0.200", "127.0.0.1"]) is connection  # which answers, is known now
        pool.give_back(connection)

    with_pool(test)


def test_no_address_answers() -> None:
    """When no address answers, the last one's error is raised."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        with pytest.raises(SessionError) as caught:
            await pool.lend(endpoint, ["127.0.0.200", "127.0.0.201"])
        assert caught.value.hop.ip == "127.0.0.201"

    with_pool(test)


@pytest.mark.parametrize(
    ("replies", "requirement", "phase"),
    [
        ({b"": b"421 not now\r\n"}, Requirement("none"), "greeting"),
        ({b"EHLO": b"250-x\r\n250 STARTTLS\r\n", b"STARTTLS": b"454 4.3.0 no\r\n"}, Requirement("starttls"), "starttls"),
        ({}, Requirement("implicit"), "starttls"),
    ],
    ids=["greeting", "STARTTLS", "no TLS there"],
)
@pytest.mark.parametrize("addresses", [["127.0.0.1", "127.0.0.200"], ["127.0.0.200", "127.0.0.1"]])
def test_the_furthest_address_is_told(replies: dict[bytes, bytes], requirement: Requirement, phase: str, addresses: list[str]) -> None:
    """What was met where a host answered does not hide behind an address where none does, whichever was tried last."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        with pytest.raises(SessionError) as caught:
            await pool.lend(replace(endpoint, requirement=requirement), addresses)
        assert (caught.value.phase, caught.value.hop.ip) == (phase, "127.0.0.1")
        assert caught.value.besides == "127.0.0.200: no connection: Connection refused"

    with_pool(test, Friendly(replies))


def test_a_secret_that_cannot_be_had_is_asked_for_once() -> None:
    """It is our trouble: no other address is called for it, and none counts as dead."""
    asked: list[int] = []

    def secret() -> str:
        asked.append(1)
        raise Problem("the password command pass took longer than 30 seconds", "try-again")

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        with pytest.raises(SessionError) as caught:
            await pool.lend(replace(endpoint, login=Login("me", secret)), ["127.0.0.1", "127.0.0.2"])
        assert (caught.value.kind, caught.value.reply.cause) == ("ours", Cause.CREDENTIAL)
        assert asked == [1]
        assert not pool.dead

    with_pool(test)


def test_a_wrong_password_is_tried_once() -> None:
    """A refused password is not tried at the host's other addresses: it could lock us out."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        with pytest.raises(SessionError) as caught:
            await pool.lend(replace(endpoint, login=Login("me", lambda: "x", allow_plain=True)), ["127.0.0.1", "127.0.0.1"])
        assert caught.value.kind == "auth"

    server = Friendly({b"EHLO": b"250-x\r\n250 AUTH PLAIN\r\n", b"AUTH": b"535 5.7.8 no\r\n"})
    assert with_pool(test, server).sessions == 1


def test_closing_waits_for_nobody() -> None:
    """A shutdown is not held up by servers that do not answer QUIT; what comes back later is closed too."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        lent = await pool.lend(endpoint, HERE)
        await use(pool, endpoint)
        start = asyncio.get_running_loop().time()
        await pool.close_all()
        assert asyncio.get_running_loop().time() - start < 3
        pool.give_back(lent)
        assert len(pool) == 0
        await pool.close_all()
        assert not lent.usable

    with_pool(test, Friendly({b"QUIT": b""}))


def test_no_more_messages_than_the_host_takes() -> None:
    """A host that says how many messages it takes in a session is asked for no more: the next one has a new session."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        first = await use(pool, endpoint)
        assert await use(pool, endpoint) is first
        assert not first.takes_more(300.0)
        assert not len(pool)
        assert await use(pool, endpoint) is not first

    server = with_pool(test, Friendly({b"EHLO": b"250-mx.example.com\r\n250 LIMITS MAILMAX=2\r\n"}))
    assert server.sessions == 2
    assert server.said.count(b"QUIT") == 2


class Deaf:
    """An address that does not answer: its queue of connections is full."""

    def __init__(self, port: int, address: str = "127.0.0.7") -> None:
        self.address = address
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listening.bind((address, port))
        self._listening.listen(0)
        self._callers = [socket.socket() for _ in range(2)]
        for caller in self._callers:
            caller.setblocking(False)
            caller.connect_ex((address, port))

    def close(self) -> None:
        for one in (*self._callers, self._listening):
            one.close()


def test_an_address_that_does_not_answer() -> None:
    """An address that keeps us waiting holds nobody up while there is another; the next time it is tried last."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        deaf = Deaf(endpoint.port)
        loop = asyncio.get_running_loop()
        try:
            began = loop.time()
            first = await pool.lend(endpoint, [deaf.address, *HERE])
            assert first.address == HERE[0]
            assert loop.time() - began < TIMEOUTS.connect
            await first.close()
        finally:
            deaf.close()

    assert with_pool(test).sessions == 1


def test_an_address_that_refuses_comes_last() -> None:
    """An address that was not reached is put behind the others for a while, and forgiven when it answers."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        for _ in range(2):
            connection = await pool.lend(endpoint, ["127.0.0.8", *HERE])  # nobody listens there
            assert connection.address == HERE[0]
            connection.abandon()
        with pytest.raises(SessionError) as caught:
            await pool.lend(endpoint, ["127.0.0.8"])
        assert caught.value.hop.ip == "127.0.0.8"

    with_pool(test)


def test_a_source_for_each_family() -> None:
    """We call from our address of the host's family, and from none of the other."""

    async def test(pool: Pool, server: Friendly, endpoint: Endpoint) -> None:
        own = replace(endpoint, source="2001:db8::9", source6="127.0.0.9")
        connection = await pool.lend(own, HERE)
        assert server.writers[0].get_extra_info("peername")[0] == "127.0.0.9"
        pool.give_back(connection)

    with_pool(test)
