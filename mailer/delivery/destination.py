"""A destination: what shares a fate. Its queue, how many sessions it may have, and whether it is to be left alone.

A destination is a relay, or the normalised set of MX hosts, so that all domains of one operator share
their limits. What is known of it outlives its jobs: a destination with one message at a time must not
forget its failures. Everything here is pure; time comes in as an argument, in seconds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .attempt import Job

PRIORITY = {"high": 0, "normal": 1, "low": 2}


@dataclass(slots=True)
class Window:
    """How many sessions a destination may have at once: grows by 1/N per success, shrinks by one per failure of a host.

    Feedback of 1/N rather than 1 keeps a window near a limit that the other side enforces, instead of
    running into it over and over (Postfix SCHEDULER_README measures both).
    """

    size: float
    cap: int

    def succeeded(self) -> None:
        """A message went through."""
        self.size = min(self.size + 1 / self.size, self.cap)

    def failed(self) -> None:
        """A host refused to talk or broke off."""
        self.size = max(self.size - 1, 1.0)


@dataclass(slots=True)
class Breaker:
    """Whether a destination is worth calling: closed, open until a time, then one call decides.

    Opens when `threshold` attempts in a row found no host that would talk; stays open for `first`
    seconds, twice as long each time, at most `longest`. What was under way when it opened, and fails too, says
    nothing new.
    """

    threshold: int = 3
    first: float = 60.0
    longest: float = 900.0
    failures: int = 0
    open_until: float = 0.0
    reason: str = ""
    ours: bool = False
    """Whether it is we who have to mend something: a wrong password."""

    def allows(self, now: float, running: int) -> bool:
        """Whether another session may be tried now; half-open means that one may, and only one."""
        if self.failures < self.threshold:
            return True
        return now >= self.open_until and running == 0

    def succeeded(self) -> None:
        """A host talked to us: closed."""
        self.failures = 0
        self.reason = ""
        self.ours = False

    def failed(self, now: float, reason: str) -> None:
        """No host of it would talk."""
        self.reason = reason
        if self.is_open(now):
            return
        self.failures += 1
        self.ours = False
        if self.failures >= self.threshold:
            opened = min(self.failures - self.threshold, 30)
            self.open_until = now + min(self.first * 2**opened, self.longest)

    def trip(self, now: float, reason: str) -> None:
        """Open at once, and it is our fault: whatever comes next would fail the same way."""
        self.failures = max(self.failures, self.threshold - 1)
        self.failed(now, reason)
        self.ours = True

    def is_open(self, now: float) -> bool:
        """Whether mail that waits for it should wait elsewhere."""
        return self.failures >= self.threshold and now < self.open_until


@dataclass(slots=True)
class Destination:
    """The queue, window and breaker of what is called `key`; `running` sessions are at work."""

    key: str
    window: Window
    breaker: Breaker = field(default_factory=Breaker)
    running: int = 0
    _queue: list[tuple[int, int, Job]] = field(default_factory=list)
    _serial: count[int] = field(default_factory=count)

    def add(self, job: Job) -> None:
        """Queue `job` behind those of its priority."""
        heapq.heappush(self._queue, (PRIORITY.get(job.priority, 1), next(self._serial), job))

    def take(self) -> Job | None:
        """The next job, or None."""
        return heapq.heappop(self._queue)[2] if self._queue else None

    def take_all(self) -> list[Job]:
        """All that wait, in order: they are put off together."""
        jobs = [job for _, _, job in sorted(self._queue, key=lambda item: item[:2])]
        self._queue.clear()
        return jobs

    def __len__(self) -> int:
        return len(self._queue)

    def has_room(self, now: float) -> bool:
        """Whether one more session would find work and is allowed now."""
        return bool(self._queue) and self.running < int(self.window.size) and self.breaker.allows(now, self.running)
