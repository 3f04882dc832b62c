"""Aside: what may take long and is nobody's else, such as a command that tells a password, or a look through a large message, in a
thread of its own.

The loop's own threads are the disk's: two commands that hang would stop all that is written down. So each call has a thread, and there
is one at a time for each source: whoever asks meanwhile waits for the same answer. A hundred sessions with a relay ask its password
manager once.

Used by `session`, `connection`, and by `mailer.queue`. The program does not wait for such a thread when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

LARGE = 1 << 17
"""Bytes of a message; the loop looks through no more at a time."""

_asked: dict[tuple[asyncio.AbstractEventLoop, Callable[[], Any]], asyncio.Future[Any]] = {}


async def aside(source: Callable[[], T]) -> T:
    """What `source` returns or raises; that of the call that is under way, if there is one. Who leaves takes it from nobody."""
    loop = asyncio.get_running_loop()
    key = (loop, source)
    future: asyncio.Future[T] | None = _asked.get(key)
    if future is None:
        future = _asked[key] = loop.create_future()
        future.add_done_callback(lambda _: _asked.pop(key, None))
        Thread(target=_call, args=(loop, source, future), name="aside", daemon=True).start()
    return await asyncio.shield(future)


def _call(loop: asyncio.AbstractEventLoop, source: Callable[[], T], future: asyncio.Future[T]) -> None:
    """In the thread: nobody hears the answer if the loop is over by then."""
    try:
        result = source()
    except Exception as error:
        _tell(loop, future, lambda error=error: future.set_exception(error))  # type: ignore[misc]
    else:
        _tell(loop, future, lambda: future.set_result(result))


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], tell: Callable[[], None]) -> None:
    def told() -> None:
        if not future.done():
            tell()
            future.exception()  # seen, also where all who asked have left

    try:
        loop.call_soon_threadsafe(told)
    except RuntimeError:
        return
