"""A client of IMAP for tests, which says a command and hears all lines up to the one that ends it."""

from __future__ import annotations

import asyncio
import re

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_ASKED = re.compile(rb"(?<=\{)\d+(?=\}\r\n)")


class ImapTalk:
    """A client. A line that it hears is text, with its literals in it as they came, without the CRLF at its end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._tags = 0
        self._early: list[str] = []  # what was said in place of "+"

    async def do(self, command: str | bytes) -> list[str]:
        """Say a command, and hear what is said of it; the last line without its tag. It waits at each ``{n}`` until it may
        go on, and says no more where it may not."""
        tag = await self.begin(command)
        return await self.end(tag)

    async def ok(self, command: str | bytes) -> list[str]:
        """The same for a command that has to be done: all lines but the last."""
        *lines, last = await self.do(command)
        assert last.startswith("OK"), last
        return lines

    async def begin(self, command: str | bytes) -> str:
        """Say a command; its tag."""
        self._tags += 1
        tag = f"a{self._tags}"
        said = command.encode("utf-8", "surrogateescape") if isinstance(command, str) else command
        await self.say(b"%b %b\r\n" % (tag.encode(), said))
        return tag

    async def say(self, octets: bytes) -> None:
        """Say octets, and wait behind each ``{n}`` for ``+``."""
        while (asked := _ASKED.search(octets)) is not None:
            end = asked.end() + 3
            self.writer.write(octets[:end])
            line = await self.hear()
            if not line.startswith("+"):
                self._early.append(line)
                return
            octets = octets[end:]
            size = int(asked[0])
            self.writer.write(octets[:size])
            octets = octets[size:]
        self.writer.write(octets)
        await self.writer.drain()

    async def end(self, tag: str) -> list[str]:
        """What is said up to the end of a command."""
        lines = []
        while not (line := await self.hear()).startswith(f"{tag} "):
            lines.append(line)
            if line.startswith("* BYE") or not line:
                return lines
        return [*lines, line.removeprefix(f"{tag} ")]

    async def hear(self) -> str:
        """A line; empty where nothing more comes."""
        if self._early:
            return self._early.pop()
        octets = await self.octets()
        return octets.decode("utf-8", "surrogateescape").removesuffix("\r\n")

    async def octets(self) -> bytes:
        """A line, as it came."""
        line = b""
        while True:
            part = await self.reader.readline()
            line += part
            found = _LITERAL.search(part)
            if found is None:
                return line
            line += await self.reader.readexactly(int(found[1]))

    async def append(self, folder: str, content: bytes, *, more: str = "") -> list[str]:
        """Put a message; what is said of it."""
        return await self.do(b"APPEND %b %b{%d}\r\n%b" % (folder.encode(), more.encode(), len(content), content))

    def leave(self) -> None:
        """Hang up."""
        self.writer.close()
