"""A program as a filter: started for each message, without a shell, and ended with all that it has started when its time is over.

What it is told and what it means is `mailer.scan.program`.
"""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.io import child
from mailer.scan import program
from mailer.scan.opinion import ScanError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterable

    from mailer.config.sections.filtering import FilterSection
    from mailer.scan.opinion import Opinion

    from .letter import FilterLetter

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What it gets of our own environment."""

PIECE = 1 << 16  # octets


class ProgramScanner:
    """A program of the operator's."""

    def __init__(self, section: FilterSection) -> None:
        self._command = section.command

    async def ask(self, letter: FilterLetter) -> Opinion:
        """What it means by how it ends, and by what it prints."""
        told = program.environment(letter.arrival, letter.sender, letter.recipients)
        process = await self._start({name: os.environ[name] for name in KEPT if name in os.environ} | told)
        try:
            _, output = await asyncio.gather(_give(process, letter.parts), _take(process))
            return program.read(await child.done(process), output)
        finally:
            await child.end(process)
            child.let_go(process)

    async def ping(self) -> str:
        """Whether it may be run. Raises `ScanError` where it may not."""
        if not os.access(self._command[0], os.X_OK) and "/" in self._command[0]:
            raise ScanError(f"{self._command[0]} cannot be run")
        return "it can be run"

    async def _start(self, environment: dict[str, str]) -> Process:
        """Raises `OSError` and `ScanError`."""
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, cwd="/", start_new_session=True
            )
        except ValueError as error:
            raise ScanError(f"{self._command[0]} cannot be started: {error}") from None


async def _give(process: Process, parts: Iterable[bytes]) -> None:
    """It may end before it has read all."""
    assert process.stdin is not None
    with suppress(ConnectionError):
        for part in parts:
            for start in range(0, len(part), PIECE):
                process.stdin.write(part[start : start + PIECE])
                await process.stdin.drain()
    process.stdin.close()


async def _take(process: Process) -> bytes:
    """What it prints. Raises `ScanError` where that does not end."""
    assert process.stdout is not None
    heard = b""
    while piece := await process.stdout.read(PIECE):
        heard += piece
        if len(heard) > program.MOST:
            raise ScanError(f"the program prints more than {program.MOST} octets")
    return heard
