"""A client made of a bare socket, so that nothing stands between a test and the bytes."""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from mailer.smtp.reply import Reply, ReplyReader

SECONDS = 60.0


class Peer:
    """``async with Peer(port) as peer``: connected, with the greeting read."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, greeted: bool = True) -> None:
        self._port, self._tls, self._greeted = port, tls, greeted
        self._replies: list[Reply] = []

    async def __aenter__(self) -> Self:
        name = "localhost" if self._tls else None
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls, server_hostname=name)
        self._reading = ReplyReader()
        if self._greeted:
            self.greeting = await self.reply()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass

    async def reply(self) -> Reply:
        """The next reply. Raises `EOFError` where the server has closed."""
        while not self._replies:
            data = await asyncio.wait_for(self.reader.read(65536), SECONDS)
            if not data:
                raise EOFError
            self._replies = self._reading.feed(data)
        return self._replies.pop(0)

    async def say(self, *lines: str, count: int = 0) -> list[Reply]:
        """Send `lines` in one segment; returns as many replies, or `count`."""
        self.writer.write("".join(line + "\r\n" for line in lines).encode())
        return [await self.reply() for _ in range(count or len(lines))]

    async def code(self, *lines: str) -> int:
        """The code of the last reply."""
        return (await self.say(*lines))[-1].code

    async def send(self, recipient: str = "c@d.example", sender: str = "a@b.example", text: str = "Subject: x\r\n\r\ny") -> list[int]:
        """A whole transaction; the codes up to the first refusal."""
        codes = []
        for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA", f"{text}\r\n."):
            (reply,) = await self.say(line, count=1)
            codes.append(reply.code)
            if not reply.positive:
                await self.say("RSET")
                break
        return codes

    async def gone(self) -> bool:
        """Whether the server has closed; waits for it."""
        try:
            return await asyncio.wait_for(self.reader.read(), SECONDS) == b""
        except ConnectionResetError:
            return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """The handshake, after a 220."""
        await self.writer.start_tls(context, server_hostname="localhost")
