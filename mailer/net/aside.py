"""What would keep the event loop: aside in a thread of its own, or in portions of which each turn of the loop has one.

Aside goes what may take long and waits for nothing of ours, such as a command that tells a password, or a look through a large message.
The loop's own threads are the disk's: two commands that hang would stop all that is written down. So each call has a thread, and there
is one at a time for each source: whoever asks meanwhile waits for the same answer. A hundred sessions with a relay ask its password
manager once.

Portions are for very many recipients: a message may have ten thousand, each with a reply of its own. What is done for each of them is
done in portions, so that it keeps no other mail from its turn. What takes a large content as a whole, from `LARGE` bytes on, goes aside,
and gives up the interpreter for it. Ordinary mail pays a comparison for that.

Used by `mailer.transport` and by `mailer.queue`. The program does not wait for a thread of these when it ends.
"""

from __future__ import annotations

import asyncio
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

T = TypeVar("T")

LARGE = 1 << 17
"""Bytes of a message; the loop looks through no more at a time."""

MANY = 200  # outcomes; what is done for each of them takes some 50 microseconds
REFUSED = 20  # refusals; each is looked for among hundreds of phrases, which takes up to a millisecond

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
        _tell(loop, future, partial(future.set_exception, error))
    else:
        _tell(loop, future, partial(future.set_result, result))


def _tell(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], tell: Callable[[], None]) -> None:
    def told() -> None:
        if not future.done():
            tell()
            future.exception()  # seen, also where all who asked have left

    try:
        loop.call_soon_threadsafe(told)
    except RuntimeError:
        return


async def portions(items: Sequence[T], most: int = MANY) -> AsyncIterator[Sequence[T]]:
    """`items`, so many at a time. Of all that are done in portions, one portion is done in one turn of the loop."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    for at in range(0, len(items), most):
        async with turn:
            yield items[at : at + most]
            await asyncio.sleep(0)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
