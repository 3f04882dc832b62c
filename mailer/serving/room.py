"""The memory that all messages have which are under way, at all doors together.

A message is in memory from its first octet until it is answered. Where there is no room for more, its client is not read any further; it
waits, and finds room or is told to come back. Two things hold whatever the others do:

- A message that is small finds room: the last quarter is for those of at most `SMALL` octets.
- There is always one message that goes on, the one that has waited for longest; so many that wait for one another come to an end.

One network has no more than a quarter of it.
"""

from __future__ import annotations

import asyncio
from collections import Counter

SMALL = 65536  # octets
PATIENCE = 120.0  # seconds that one waits
ROOM = 256_000_000  # octets


class Holding:
    """What one session has of the room, in `octets`; `share` is the network that it comes from."""

    __slots__ = ("octets", "share")

    def __init__(self, share: str) -> None:
        self.share = share
        self.octets = 0


class MessageRoom:
    """A room of so many `octets` for all; the number may be changed while it is used."""

    def __init__(self, octets: int = ROOM) -> None:
        self.octets = octets
        self.taken = 0
        self._shares: Counter[str] = Counter()
        self._waiting: dict[Holding, tuple[int, asyncio.Future[None]]] = {}  # by when they came
        self._favoured: Holding | None = None

    @property
    def waiting(self) -> int:
        """How many messages wait for room."""
        return len(self._waiting)

    async def hold(self, held: Holding, octets: int) -> bool:
        """Have room for `octets` in place of those that are held; False where there was none in time."""
        if self._take(held, octets):
            return True
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[held] = octets, room
        self._favour()
        try:
            async with asyncio.timeout(PATIENCE):
                await room
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(held, None)
        return True

    def leave(self, held: Holding) -> None:
        """Nothing is held any more."""
        self._waiting.pop(held, None)
        if held is self._favoured:
            self._favoured = None
        if held.octets:
            self._set(held, 0)
        self._favour()

    def _take(self, held: Holding, octets: int) -> bool:
        if octets > held.octets and not self._fits(held, octets - held.octets, octets):
            return False
        self._set(held, octets)
        return True

    def _fits(self, held: Holding, more: int, octets: int) -> bool:
        if held is self._favoured:
            return True
        if octets <= SMALL:
            return self.taken + more <= self.octets
        return self.taken + more <= self.octets * 3 // 4 and self._shares[held.share] + more <= self.octets // 4

    def _set(self, held: Holding, octets: int) -> None:
        more = octets - held.octets
        held.octets = octets
        self.taken += more
        self._shares[held.share] += more
        if not self._shares[held.share]:
            del self._shares[held.share]

    def _favour(self) -> None:
        """Let those go on who can now."""
        if self._favoured is None and self._waiting:
            self._favoured = next(iter(self._waiting))
        for held, (octets, room) in [*self._waiting.items()]:
            if self._take(held, octets):
                del self._waiting[held]
                if not room.done():
                    room.set_result(None)
