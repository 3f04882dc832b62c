"""Callers of whom a proxy tells, and what one network may have."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer.limits.callers import Callers
from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, streams
from mailer.net.stream import Stream
from tests.fakes import waiting
from tests.net.accepting import HOST, Loop, Streams, heard, looping
from tests.net.conftest import NAME, Certificates

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.2 54321 25\r\n"
BLOCK = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes((192, 0, 2, 7, 198, 51, 100, 2)) + b"\xd4\x31\x00\x19"


async def tell_who_calls(stream: Stream, peer: Peer) -> None:
    """A server that says whom it serves, and repeats what he says."""
    stream.allow(1e6)
    stream.write(f"{peer.host} {peer.port} {peer.by}\n".encode())
    while True:
        stream.write(await stream.read())


def behind_proxies(test: Callable[[Loop], Awaitable[None]], listed: str = HOST, **options: Any) -> None:
    """Run `test` with a loop to which the address `listed` is that of a proxy."""

    async def run() -> None:
        async with asyncio.timeout(1e5), looping(streams(tell_who_calls), **options) as loop:
            sockets = await tcp_sockets(HOST, 0)
            loop.accepting.listen(*sockets, proxies=lambda peer: peer.host == listed)
            loop.port = sockets[0].getsockname()[1]
            await test(loop)

    waiting.run(run())


async def say(loop: Loop, *pieces: bytes, **options: Any) -> Streams:
    """A caller who says the `pieces`, one after the other."""
    reader, writer = await loop.call(**options)
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.1)
    return reader, writer


@pytest.mark.parametrize("header", [LINE, BLOCK])
def test_the_caller_of_a_proxy_is_the_peer(header: bytes) -> None:
    """Whatever the pieces are in which it comes, and what follows the header is the client's."""

    async def test(loop: Loop) -> None:
        for pieces in (
            [header + b"hello"],
            [header[at : at + 1] for at in range(len(header))] + [b"hello"],
            [header[:20], header[20:], b"hello"],
        ):
            reader, _ = await say(loop, *pieces)
            assert await reader.readline() == b"192.0.2.7 54321 127.0.0.1\n"
            assert await reader.readexactly(5) == b"hello"

    behind_proxies(test)


def test_a_proxy_may_call_itself() -> None:
    """One that asks whether we are there is served as itself."""

    async def test(loop: Loop) -> None:
        reader, writer = await say(loop, b"PROXY UNKNOWN\r\n")
        assert await reader.readline() == b"127.0.0.1 %d \n" % writer.get_extra_info("sockname")[1]

    behind_proxies(test)


@pytest.mark.parametrize("said", [b"EHLO me.example.com\r\n", LINE.replace(b"TCP4", b"TCP6"), b"PROXY " + b"x" * 200, b"", LINE[:20]])
def test_a_proxy_that_does_not_say_who_calls_is_hung_up_on(said: bytes) -> None:
    """Without a word, and in a few seconds, also where it says nothing, or never ends."""

    async def test(loop: Loop) -> None:
        reader, _ = await say(loop, said)
        assert await heard(reader) == b""
        assert asyncio.get_running_loop().time() < 6

    behind_proxies(test)


def test_nobody_else_is_believed() -> None:
    """What one who is not listed says is for the server, and he is who he is."""

    async def test(loop: Loop) -> None:
        reader, writer = await say(loop, LINE)
        assert await reader.readline() == b"127.0.0.1 %d \n" % writer.get_extra_info("sockname")[1]
        assert await reader.readline() == LINE

    behind_proxies(test, listed="127.0.0.9")


def test_limits_are_those_of_the_caller() -> None:
    """One client has no more by way of a proxy than on his own; the proxy has no share, and others come in by it."""

    async def test(loop: Loop) -> None:
        first, _ = await say(loop, LINE)
        assert await first.readline() == b"192.0.2.7 54321 127.0.0.1\n"
        second, _ = await say(loop, LINE)
        assert await heard(second) == b"421 too many\r\n"
        other, _ = await say(loop, LINE.replace(b"192.0.2.7", b"192.0.2.8"))
        assert (await other.readline()).startswith(b"192.0.2.8")

    behind_proxies(test, refusal=b"421 too many\r\n", callers=Callers(each=1))
    behind_proxies(test, refusal=b"421 too many\r\n", each=1)


def test_places_are_for_those_whom_proxies_have_not_named_yet_too() -> None:
    """However many a proxy brings, no more than all places are taken."""

    async def test(loop: Loop) -> None:
        named, _ = await say(loop, LINE)
        assert await named.readline()
        await say(loop, LINE[:10])
        late, _ = await say(loop, LINE)
        assert await heard(late) == b"421 too many\r\n"

    behind_proxies(test, refusal=b"421 too many\r\n", most=2)


def test_a_loop_that_closes_waits_for_no_proxy() -> None:
    """One that has not said who calls is let go."""

    async def test(loop: Loop) -> None:
        reader, _ = await say(loop, LINE[:10])
        await loop.accepting.close()
        assert await heard(reader) == b""

    behind_proxies(test)


def test_a_network_has_its_share_of_the_connections() -> None:
    """One more is told so, others are served, and who leaves makes room."""

    async def test(loop: Loop) -> None:
        first, writer = await loop.call()
        assert (await first.readline()).startswith(b"127.0.0.1")
        assert await (await loop.call())[0].readline() == b"421 too many\r\n"
        other, _ = await loop.call(local_addr=("127.0.1.2", 0))
        assert (await other.readline()).startswith(b"127.0.1.2")
        writer.close()
        while not (await (await loop.call())[0].readline()).startswith(b"127.0.0.1"):
            await asyncio.sleep(1)

    behind_proxies(test, listed="", refusal=b"421 too many\r\n", callers=Callers(each=1, rate=(0, 1.0), wide_rate=(0, 1.0)))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_tls_begins_behind_the_header(certificates: Certificates, loop: str) -> None:
    """A proxy that does not open TLS says who calls, and then the client's handshake follows, with both event loops."""

    async def run() -> None:
        context = ssl.create_default_context(cafile=certificates.ca_file)
        accepting = AcceptLoop(streams(tell_who_calls, certificates.good))
        accepting.listen(*await tcp_sockets(HOST, 0), proxies=lambda _: True)
        for header in (LINE, BLOCK):
            caller = socket.create_connection((HOST, accepting.port))
            caller.sendall(header)
            caller.setblocking(False)
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection(sock=caller, ssl=context, server_hostname=NAME)
                assert (await reader.readline()).startswith(b"192.0.2.7 54321 127.0.0.1")
            writer.transport.abort()
        await accepting.close()

    if loop == "uvloop":
        pytest.importorskip("uvloop").run(run())
    else:
        asyncio.run(run())
