"""Refusals: the share of recipients that were refused for good lately, which is an alarm where it is large.

A single refusal is the business of its sender, who gets a report. Many at once concern whoever operates the machine: its address got a bad
name, a list of recipients is stale, or somebody sends what nobody wants. Counted are recipients who were tried and are done with, delivered
or refused, within the last `WINDOW` seconds; what is put off counts when it is done with, and what an operator cancels, or expires, never.
Of fewer than `LEAST` nothing is said. In memory: a new daemon goes on with an alarm that is open until it has seen as much itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended, Tried
from mailer.io.component import Component

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.alarms.book import AlarmBook
    from mailer.config import Config
    from mailer.events import Event, Events
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.mail.outcome import Outcome

WINDOW = 900.0  # seconds
PART = 30.0  # seconds that are counted together, and between two looks
LEAST = 20  # recipients
SAID = 200  # characters of a reply


class RefusedShare(Component):
    """Counts what `events` tell, and tells them when more than ``alarm.refused`` of it is refused. What is open, `book` knows."""

    def __init__(self, config: Config, events: Events, book: AlarmBook, clock: Clock, chores: Chores) -> None:
        self._config = config
        self._events = events
        self._book = book
        self._clock = clock
        self._chores = chores
        self._began = clock.now()
        self._parts: dict[int, list[int]] = {}
        """By the number of the part: how many were delivered, how many refused."""
        self._last: Outcome | None = None

    async def start(self) -> None:
        """Begin to count."""
        self._began = self._clock.now()
        self._events.listeners.append(self)
        self._chores.every(PART, self.look)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Measure by the share that another configuration has."""
        yield
        self._config = config

    async def stop(self, _grace: float) -> None:
        """Hear nothing more."""
        self._events.listeners.remove(self)

    def told(self, event: Event) -> None:
        """Count the recipients who were tried and are done with."""
        if type(event) is not Tried:
            return
        for outcome in event.outcomes:
            verdict = outcome.verdict
            if verdict == "delivered" or (verdict == "fail" and outcome.counts):
                part = self._parts.setdefault(int(event.at // PART), [0, 0])
                part[verdict == "fail"] += 1
                if verdict == "fail":
                    self._last = outcome

    def look(self) -> None:
        """Tell whether too much was refused lately."""
        now, most = self._clock.now(), self._config.alarm.refused
        newest = int(now // PART)
        oldest = newest - int(WINDOW // PART)
        self._parts = {at: part for at, part in self._parts.items() if oldest < at <= newest}  # beyond `newest`: the clock was set back
        refused = sum(part[1] for part in self._parts.values())
        tried = refused + sum(part[0] for part in self._parts.values())
        share = refused / tried if tried else 0.0
        if tried >= LEAST and share > most:
            self._events.tell(Alarm(now, "rejected", self._text(refused, tried, share)))
        elif self._book.has("rejected") and (tried >= LEAST or most >= 1 or not 0 <= now - self._began < WINDOW):
            self._events.tell(Mended(now, "rejected", detail=f"{refused} of {tried} recipients within the last {WINDOW / 60:.0f} minutes"))

    def _text(self, refused: int, tried: int, share: float) -> str:
        text = f"{refused} of {tried} recipients ({share:.0%}) were refused for good within {WINDOW / 60:.0f} minutes"
        if self._last is None:
            return text
        host = f"{self._last.hop.host}: " if self._last.hop.host else ""
        return f"{text}; last {host}{self._last.told[:SAID]}"
