"""`Friendly`: a server that accepts everything, keeps it, and can be told to do one thing differently."""

from __future__ import annotations

import asyncio

from mailer.smtp.data import Unstuffer

from .script import LoopbackServer


class Friendly(LoopbackServer):
    """Answers as `replies` says for the first word of a line, else 250; None closes the connection instead."""

    def __init__(self, replies: dict[bytes, bytes | None] | None = None) -> None:
        super().__init__()
        self.replies: dict[bytes, bytes | None] = {
            b"": b"220 mx.example.com\r\n",  # the greeting
            b"EHLO": b"250-mx.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            b"DATA": b"354 go ahead\r\n",
            b".": b"250 2.0.0 taken\r\n",
            b"QUIT": b"221 bye\r\n",
            **(replies or {}),
        }
        self.said: list[bytes] = []
        self.messages: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        self.writers.append(writer)
        alive = self._reply(writer, b"")
        while alive and (line := await reader.readline()):
            word = line.split(maxsplit=1)[0]
            self.said.append(word)
            alive = self._reply(writer, word)
            if alive and word == b"DATA" and self.replies[word].startswith(b"354"):
                await self._message(reader)
                alive = self._reply(writer, b".")
            alive = alive and word != b"QUIT"

    async def _message(self, reader: asyncio.StreamReader) -> None:
        unstuffer, parts = Unstuffer(), []
        while not unstuffer.done:
            data = await reader.read(65536)
            if not data:
                raise ConnectionResetError
            parts.append(unstuffer.feed(data))
        assert not unstuffer.rest, "a client that waits for the answer says nothing behind the end"
        self.messages.append(b"".join(parts))

    def _reply(self, writer: asyncio.StreamWriter, word: bytes) -> bool:
        reply = self.replies.get(word, b"250 ok\r\n")
        if reply is not None:
            writer.write(reply)
        return reply is not None
