"""Shares: how many of something there are at a time, and how many of them for one user, so that none takes all of it.

Whoever waits is served in the order of coming, and of one user no more than his share wait for what others want too.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

T = TypeVar("T")

LONGEST_REST = 1.0  # seconds


class UserShares:
    """`total` places, `each` of them for one user."""

    def __init__(self, total: int, each: int) -> None:
        self.each = each
        self._places = asyncio.Semaphore(total)
        self._users: dict[int, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, uid: int) -> AsyncIterator[None]:
        """Have a place, when there is one for user `uid`."""
        own, waiting = self._users.setdefault(uid, (asyncio.Semaphore(self.each), []))
        waiting.append(None)
        try:
            async with own, self._places:
                yield
        finally:
            waiting.pop()
            if not waiting:
                del self._users[uid]


class UserTurns:
    """`threads` that do things for users, `each` of them for one at a time.

    After a piece of work they rest `rest` times as long as it took of the processor: of the interpreter, which is one, the rest is
    for deliveries. A first question does not wait for that, only what comes after it.
    """

    def __init__(self, name: str, threads: int, each: int, rest: float = 0.0) -> None:
        self.rest = rest
        self._shares = UserShares(threads, each)
        self._pool = ThreadPoolExecutor(threads, name)
        self._again = 0.0

    async def do(self, uid: int, function: Callable[..., T], *arguments: object) -> T:
        """What `function` returns, called in a thread when it is the user's turn."""
        loop = asyncio.get_running_loop()
        async with self._shares.of(uid):
            if (pause := self._again - loop.time()) > 0:
                await asyncio.sleep(pause)
            result, spent = await loop.run_in_executor(self._pool, _measured, function, arguments)
            self._again = loop.time() + min(self.rest * spent, LONGEST_REST)
            return result

    async def close(self) -> None:
        """Finish what is under way."""
        await asyncio.to_thread(self._pool.shutdown)


def _measured(function: Callable[..., T], arguments: tuple[object, ...]) -> tuple[T, float]:
    begun = time.thread_time()
    return function(*arguments), time.thread_time() - begun
