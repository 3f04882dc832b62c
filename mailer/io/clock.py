"""The time of day, handed in: what needs it gets a `Clock`, so that a test decides what time it is.

Time is two clocks. When something is due is wall time, which may be set at any moment: a machine without a battery wakes up
years ago and is put right a minute later. What was waited is measured by a clock that cannot be set. `SystemClock` is both: it tells
wall time, read off the steady clock and the difference between the two as it was at the last `check`. So time only goes on between
two checks, however the wall clock is set meanwhile; and a check says by how much it was, so that what waits can be moved.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

STEP = 5.0  # seconds; what is less is put right without a word, as NTP does every day
SPANS = 1000  # steps that are remembered
_steady = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))  # it goes on while the machine sleeps


class Clock(Protocol):
    """A clock that tells the time."""

    def now(self) -> float:
        """Seconds since the epoch, in UTC."""


class SteadyClock(Clock, Protocol):
    """A clock that knows how it was set."""

    def check(self) -> float:
        """By how many seconds the wall clock was set since the last check; 0.0 for less than `STEP`."""

    def waited(self, since: float, before: float) -> float:
        """How many seconds have passed since the clock showed `since`; of the time before this clock began, `before` at most."""


class _Span(NamedTuple):
    """Between two steps the wall clock showed `began` and more, up to `ended`; at its beginning the steady clock showed `steady`."""

    began: float
    ended: float
    steady: float


class SystemClock:
    """The clock of this machine. `wall` and `steady` count its seconds in two ways; a test has others."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _steady) -> None:
        self._wall = wall
        self._steady = steady
        self._offset = wall() - steady()
        self._spans: list[_Span] = []
        self._began = self._span = (self.now(), steady())

    def now(self) -> float:
        """Seconds since the epoch, in UTC."""
        return self._steady() + self._offset

    def check(self) -> float:
        """By how many seconds the wall clock was set since the last check; 0.0 for less than `STEP`. From now on the new time holds."""
        before = self.now()
        step = self._wall() - before
        self._offset += step
        if abs(step) < STEP:
            return 0.0
        wall, steady = self._span
        self._spans = [*self._spans[-SPANS:], _Span(wall, before, steady)]
        self._span = (before + step, self._steady())
        return step

    def waited(self, since: float, before: float) -> float:
        """How many seconds have passed since the clock showed `since`; of the time before this clock began, `before` at most.

        A time that it showed more than once was the last of them: nothing is older than it surely is.
        """
        now, (wall, steady) = self._steady(), self._span
        if since >= wall and since <= self.now() + STEP:
            return max(now - steady - (since - wall), 0.0)
        for span in reversed(self._spans):
            if span.began <= since <= span.ended:
                return now - span.steady - (since - span.began)
        wall, steady = self._began
        return now - steady + min(max(wall - since, 0.0), before)
