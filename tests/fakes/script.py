"""`Script`: a server that follows a dialog over the loopback; `Hang`: one that stops talking.

Both are async context managers with a `port`. What a client says is compared octet by octet; the first difference is in
`Script.wrong` and closes the connection. Once the dialog is over, a client may say QUIT and nothing else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from .dialog import Turn

PATIENCE = 5.0  # seconds that a script waits for its client


class Server:
    """One asyncio server on a free port, that waits for its sessions to end, and insists that they do."""

    def __init__(self) -> None:
        self.port = 0
        self.sessions = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks if kind else ():
            task.cancel()
        if self._tasks:
            _, open_still = await asyncio.wait(self._tasks, timeout=PATIENCE)
            assert kind or not open_still, "a client left its connection open"
        await self._server.wait_closed()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sessions += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, which a test sees at its own end
        finally:
            self._tasks.discard(task)
            writer.close()
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        raise NotImplementedError


class Script(Server):
    """Says and expects what `turns` say, in every session anew."""

    def __init__(self, turns: Iterable[Turn], context: ssl.SSLContext | None = None, *, handshake_may_fail: bool = False) -> None:
        super().__init__()
        self.turns = list(turns)
        self.wrong = ""
        self.received = b""
        self._context = context
        self._handshake_may_fail = handshake_may_fail

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script, then wait for the end."""
        for turn in self.turns:
            if turn.who == "S":
                writer.write(turn.data)
                await writer.drain()
            elif turn.who == "TLS":
                await self._handshake(writer)
            elif turn.who == "END" or not await self._expect(turn.data, reader):
                return
        rest = await asyncio.wait_for(reader.read(65536), PATIENCE)
        self.received += rest
        if rest == b"QUIT\r\n":
            writer.write(b"221 2.0.0 bye\r\n")
        elif rest:
            self.wrong = f"{rest!r} was said after the end"

    async def _handshake(self, writer: asyncio.StreamWriter) -> None:
        assert self._context is not None
        try:
            await writer.start_tls(self._context)
        except (OSError, ssl.SSLError) as error:
            if not self._handshake_may_fail:
                self.wrong = f"the handshake failed: {error}"
            raise

    async def _expect(self, wanted: bytes, reader: asyncio.StreamReader) -> bool:
        got = b""
        while wanted.startswith(got) and got != wanted:
            try:
                more = await asyncio.wait_for(reader.read(len(wanted) - len(got)), PATIENCE)
            except TimeoutError:
                more = b""
            if not more:
                self.wrong = f"{got!r} was said, and then nothing, instead of {wanted!r}"
                return False
            got += more
            self.received += more
        if got != wanted:
            self.wrong = f"{got!r} was said instead of {wanted!r}"
        return got == wanted


class Hang(Server):
    """Says `first` of what a server says, answers `replies` to as many lines, and then is silent."""

    def __init__(self, first: bytes = b"", replies: Iterable[bytes] = ()) -> None:
        super().__init__()
        self._first = first
        self._replies = list(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk a little, then only listen."""
        writer.write(self._first)
        for reply in self._replies:
            await reader.readline()
            writer.write(reply)
        while await reader.read(65536):
            pass
