"""An accept loop on a free port of the loopback, and those who call it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, OnSocket, streams
from mailer.net.stream import Stream
from tests.fakes import waiting

HOST = "127.0.0.1"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Loop:
    """An accept loop on a free port, and those who call it."""

    def __init__(self, accepting: AcceptLoop) -> None:
        self.accepting = accepting
        self.port = accepting.port
        self._callers: list[asyncio.StreamWriter] = []

    async def call(self, **options: Any) -> Streams:
        """A caller who has not said anything yet."""
        reader, writer = await asyncio.open_connection(HOST, self.port, **options)
        self._callers.append(writer)
        return reader, writer

    async def served(self) -> bool:
        """Whether one who calls is told that he is served."""
        reader, writer = await self.call()
        try:
            return await reader.read(6) == b"hello\n"
        except ConnectionError:
            return False
        finally:
            writer.close()

    def hang_up(self) -> None:
        """All callers go."""
        for writer in self._callers:
            writer.close()


async def heard(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is gone, with or without a goodbye."""
    data = b""
    try:
        while part := await reader.read(1 << 20):
            data += part
    except ConnectionError:
        pass
    return data


async def wait_for_the_end(stream: Stream, _peer: Peer) -> None:
    """A server that says hello and waits until its client goes."""
    stream.allow(1e6)
    stream.write(b"hello\n")
    while True:
        await stream.read()


@asynccontextmanager
async def looping(serve: OnSocket, **options: Any):  # type: ignore[no-untyped-def]
    accepting = AcceptLoop(serve, **options)
    accepting.listen(*await tcp_sockets(HOST, 0))
    loop = Loop(accepting)
    try:
        yield loop
    finally:
        loop.hang_up()
        await accepting.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


def with_loop(
    test: Callable[[Loop], Awaitable[None]], serve: Any = wait_for_the_end, context: ssl.SSLContext | None = None, **options: Any
) -> None:
    """Run `test` with a loop that serves streams."""

    async def run() -> None:
        async with asyncio.timeout(1e5), looping(streams(serve, context, 5), **options) as loop:
            await test(loop)

    waiting.run(run())
