"""A token bucket: so many in a window, and bursts of as many.

Pure: the time comes in as an argument, in seconds. A turn is reserved when it is asked for, so turns come in the order in
which they were asked for, and nobody has to be woken: each waits its own time.
"""

from __future__ import annotations


class Bucket:
    """`size` tokens, filled again within `window` seconds."""

    __slots__ = ("_at", "_rate", "_size", "_tokens")

    def __init__(self, size: int, window: float, now: float) -> None:
        self._size = size
        self._rate = size / window
        self._tokens = float(size)  # below zero: turns that are reserved and not due
        self._at = now

    def wait(self, now: float) -> float:
        """The seconds after which a turn that is reserved now comes."""
        self._fill(now)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def reserve(self, now: float) -> float:
        """Take a turn; returns the seconds until it comes."""
        wait = self.wait(now)
        self._tokens -= 1.0
        return wait

    def give_back(self) -> None:
        """A turn that was reserved is not used."""
        self._tokens += 1.0

    def _fill(self, now: float) -> None:
        self._tokens = min(float(self._size), self._tokens + (now - self._at) * self._rate)
        self._at = now
