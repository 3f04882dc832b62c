"""A fuse: so many at once, and then so many in a time. Whoever comes too early gets a turn, and the turns are in order. Pure.

It keeps one number: the moment at which all that was let through, and all that has a turn, is paid for at an even pace.
"""

from __future__ import annotations


class Fuse:
    """A fuse of `number` in `seconds`, that lets a `burst` through at once. Times are seconds since the epoch."""

    __slots__ = ("_ahead", "_step", "paid")

    def __init__(self, number: int, seconds: float, burst: int, paid: float = 0.0) -> None:
        self.paid = paid
        self._step = self._ahead = 0.0
        self.change(number, seconds, burst)

    def change(self, number: int, seconds: float, burst: int) -> None:
        """Let other limits hold from now on; what was let through is not forgotten."""
        self._step = seconds / number
        self._ahead = (max(burst, 1) - 1) * self._step

    def next(self, now: float) -> float:
        """The time of the turn that would be given now."""
        return max(self.paid, now) - self._ahead

    def turn(self, now: float) -> float:
        """The time of the turn that is given now; `now` or before, if that is at once."""
        begins = max(self.paid, now)
        self.paid = begins + self._step
        return begins - self._ahead

    def waits(self, now: float) -> bool:
        """Whether one that came now would have to wait."""
        return self.paid - self._ahead > now

    def give_back(self) -> None:
        """Give a turn back that is not used; those that were given after it stay where they are."""
        self.paid -= self._step

    def take_back(self, now: float) -> None:
        """Forget the turns that are still to come: those who had one ask again, and nobody has a burst for that."""
        self.paid = min(self.paid, now + self._ahead + self._step)
