"""The event loop of a program: uvloop where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
from asyncio import sslproto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

RECORD = 16384 + 1024  # octets: one record of TLS with what it adds, RFC 8446 §5.2


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` to its end. Raises what it raises."""
    try:
        import uvloop
    except ImportError:
        slim()
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def slim() -> None:
    """Let each connection with TLS have a buffer of one record, where asyncio takes 256 KB for it.

    That holds for the whole process, and is for programs: with thousands of connections that say nothing, these buffers are nearly all that
    they hold. uvloop fills its own only as they are needed.
    """
    sslproto.SSLProtocol.max_size = RECORD
