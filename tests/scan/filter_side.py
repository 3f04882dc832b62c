"""A milter in a few lines: what it answers to each step, for tests of those who speak to one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from struct import pack, unpack


def frame(letter: str, data: bytes = b"") -> bytes:
    """A frame as it is sent."""
    return pack(">I", len(data) + 1) + letter.encode() + data


def agreed(steps: int = 0, *, acts: int = 0x1FF, version: int = 6) -> bytes:
    """What it answers to an offer."""
    return frame("O", pack(">III", version, acts, steps))


CONTINUE, ACCEPT = frame("c"), frame("a")
STEPS = "CHMRTLNBE"


class FakeMilter:
    """Answers `answers` to each step by its letter, else with continue; a step of `mute` with nothing.

    `heard` has the frames in order: letter, data. A None among the answers hangs up.
    """

    def __init__(self, answers: Mapping[str, bytes | None] | None = None, hello: bytes | None = None, mute: str = "") -> None:
        self.answers = dict(answers or {})
        self.hello = agreed() if hello is None else hello
        self.mute = mute
        self.heard: list[tuple[str, bytes]] = []
        self.calls = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        while True:
            (length,) = unpack(">I", await reader.readexactly(4))
            data = await reader.readexactly(length)
            letter = data[:1].decode()
            self.heard.append((letter, data[1:]))
            if letter == "Q":
                return
            if letter in "DA" or letter in self.mute:
                continue
            said = self.hello if letter == "O" else self.answers.get(letter, CONTINUE)
            if said is None:
                return
            writer.write(said)
            await writer.drain()

    @property
    def letters(self) -> str:
        """The steps that it was told, in order, each once in a row, without macros."""
        found = ""
        for letter, _ in self.heard:
            if letter != "D" and not found.endswith(letter):
                found += letter
        return found

    def told(self, letter: str) -> list[bytes]:
        """What came with each step of that letter."""
        return [data for each, data in self.heard if each == letter]
