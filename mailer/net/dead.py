"""Addresses that could not be reached a moment ago: they are called last, so that one message finds it out and not each.

Nothing is given up on because of it: where all addresses are dead, or there is only one, it is called as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

MEMORY = 60.0  # seconds: long enough for a burst of mail, short enough for a host that was restarted
MOST = 1000  # addresses; the oldest are forgotten first


class Dead:
    """What one pool has found out. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, int], float] = {}

    def add(self, address: str, port: int) -> None:
        """It could not be reached now."""
        self.discard(address, port)
        if len(self._until) >= MOST:
            del self._until[next(iter(self._until))]
        self._until[address, port] = self._clock() + MEMORY

    def discard(self, address: str, port: int) -> None:
        """It answers."""
        self._until.pop((address, port), None)

    def last(self, addresses: Sequence[str], port: int) -> list[str]:
        """The same addresses, those that are dead behind the others."""
        if not self._until:
            return [*addresses]
        now = self._clock()
        return sorted(addresses, key=lambda address: self._until.get((address, port), 0.0) > now)
