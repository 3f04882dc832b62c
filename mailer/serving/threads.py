"""The threads in which sessions ask their mailboxes, of which nobody takes all: one user has a share, and his other questions wait.

So whoever lets many sessions search at a time waits for himself alone, and everybody else is answered meanwhile. A place is free again when
the answer is there, whether or not the session still waits for it: who leaves and comes again gains no thread by it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

THREADS: Final = 8
SHARE: Final = 3  # of these, for one user: one that computes, one that writes, and one that does neither


class BoxThreads:
    """The threads of one process, used from one event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, "mailbox")
        self._taken: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def shutdown(self) -> None:
        """Wait for what is being asked; nothing more is."""
        self._pool.shutdown()

    async def answer(self, user: str, function: Callable[[], T]) -> T:
        """What `function` gives, in a thread of the share of `user`. Raises what it raises."""
        await self._place(user)
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._pool, function)
        except BaseException:
            self._leave(user)
            raise
        asked.add_done_callback(lambda _: self._leave(user))
        return await asyncio.shield(asked)

    async def _place(self, user: str) -> None:
        if self._taken.get(user, 0) < SHARE:
            self._taken[user] = self._taken.get(user, 0) + 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the place was handed over just before
                self._leave(user)
            raise

    def _leave(self, user: str) -> None:
        """Hand the place over to who waits the longest."""
        waiting = self._waiting.get(user, ())
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._waiting.pop(user, None)
        self._taken[user] -= 1
        if not self._taken[user]:
            del self._taken[user]
