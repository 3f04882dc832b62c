"""Programs of a tree that `install` has fetched, run as if they were installed on this machine: their files are laid over its own."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

_OVER = 'mount -t overlay clients -o "lowerdir=$1/usr:/usr" /usr && shift && exec "$@"'


async def run_over(tree: Path | None, home: Path, *words: str, said: bytes = b"", seconds: float = 60.0, **env: str) -> int:
    """How a program ends that is told `said`; what it says goes into ``said`` of `home`, its own.

    A `tree` needs root, and ``unshare``.
    """
    view = ("unshare", "-m", "sh", "-c", _OVER, "sh", str(tree)) if tree else ()
    with (home / "said").open("ab") as out:
        program = await asyncio.create_subprocess_exec(
            *view, *words, stdin=asyncio.subprocess.PIPE, stdout=out, stderr=out, env={**os.environ, "HOME": str(home), **env}, cwd=home
        )
        try:
            async with asyncio.timeout(seconds):
                await program.communicate(said)
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
    assert program.returncode is not None
    return program.returncode
