"""Streams of the accept loop: TLS from the first byte or later, and that neither end runs ahead of the other."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from mailer.net.peer import Peer
from mailer.net.stream import ENOUGH, Stream
from tests.net.accepting import Loop, heard, with_loop
from tests.net.conftest import NAME, Certificates

# -- TLS


@pytest.fixture
def ours(certificates: Certificates) -> ssl.SSLContext:
    return certificates.good


@pytest.fixture
def theirs(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates.ca_file)


def test_tls_from_the_first_byte(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
    """The server is called when the handshake is made."""

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(10)
        stream.write(stream.tls_version.encode() + b" " + await stream.read())

    async def test(loop: Loop) -> None:
        reader, writer = await loop.call(ssl=theirs, server_hostname=NAME)
        writer.write(b"hello")
        assert await reader.read() == b"TLSv1.3 hello"

    with_loop(test, serve, context=ours)


def test_tls_later(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
    """What was said in the clear and not read is not heard over TLS."""

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(10)
        await stream.read()
        stream.write(b"go\n")
        await stream.rest(1)  # for the smuggled words
        await stream.answer_tls(ours, 10)
        stream.write(await stream.read())

    async def test(loop: Loop) -> None:
        reader, writer = await loop.call()
        writer.write(b"STARTTLS\n")
        assert await reader.read(3) == b"go\n"
        writer.write(b"smuggled")
        await asyncio.sleep(2)
        await writer.start_tls(theirs, server_hostname=NAME)
        writer.write(b"hello")
        assert await reader.read() == b"hello"

    with_loop(test, serve)


def test_a_handshake_has_its_time(ours: ssl.SSLContext) -> None:
    """Who does not begin it, or speaks something else, is gone afterwards, and that is no bug."""
    bugs: list[Exception] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        await stream.answer_tls(ours, 5)

    async def test(loop: Loop) -> None:
        silent, _ = await loop.call()
        foreign, writer = await loop.call()
        writer.write(b"EHLO x\r\n")
        for reader in (foreign, silent):
            await heard(reader)
        assert bugs == []

    with_loop(test, serve, bug=bugs.append)


# -- back-pressure


def test_a_client_is_read_no_further_than_its_server_is() -> None:
    """While the server does something else, what piles up is bounded, and it is all there afterwards."""
    size = 8_000_000
    said = bytearray()
    go = asyncio.Event()

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(1e4)
        said.extend(await stream.read())
        await go.wait()
        assert len(stream._data) < ENOUGH + (1 << 18)
        while len(said) < size:
            said.extend(await stream.read())
        stream.write(b"done")

    async def test(loop: Loop) -> None:
        reader, writer = await loop.call()
        writer.write(b"x" * size)
        await asyncio.sleep(5)
        assert writer.transport.get_write_buffer_size() > 0
        go.set()
        assert await reader.read() == b"done"
        assert len(said) == size

    with_loop(test, serve)


def test_who_does_not_read_his_answers_is_waited_for_and_not_for_ever() -> None:
    """`flush` holds the server back whatever the client says meanwhile; then its deadline counts."""
    made: list[int] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        stream.allow(10)
        for at in range(1000):
            made.append(at)
            stream.write(b"x" * 100_000)
            await stream.flush()

    async def test(loop: Loop) -> None:
        _, writer = await loop.call(limit=1000)
        for _ in range(20):
            writer.write(b"more\n")
            await asyncio.sleep(1)
        assert 0 < len(made) < 900
        assert not loop.accepting._tasks

    with_loop(test, serve)


def test_a_server_that_rests_sees_its_client_leave() -> None:
    """It need not wait for words to learn that none will come."""
    rested: list[float] = []

    async def serve(stream: Stream, _peer: Peer) -> None:
        begun = asyncio.get_running_loop().time()
        await stream.rest(3)
        try:
            await stream.rest(float("inf"))
        finally:
            rested.append(asyncio.get_running_loop().time() - begun)

    async def test(loop: Loop) -> None:
        _, writer = await loop.call()
        await asyncio.sleep(5)
        writer.close()
        while not rested:
            await asyncio.sleep(0.1)
        assert 3 <= rested[0] < 7

    with_loop(test, serve)
