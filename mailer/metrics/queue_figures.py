"""The queue at the moment that it is asked for: how much waits and why, since when, and what its disk has left. Read from another thread.

Nothing is kept for this: the daemon's memory is looked at when somebody wants to know, so a figure may be some messages behind another one.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from mailer.mail.outcome import BreakerState, WaitKind
from mailer.spool import is_id, put_at
from mailer.suppression.api import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.queue.manager import QueueManager

State = Literal["fresh", "later", "active"]

STATES: dict[State, str] = {"fresh": "queued", "later": "deferred", "active": "active"}
"""What a state is called in figures: it waits for its turn alone, or for its time, or is in memory: being tried, or next."""

REASONS = ("retry", "turn", "sending", *(kind for kind in get_args(WaitKind) if kind))
"""Why a message waits: until it is tried again, for its turn, not at all, or for what its destination waits for."""


class Disk(NamedTuple):
    """What the file system of the spool has: bytes in all and free, and free inodes."""

    size: int
    free: int
    inodes: int

    @classmethod
    def of(cls, place: str) -> Disk:
        """Raises `OSError`."""
        about = os.statvfs(place)
        return cls(about.f_blocks * about.f_frsize, about.f_bavail * about.f_frsize, about.f_favail)


class QueueFigures:
    """What `manager` has to do."""

    def __init__(self, manager: QueueManager) -> None:
        self.manager = manager
        self.scheduler = manager.current.context.scheduler

    def oldest(self) -> Mapping[str, float]:
        """When the oldest message of each state was put, in seconds since the epoch; a state without one is absent."""
        found: dict[str, float] = {}
        for state, name in STATES.items():
            first = min((min(ids) for ids in self.scheduler.ids(state) if ids), default="")
            if is_id(first):
                found[name] = put_at(first)
        return found

    def reasons(self, now: float) -> Mapping[str, int]:
        """How many messages wait for what, at `now` (seconds since the epoch). One with several destinations may count for each."""
        scheduler = self.scheduler
        found = Counter(dict.fromkeys(REASONS, 0))
        parked = 0
        for destination in [*scheduler.destinations.values()]:
            lot = destination.lot.count if destination.lot else 0
            parked += lot
            if waiting := len(destination) + lot:
                found[destination.why(now).kind or "turn"] += waiting
        found["sending"] = scheduler.running
        on_disk = scheduler.backlog()["waiting"]
        ripe = min(scheduler.ripe, on_disk)
        found["turn"] += ripe
        later = max(on_disk - ripe - parked, 0)
        for reason, suspended in self.manager.suspended.counts().items():
            some = min(suspended, later)
            found[reason] += some
            later -= some
        found["retry"] = later
        return found

    def suppressed(self) -> Mapping[str, int]:
        """How many recipients were not mailed since the daemon started, by why they are on the suppression list."""
        counts = self.manager.suppressed.counts.copy()
        return {reason.value: counts[reason] for reason in Reason}

    def breakers(self, now: float) -> list[tuple[BreakerState, str, int]]:
        """For each destination the state of its breaker, and the host and port that are called first there."""
        found: list[tuple[BreakerState, str, int]] = []
        for destination in [*self.scheduler.destinations.values()]:
            hops = destination.route.hops
            host, port = (hops[0].endpoint.host, hops[0].endpoint.port) if hops else ("", 0)
            found.append((destination.breaker.state(now), host, port))
        return found
