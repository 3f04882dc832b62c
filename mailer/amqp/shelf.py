"""The shelf: what was delivered and waits for its turn. Of what is there, that of the first queue goes first.

No queue starves all the same: a part of each portion is for those behind the first, whatever that one has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PORTION = 8 << 20  # bytes that are put together; one letter may be more
SHARE = 8
"""Of so many letters in a portion, one is for each queue behind the first that has any."""


class Shelf(Generic[T]):
    """Letters of so many `queues`, as they came. `size` tells the bytes of one."""

    def __init__(self, queues: int, size: Callable[[T], int]) -> None:
        self._waiting: tuple[deque[T], ...] = tuple(deque() for _ in range(queues))
        self._size = size
        self._some = asyncio.Event()

    def put(self, queue: int, letter: T) -> None:
        """Let one more wait."""
        self._waiting[queue].append(letter)
        self._some.set()

    async def portion(self, most: int) -> list[T]:
        """What goes next, when there is some: at most so many letters, and `PORTION` bytes."""
        while not any(self._waiting):
            self._some.clear()
            await self._some.wait()
        return self._taken(most)

    def empty(self) -> None:
        """Forget what waits."""
        for waiting in self._waiting:
            waiting.clear()

    def _taken(self, most: int) -> list[T]:
        behind = sum(map(bool, self._waiting)) - 1
        kept = max(most // SHARE, 1) if behind else 0  # for each of those behind
        found: list[T] = []
        octets = 0
        for waiting in filter(None, self._waiting):
            left = max(most - kept * behind, 1)
            while waiting and len(found) < left and (not found or octets + self._size(waiting[0]) <= PORTION):
                octets += self._size(waiting[0])
                found.append(waiting.popleft())
            behind -= 1
        return found
