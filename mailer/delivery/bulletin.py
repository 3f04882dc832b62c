"""The bulletin: how it stands with the destinations, told to the status database when it has changed.

What makes mail wait (a window, a breaker, a pause, a rate) is in the daemon's memory, and commands are other processes. So the
service asks once a second what is new. A destination that is at rest costs a comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Standings
from mailer.status.destinations import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .destination import Destination

EVERY = 1.0  # seconds


class Bulletin:
    """Remembers what it told last."""

    def __init__(self) -> None:
        self._told: dict[str, Standing] = {}
        self._first = True

    def news(self, destinations: Iterable[Destination], now: float) -> Standings | None:
        """What has changed since the last time; None if nothing has."""
        told, self._told = self._told, {}
        changed = []
        for destination in destinations:
            key = destination.key
            standing = standing_of(destination, now)
            if told.get(key) != standing:
                changed.append(standing)
            self._told[key] = standing
        gone = [key for key in told if key not in self._told]
        if not (changed or gone or self._first):
            return None
        first, self._first = self._first, False
        return Standings(now, changed, gone, first)


def standing_of(destination: Destination, now: float) -> Standing:
    """How it stands with one."""
    breaker = destination.breaker
    is_open = breaker.is_open(now)
    state = "open" if is_open else "half-open" if breaker.failures >= breaker.threshold else "closed"
    wait, detail, until = _why(destination, now)
    return Standing(
        destination.key,
        len(destination),
        destination.running,
        round(destination.window.size, 2),
        destination.window.cap,
        state,
        breaker.failures,
        breaker.open_until if state != "closed" else 0.0,
        breaker.reason,
        0.0,
        "",
        0.0,
        "",
        0.0,
        wait,
        detail,
        until,
    )


def _why(destination: Destination, now: float) -> tuple[str, str, float]:
    """Why what waits there does: in a word, in many, and until when."""
    breaker, running = destination.breaker, destination.running
    if breaker.is_open(now):
        return "breaker", breaker.reason, breaker.open_until
    if not len(destination):
        return "", "", 0.0
    if running >= int(destination.window.size):
        return "window", f"{running} sessions are at work, and no more are opened yet", 0.0
    if not breaker.allows(now, running):
        return "breaker", f"one session finds out whether it answers again; it did not: {breaker.reason}", 0.0
    return "connections", "all sessions are in use", 0.0
