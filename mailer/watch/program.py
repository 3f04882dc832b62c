"""The command that is told of an alarm: started without a shell, with JSON on its standard input, and a limit of time."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.io import child

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .notice import Notice

PATIENCE = 30.0  # seconds
MUCH = 200  # characters of what it says when it fails
BLOCK = 4096  # bytes of that which are read at once; the last two are kept
SETTLED = 1.0  # seconds for its last words when it is: what it has left behind may hold its standard error open for ever


async def start(command: Sequence[str], notice: Notice, host: str, *, patience: float = PATIENCE) -> str:
    """Start `command` with `notice`, and wait; returns why it did not take it, empty if it did."""
    environment: Mapping[str, str] = {**os.environ, **notice.environment(host)}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"{command[0]} cannot be started: {getattr(error, 'strerror', None) or error}"
    data = (json.dumps(notice.as_json(host)) + "\n").encode()
    kept: deque[bytes] = deque(maxlen=2)
    said = asyncio.ensure_future(_last_words(process.stderr, kept))
    given = asyncio.ensure_future(_give(process.stdin, data))
    try:
        async with asyncio.timeout(patience):
            await child.done(process)
        await asyncio.wait({said}, timeout=SETTLED)
    except TimeoutError:
        return f"{command[0]} was not done within {patience:.0f} s"
    finally:
        await child.end(process)
        for task in (said, given):
            task.cancel()
        await asyncio.gather(said, given, return_exceptions=True)
        child.let_go(process)
    if process.returncode == 0:
        return ""
    words = b"".join(kept).decode(errors="replace").strip().splitlines()[-1:]
    return f"{command[0]} failed with {process.returncode}" + "".join(f": {line[:MUCH]}" for line in words)


async def _give(stdin: asyncio.StreamWriter | None, data: bytes) -> None:
    """Give it the alarm; it may not care to read."""
    if stdin is not None:
        with suppress(OSError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()


async def _last_words(stderr: asyncio.StreamReader | None, kept: deque[bytes]) -> None:
    """Keep the end of what it says, however much that is."""
    while stderr is not None and (some := await stderr.read(BLOCK)):
        kept.append(some)
