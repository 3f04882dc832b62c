"""A program that was started with asyncio, and how it is ended: with all that it has started, and with nothing of it left open here."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process

LOOK = 0.05  # seconds between two looks whether it is done


async def done(process: Process) -> int:
    """Wait until `process` itself has ended; its exit status. Asyncio's own wait is also for whoever holds its output open."""
    while process.returncode is None:  # noqa: ASYNC110 -- nothing tells of that alone
        await asyncio.sleep(LOOK)
    return process.returncode


async def end(process: Process) -> None:
    """End `process`, the leader of its session, and whatever it has started, if it still runs."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await done(process)


def let_go(process: Process) -> None:
    """Close our ends of its pipes, whoever holds the others."""
    process._transport.close()  # type: ignore[attr-defined] # asyncio has no public way
