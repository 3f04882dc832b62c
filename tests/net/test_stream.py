"""The stream of bytes: deadlines, flow in both directions, and its end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from mailer.io.loop import run_loop
from mailer.net.stream import ENOUGH, Stream
from tests.fakes import waiting
from tests.fakes.script import LoopbackServer

T = TypeVar("T")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer(LoopbackServer):
    """Does what the test says."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self.serve = talk  # type: ignore[method-assign]


def with_stream(talk: Talk, test: Callable[[Stream], Awaitable[T]]) -> T:
    """Run `test` with a stream to a peer that does `talk`."""

    async def run() -> T:
        async with Peer(talk) as peer:
            stream = await Stream.connect("127.0.0.1", peer.port, seconds=5)
            try:
                return await test(stream)
            finally:
                stream.abort()

    return waiting.run(run())


async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A peer that only listens."""
    while await reader.read(65536):
        pass


def test_the_deadline_holds() -> None:
    """A wait ends at its deadline, no matter how many earlier ones were moved on before it."""

    async def test(stream: Stream) -> float:
        for _ in range(100):
            stream.allow(0.05)
        stream.allow(0.15)
        start = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await stream.read()
        return asyncio.get_running_loop().time() - start

    assert with_stream(listen, test) == pytest.approx(0.15)


def test_a_shorter_deadline_counts() -> None:
    """A deadline that comes before the one that is set counts at once."""

    async def test(stream: Stream) -> None:
        stream.allow(60)
        stream.allow(0.05)
        with pytest.raises(TimeoutError):
            await stream.read()

    with_stream(listen, test)


def test_a_deadline_of_now_may_be_set_again() -> None:
    """In the daemon's own loop, whose timers that ring at once are of another kind."""

    async def run() -> None:
        async with Peer(listen) as peer:
            stream = await Stream.connect("127.0.0.1", peer.port, seconds=60)
            try:
                stream.allow(0)
                stream.allow(-1)
                with pytest.raises(TimeoutError):
                    await stream.read()
            finally:
                stream.abort()

    run_loop(run())


def test_a_deadline_that_passed_while_nobody_waited() -> None:
    """A deadline counts for a wait that begins after it, too."""

    async def test(stream: Stream) -> None:
        stream.allow(0.01)
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await stream.read()

    with_stream(listen, test)


def test_what_was_said_before_the_end_comes_first() -> None:
    """A peer that speaks and closes is heard to the end; only then is it gone."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    async def test(stream: Stream) -> bytes:
        stream.allow(5)
        while not stream.gone:
            await asyncio.sleep(0.01)
        heard = await stream.read()
        with pytest.raises(ConnectionError):
            await stream.read()
        with pytest.raises(ConnectionError):
            stream.write(b"x")
        return heard

    assert with_stream(talk, test) == b"bye"


def test_nobody_reads_a_flood() -> None:
    """A peer that sends without end is held back: memory stays bounded."""
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < 200_000_000:
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1_000_000

    async def test(stream: Stream) -> int:
        stream.allow(5)
        await asyncio.sleep(0.3)
        await stream.read()
        return max([len(await stream.read()) for _ in range(20)])  # once it is read, more comes

    assert with_stream(talk, test) <= ENOUGH, "nobody has to look at more at a time, for others wait meanwhile"
    assert sent < 200_000_000


def test_a_peer_that_does_not_read() -> None:
    """Writing to a peer that does not read fills the stream, and the wait for room ends at the deadline."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()
        await asyncio.sleep(0.4)

    async def test(stream: Stream) -> None:
        while not stream.full:
            stream.write(b"x" * 1_000_000)
            await asyncio.sleep(0)
        stream.allow(0.1)
        with pytest.raises(TimeoutError):
            await stream.drain()

    with_stream(talk, test)


def test_room_again() -> None:
    """When the peer reads on, writing goes on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.1)
        await listen(reader, writer)

    async def test(stream: Stream) -> None:
        stream.allow(5)
        while not stream.full:
            stream.write(b"x" * 1_000_000)
        await stream.drain()
        assert not stream.full

    with_stream(talk, test)


def test_a_word_ends_the_wait_for_room() -> None:
    """A peer that says something instead of reading is heard."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()
        await asyncio.sleep(0.1)
        writer.write(b"stop")
        await asyncio.sleep(0.4)

    async def test(stream: Stream) -> bytes:
        stream.allow(5)
        while not stream.full:
            stream.write(b"x" * 1_000_000)
        await stream.drain()
        assert stream.full
        return await stream.read()

    assert with_stream(talk, test) == b"stop"


def test_no_handshake_over_unread_bytes() -> None:
    """Bytes that came before the handshake are never read as if they had come after it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"250 injected\r\n")
        await listen(reader, writer)

    async def test(stream: Stream) -> None:
        while not stream.unread:
            await asyncio.sleep(0.01)
        with pytest.raises(ConnectionError, match="where the handshake begins"):
            await stream.start_tls(ssl.create_default_context(), "x", 5)
        assert stream.gone

    with_stream(talk, test)


def test_half_closed() -> None:
    """A peer that will say no more is gone, though it might still read: no mail can be answered by it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        await asyncio.sleep(0.3)

    async def test(stream: Stream) -> float:
        stream.allow(5)
        while not stream.full:  # an unsent rest must not keep the stream alive
            stream.write(b"x" * 1_000_000)
        start = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            await stream.read()
        return asyncio.get_running_loop().time() - start

    assert with_stream(talk, test) < 0.3


def test_messages_are_not_held_back() -> None:
    """Small writes leave at once (TCP_NODELAY): ten rounds of two writes take no time for delayed acknowledgements."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"ok\r\n")

    async def test(stream: Stream) -> float:
        stream.allow(5)
        start = asyncio.get_running_loop().time()
        for _ in range(10):
            stream.write(b"a")
            await asyncio.sleep(0)
            stream.write(b"b\r\n")
            await stream.read()
        return asyncio.get_running_loop().time() - start

    assert with_stream(talk, test) < 0.3  # with Nagle it is 10 times 40 ms
