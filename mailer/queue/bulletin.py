"""The bulletin: how it stands with the destinations, told to the status database when it has changed.

What makes mail wait (a window, a breaker, a pause, a rate) is in the daemon's memory, and commands are other processes. So the
service asks once a second what is new. A destination at rest costs a comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Standings
from mailer.status.destinations import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .destination import Destination

EVERY = 1.0  # seconds


class DestinationStates:
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
            before = told.get(key)
            if before is None or not _rests(destination, before):
                standing = standing_of(destination, now)
                if standing != before:
                    changed.append(standing)
                before = standing
            self._told[key] = before
        gone = [key for key in told if key not in self._told]
        if not (changed or gone or self._first):
            return None
        first, self._first = self._first, False
        return Standings(now, changed, gone, first)


def _rests(destination: Destination, before: Standing) -> bool:
    """Whether nothing has happened there, and nothing was going on: of ten thousand destinations, nearly all."""
    if destination.running or before.sessions or before.waiting or len(destination) or destination.lot:
        return False
    if destination.breaker.failures or before.failures or destination.paused_until or before.paused_until:
        return False
    return destination.last_at == before.last_at and destination.window.size == before.window


def standing_of(destination: Destination, now: float) -> Standing:
    """How it stands with one."""
    breaker = destination.breaker
    wait = destination.why(now)
    paused = destination.paused_until > now
    return Standing(
        destination.key,
        len(destination) + (destination.lot.count if destination.lot else 0),
        destination.running,
        destination.window.size,
        destination.window.cap,
        breaker.state(now),
        breaker.failures,
        breaker.open_until,
        breaker.reason,
        destination.paused_until if paused else 0.0,
        destination.pause_reason if paused else "",
        wait.until if wait.kind == "rate" else 0.0,
        destination.last_reply,
        destination.last_at,
        *wait,
    )
