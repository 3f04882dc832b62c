"""The circuit breaker of [002] §7.1.2: whether a server is worth calling at all.

    closed ── failure_threshold failures in a row, within failure_window ──► open
      ▲                                                                       │ recovery_timeout
      └──── success_threshold successes ──── half-open, one send at a time ◄──┘
                                              └─ one failure ──► open

Pure: the time comes in as an argument, in seconds. A send asks `closed_for`, then takes a ticket with `enter`, and hands
it back with how it went. A ticket from before the breaker opened or closed counts no more: what was under way while it
changed its mind must not be taken for the one send that is to decide.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import BreakerSettings


class Breaker:
    """For one server."""

    __slots__ = ("_era", "_failures", "_open_until", "_probing", "_settings", "_successes")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._failures: deque[float] = deque(maxlen=settings.failure_threshold)
        self._open_until: float | None = None  # None: closed; past: half-open
        self._probing = False
        self._successes = 0  # since it is half-open
        self._era = 0  # counts how often it opened or closed

    def state(self, now: float) -> str:
        """``closed``, ``open`` or ``half-open``."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half-open"

    def blocked(self, now: float) -> float:
        """0 if a send may go, else in how many seconds it is worth asking again."""
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        return self._settings.recovery_timeout if self._probing else 0.0

    def enter(self) -> int:
        """A send goes; returns its ticket."""
        self._probing = self._open_until is not None
        return self._era

    def succeeded(self, ticket: int) -> None:
        """The server did its part, whatever it thinks of the message."""
        if ticket != self._era:
            return
        self._failures.clear()
        self._probing = False
        if self._open_until is not None:
            self._successes += 1
            if self._successes >= self._settings.success_threshold:
                self._turn(None)

    def failed(self, ticket: int, now: float) -> None:
        """The server did not."""
        if ticket != self._era or not self._settings.enabled:
            return
        self._failures.append(now)
        full = len(self._failures) == self._settings.failure_threshold and now - self._failures[0] <= self._settings.failure_window
        if full or self._open_until is not None:
            self._turn(now + self._settings.recovery_timeout)

    def left(self, ticket: int) -> None:
        """Nothing was learned."""
        if ticket == self._era:
            self._probing = False

    def _turn(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._failures.clear()
        self._probing = False
        self._successes = 0
        self._era += 1
