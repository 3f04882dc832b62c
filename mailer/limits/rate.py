"""A rate: so many in so much time, kept evenly or in bursts; and room for so many at once. Pure; time comes in as an argument, in seconds.

A `TokenBucket` lets a burst through and then goes by its rate: for a program that has a window to keep to, [002] §7.1.3.

A `Bucket` spaces what it lets through evenly, with a little slack, so that a timer that comes late loses nothing. It keeps
one number: the moment at which all that was let through would be paid for at an even pace.

What it promises, and what the tests hold: in any stretch of `per` seconds begin no more than `number`, whatever came before,
beyond what a single message has more than one recipient; and whoever waits until the time that `ready` said may begin then,
however many recipients his message has. A message for many is let through as soon as one for one would be, and those after
it wait for as long as it was worth: so nothing large starves behind the small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 3.0  # seconds for which a place is kept for somebody who does not ask again


class Bucket:
    """A bucket that lets `number` through in `per` seconds; `everybody`: to all destinations together."""

    __slots__ = ("__weakref__", "_last", "_paid", "_slack", "_step", "everybody", "slow_until")

    def __init__(self, number: int, per: float, *, everybody: bool = False) -> None:
        self.everybody = everybody
        self._paid = self._last = self.slow_until = 0.0
        self.change(number, per)

    def change(self, number: int, per: float) -> None:
        """Let another rate hold from now on; what was let through is not forgotten.

        The slack is what a second is worth, and at most a twentieth of it all. It comes off the pace, for it may be used up at
        the start of a stretch: slack and pace together make up `number`.
        """
        slack = int(min(number / 20, number / per))
        self._step = per / (number - slack)
        self._slack = slack * self._step

    def ready(self, now: float) -> float:
        """The earliest time at which the next one may begin; `now` if it may at once."""
        self._follow(now)
        return max(now, self._paid - self._slack)

    def took(self, now: float, count: int = 1) -> None:
        """Note that one begins which is worth `count`; less than nothing gives back. While it has to be slow, it is worth twice as much."""
        self._follow(now)
        self._paid = max(self._paid, now) + count * self._step * (2 if now < self.slow_until else 1)

    def _follow(self, now: float) -> None:
        """A clock that was set back takes what it had measured back with it, else everything would wait until it is there again."""
        if now < self._last:
            self._paid += now - self._last
            self.slow_until += now - self._last
        self._last = now


class Room:
    """A room for `most` at once; `taken` are there. Who has no place at all comes before those who want another one."""

    __slots__ = ("_asked", "most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self._asked: dict[object, float] = {}

    def admits(self, who: object, now: float, *, another: bool) -> bool:
        """Whether `who` may have a place now, `another` one besides his own. Else, if it is his first, one is kept for him."""
        ahead = [*self._waiting(now)]
        place = len(ahead) if another or who not in ahead else ahead.index(who)
        if self.most - self.taken > place:
            return True
        if not another:
            self._asked[who] = now
        return False

    def enter(self, who: object) -> None:
        """Count a place that `who` has got."""
        self._asked.pop(who, None)
        self.taken += 1

    def wanted(self, now: float) -> bool:
        """Whether somebody has no place, and none is free for him: one of those who have one should leave."""
        return bool(self._asked) and len(self._waiting(now)) > self.most - self.taken

    def _waiting(self, now: float) -> dict[object, float]:
        """Who asked of late; who does not ask any more has given up."""
        if self._asked:
            self._asked = {who: at for who, at in self._asked.items() if 0 <= now - at < PATIENCE}
        return self._asked


class RateExceeded(Exception):
    """More than a limit allows: the next turn comes in `after` seconds, which is longer than may be waited."""

    def __init__(self, text: str, after: float) -> None:
        super().__init__(text)
        self.after = after


class TokenBucket:
    """A bucket that lets `size` through at once, and as many again within `window` seconds. `what` is counted, in words.

    A turn is reserved when it is asked for, so turns come in the order in which they were asked for, and nobody has to be woken: each
    waits its own time.
    """

    __slots__ = ("_at", "_rate", "_tokens", "size", "what", "window")

    def __init__(self, size: int, window: float, what: str = "turns") -> None:
        self.size = size
        self.window = window
        self.what = what
        self._rate = size / window
        self._tokens = float(size)  # below zero: turns that are reserved and not due
        self._at = 0.0

    def wait(self, now: float) -> float:
        """The seconds after which a turn that is reserved now comes."""
        self._tokens = min(float(self.size), self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def reserve(self, now: float) -> float:
        """Take a turn; returns the seconds until it comes."""
        wait = self.wait(now)
        self._tokens -= 1.0
        return wait

    def give_back(self) -> None:
        """Give back a turn that was reserved and is not used."""
        self._tokens += 1.0

    async def turn(self, now: float, patience: float, sleep: Callable[[float], Awaitable[bool]]) -> bool:
        """Wait for the next turn; False if `sleep` says that it was cut short: then it is not used.

        Raises `RateExceeded` where it would come in more than `patience` seconds.
        """
        wait = self.wait(now)
        if wait > patience:
            raise RateExceeded(f"more than {self.size} {self.what} in {self.window:g} s", wait)
        self.reserve(now)
        used = False
        try:
            used = not wait or await sleep(wait)
        finally:
            if not used:
                self.give_back()
        return used
