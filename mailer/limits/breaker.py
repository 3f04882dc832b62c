"""Breakers: whether a destination, or a server, is worth calling. Closed, open until a time, then one message decides.

That of the daemon (`Breaker`) opens when `threshold` attempts in a row have found no host that would talk, and when these are a whole
cohort: as many as there may be sessions at once. Twenty sessions that all run into the same moment are one piece of news, not twenty. It
stays open for `first` seconds, twice as long each time, at most `longest`. What was under way when it opened, and fails too, says
nothing new. An operator may know better: at his word one message finds out at once.

That of a program (`CircuitBreaker`) is as its specification has it. Time comes in as an argument, in seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailer.mail.outcome import BreakerState


@dataclass(slots=True)
class Breaker:
    """What the attempts of late have taught about one destination."""

    threshold: int = 3
    first: float = 60.0
    longest: float = 900.0
    failures: int = 0
    """Attempts in a row that failed."""

    open_until: float = 0.0
    """0.0 while it is closed."""

    reason: str = ""
    ours: bool = False
    """Whether it is we who have to mend something: a wrong password."""

    opened: int = 0
    """How often it has opened since it was closed."""

    cohorts: float = 0.0

    def allows(self, now: float, running: int) -> bool:
        """Whether another session may be tried now; half-open means that one may, and only one."""
        return not self.open_until or (now >= self.open_until and running == 0)

    def succeeded(self) -> bool:
        """Note that a host talked to us: closed. Returns whether it was open before."""
        if not self.failures:
            return False
        was_open = bool(self.open_until)
        self.reset()
        return was_open

    def failed(self, now: float, reason: str, cohort: float = 1.0) -> None:
        """Note that no host would talk to one of a `cohort` of sessions."""
        self.reason = reason
        if self.is_open(now):
            return
        self.failures += 1
        self.cohorts += 1 / max(cohort, 1.0)
        self.ours = False
        if self.open_until or (self.failures >= self.threshold and self.cohorts > 1 - 1e-9):
            self.open_until = now + min(self.first * 2 ** min(self.opened, 30), self.longest)
            self.opened += 1

    def trip(self, now: float, reason: str) -> None:
        """Open at once, and it is our fault: whatever comes next would fail the same way."""
        self.open_until = self.open_until or now
        self.failed(now, reason)
        self.ours = True

    def half_open(self, now: float) -> None:
        """Let one message find out now, as an operator says that it is worth a try.

        If it fails, the wait is no longer than this one was.
        """
        self.failures = max(self.failures, 1)
        self.open_until = now
        self.opened = max(self.opened - 1, 0)

    def reset(self) -> None:
        """Close: what was learned was learned of something else."""
        self.failures = self.opened = 0
        self.open_until = self.cohorts = 0.0
        self.reason = ""
        self.ours = False

    def is_open(self, now: float) -> bool:
        """Whether the breaker is open, so that mail should wait elsewhere."""
        return now < self.open_until

    def state(self, now: float) -> BreakerState:
        """``closed``, ``open``, or ``half-open``: one message finds out."""
        return "closed" if not self.open_until else "open" if now < self.open_until else "half-open"


class CircuitBreaker:
    """The breaker of [002] §7.1.2, for one server.

    It opens after `threshold` failures in a row within `window` seconds, lets one send at a time find out after `recovery` seconds, and
    closes after `successes` of those; one failure opens it again. A send asks `blocked`, takes a ticket with `enter`, and hands it back
    with how it went. A ticket from before the breaker opened or closed counts no more: what was under way while it changed its mind
    must not be taken for the one send that is to decide.
    """

    __slots__ = ("_enabled", "_era", "_failures", "_open_until", "_probing", "_recovery", "_successes", "_wanted", "_window")

    def __init__(self, threshold: int, window: float, recovery: float, successes: int, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._failures: deque[float] = deque(maxlen=threshold)
        self._window = window
        self._recovery = recovery
        self._wanted = successes
        self._open_until: float | None = None  # None: closed; past: half-open
        self._probing = False
        self._successes = 0  # since it is half-open
        self._era = 0  # counts how often it opened or closed

    def state(self, now: float) -> BreakerState:
        """``closed``, ``open`` or ``half-open``."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half-open"

    def blocked(self, now: float) -> float:
        """The seconds after which it is worth asking again; 0 if a send may go."""
        if self._open_until is None:
            return 0.0
        if now < self._open_until:
            return self._open_until - now
        return self._recovery if self._probing else 0.0

    def enter(self) -> int:
        """Let a send go; returns its ticket."""
        self._probing = self._open_until is not None
        return self._era

    def succeeded(self, ticket: int) -> None:
        """Note that the server did its part, whatever it thinks of the message."""
        if ticket != self._era:
            return
        self._failures.clear()
        self._probing = False
        if self._open_until is not None:
            self._successes += 1
            if self._successes >= self._wanted:
                self._turn(None)

    def failed(self, ticket: int, now: float) -> None:
        """Note that the server did not do its part."""
        if ticket != self._era or not self._enabled:
            return
        self._failures.append(now)
        full = len(self._failures) == self._failures.maxlen and now - self._failures[0] <= self._window
        if full or self._open_until is not None:
            self._turn(now + self._recovery)

    def left(self, ticket: int) -> None:
        """Note that nothing was learned."""
        if ticket == self._era:
            self._probing = False

    def _turn(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._failures.clear()
        self._probing = False
        self._successes = 0
        self._era += 1
