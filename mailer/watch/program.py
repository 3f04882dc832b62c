"""The command that is told of an alarm: started without a shell, with JSON on its standard input, and a limit of time."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .notice import Notice

PATIENCE = 30.0  # seconds
MUCH = 200  # characters of what it says when it fails


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
    try:
        async with asyncio.timeout(patience):
            _, said = await process.communicate(data)
    except TimeoutError:
        if process.returncode == 0:  # it is done, and what it has left behind holds its standard error open
            process._transport.close()  # type: ignore[attr-defined] # asyncio has no public way
            return ""
        return f"{command[0]} was not done within {patience:.0f} s"
    finally:
        await _end(process)
    if process.returncode == 0:
        return ""
    words = said.decode(errors="replace").strip().splitlines()[-1:]
    return f"{command[0]} failed with {process.returncode}" + "".join(f": {line[:MUCH]}" for line in words)


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it and whatever it has started, if it still runs."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
        await process.wait()
