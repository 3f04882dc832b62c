"""Outages: which destinations are down, told as alarms that begin and end.

Looked at once a second and only where something has changed, so it costs a message nothing. A destination is down while its breaker is not
closed; a relay also where one message fails and nothing else is tried, for a breaker takes several. Where that is for a reason of ours (a
login that is refused), whoever met it has told that alarm, and a second would say the same. A relay that is down is critical. One MX host
of the whole internet that is down is good to know, and more only if much waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.mail.dates import rfc3339
from mailer.mail.outcome import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.alarms.book import AlarmBook
    from mailer.events import Event, Standings
    from mailer.mail.alarm import AlarmKind, OpenAlarm, Severity

    from .destination import Destination
    from .scheduler import Scheduler

FEW_TRIES = 30.0  # seconds without a success after a failure at a relay
MUCH = 100  # messages that wait for an MX host: more than a dead domain gets
ABOUT: frozenset[AlarmKind] = frozenset(("destination", "certificate", "login", "refused"))
"""The kinds of alarms whose key is a destination."""

CERTIFICATE = "ca_file or tls_fingerprint of the relay, if it is right; {probe} shows the certificate"
HOST = "the host, and the way there: {probe} finds out how far it gets"


class Outages:
    """Tells which of the `scheduler`'s destinations are down, or are no more. What is open, `book` knows."""

    def __init__(self, scheduler: Scheduler, book: AlarmBook, tell: Callable[[Event], None]) -> None:
        self._scheduler = scheduler
        self._book = book
        self._tell = tell
        self._down: set[str] = set()
        self._failing: dict[str, float] = {}
        self._marks: dict[tuple[AlarmKind, str], tuple[int, int]] = {}

    def look(self, news: Standings | None, now: float) -> None:
        """Look at what has changed at the destinations, and at those about which an alarm is open; `now` in seconds since the epoch."""
        for standing in news.changed if news else ():
            destination = self._scheduler.destinations.get(standing.key)
            if destination is None or destination.breaker.ours:
                continue
            if destination.breaker.open_until:
                self._is_down(destination, now)
            elif destination.breaker.failures and standing.kind == "relay":
                self._failing.setdefault(standing.key, now)
        for key, since in [*self._failing.items()]:
            destination = self._scheduler.destinations.get(key)
            if destination is None or not destination.breaker.failures or destination.breaker.open_until:
                del self._failing[key]
            elif now - since >= FEW_TRIES:
                del self._failing[key]
                self._is_down(destination, now)
        marks: dict[tuple[AlarmKind, str], tuple[int, int]] = {}
        for alarm in self._book.about(ABOUT):
            if how := self._end(alarm, marks):
                self._down.discard(alarm.key)
                self._tell(Mended(now, alarm.kind, alarm.key, how))
        self._marks = marks

    def _is_down(self, destination: Destination, now: float) -> None:
        breaker, waiting, trouble = destination.breaker, len(destination.late), destination.trouble
        relay = destination.key.startswith("relay:")
        severity: Severity = "critical" if relay else "warning" if waiting >= MUCH else "notice"
        wrong = trouble is not None and trouble.cause is Cause.TLS
        look = (
            f"next look {rfc3339(int(breaker.open_until))}" if breaker.open_until > now else "what waits finds out whether it answers again"
        )
        text = f"{destination.key} is down: {breaker.reason}; {waiting} {'waits' if waiting == 1 else 'wait'}; {look}"
        self._down.add(destination.key)
        probe = f"`mailer probe {destination.key.removeprefix('relay:')}`" if relay else "`mailer probe`"
        kind: AlarmKind = "certificate" if wrong else "destination"
        self._tell(Alarm(now, kind, text, destination.key, (CERTIFICATE if wrong else HOST).format(probe=probe), severity))

    def _end(self, alarm: OpenAlarm, marks: dict[tuple[AlarmKind, str], tuple[int, int]]) -> str:
        """How the alarm has ended; empty if it has not."""
        destination = self._scheduler.destinations.get(alarm.key)
        known = alarm.key in self._down
        place = alarm.kind, alarm.key
        if destination is None:
            marks[place] = (alarm.times, 0)  # it will begin with none
            return f"nothing goes to {alarm.key} any more" if known else ""
        if known and not destination.breaker.failures:
            return f"{alarm.key} is up"
        times, successes = self._marks.get(place, (0, 0))
        if times == alarm.times and destination.successes > successes and not destination.breaker.open_until:
            return f"{alarm.key} takes mail"
        marks[place] = (alarm.times, successes if times == alarm.times else destination.successes)
        return ""
