"""Addresses that failed a moment ago: they are called last, so that one message finds it out and not each.

One fails that cannot be reached, greets us with a refusal, or breaks off; the hosts beside it take the mail meanwhile. The time grows
with each failure that comes after it is over. Nothing is given up on because of it: where all addresses are dead, or there
is only one, it is called as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

MEMORY = 60.0  # seconds: long enough for a burst of mail, short enough for a host that was restarted
LONGEST = 900.0  # it is twice as long each time, up to this; and who did not fail for as long begins anew
MOST = 1000  # addresses; the oldest are forgotten first


class Dead:
    """What one pool has found out. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, float]] = {}  # until when, and how long that was

    def __bool__(self) -> bool:
        """Whether any is known."""
        return bool(self._known)

    def add(self, address: str, port: int) -> None:
        """It failed now. What was under way when it did so first says nothing new."""
        now = self._clock()
        until, wait = self._known.get((address, port), (0.0, 0.0))
        if now < until:
            return
        self.discard(address, port)
        if len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        wait = min(2 * wait, LONGEST) if wait and now < until + LONGEST else MEMORY
        self._known[address, port] = (now + wait, wait)

    def discard(self, address: str, port: int) -> None:
        """It takes mail."""
        self._known.pop((address, port), None)

    def last(self, addresses: Sequence[str], port: int) -> list[str]:
        """The same addresses, those that are dead behind the others."""
        if not self._known:
            return [*addresses]
        now = self._clock()
        return sorted(addresses, key=lambda address: self._until(address, port) > now)

    def all(self, addresses: Sequence[str], port: int) -> bool:
        """Whether none of the addresses of a host is any better."""
        now = self._clock()
        return all(self._until(address, port) > now for address in addresses)

    def _until(self, address: str, port: int) -> float:
        return self._known.get((address, port), (0.0, 0.0))[0]
