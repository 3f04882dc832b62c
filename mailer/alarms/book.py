"""The book of alarms: which are open. In memory; told once, and written down so that the next daemon goes on with it.

An alarm is known by kind and key. Met for the first time it begins; met again it is counted; it ends when somebody says so, or when
it was not met for as long as its kind says (`kinds.KindOfAlarm.quiet`). What a daemon before had open is open still, and is not told
again: if it is not met within `INHERITED` seconds, or as long as its kind may be quiet, it ended while nobody looked. What was wrong
with that daemon itself (`kinds.KindOfAlarm.own`) has ended with it, and is over after `AT_START` seconds.

There is a bound, for each destination is a key: beyond `MOST` the mildest and oldest makes room, and what is milder than all is not told.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from mailer.events import Alarm, AlarmBegun, AlarmOver, AlarmsOpen
from mailer.mail.alarm import OpenAlarm

from .kinds import KINDS, SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mailer.events import Mended
    from mailer.mail.alarm import AlarmKind

INHERITED = 3600.0  # seconds: what mail meets is tried again by then, for no breaker stays open for so long
AT_START = 10.0  # seconds in which a process that goes on beside us says again what it has met
MOST = 1000  # alarms that are open
ENDS = 100  # of alarms, that wait to be asked for
LONGEST = 2000  # characters of a text

Place = tuple["AlarmKind", str]


class AlarmBook:
    """The alarms that are open. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[Place, OpenAlarm] = {}
        self._inherited: dict[Place, float] = {}
        self._ended: deque[AlarmOver] = deque(maxlen=ENDS)
        self._ousted: list[AlarmOver] = []
        """The ends of those that made room, until they are told."""
        self._changed = True

    @property
    def alarms(self) -> list[OpenAlarm]:
        """What is open now, the worst first, and of these the oldest."""
        with self._lock:
            found = [*self._open.values()]
        return sorted(found, key=lambda each: (-SEVERITIES.index(each.severity), each.since, each.kind, each.key))

    def has(self, kind: AlarmKind, key: str = "") -> bool:
        """Whether this alarm is open."""
        return (kind, key) in self._open

    def about(self, kinds: Collection[AlarmKind]) -> list[OpenAlarm]:
        """The open alarms of these kinds."""
        if not self._open:
            return []
        with self._lock:
            return [alarm for alarm in self._open.values() if alarm.kind in kinds]

    def inherit(self, alarms: Iterable[OpenAlarm], now: float) -> None:
        """Go on with what was open when the daemon before ended; `now` in seconds since the epoch."""
        with self._lock:
            for alarm in alarms:
                place = alarm.kind, alarm.key
                since = self._open.get(place, alarm)
                if not (KINDS[alarm.kind].own and place in self._open):  # which we have met ourselves
                    self._inherited[place] = now
                self._open[place] = since._replace(since=min(alarm.since, since.since), told=alarm.told or since.told)
            self._changed = True

    def heard(self, event: Alarm | Mended) -> AlarmBegun | AlarmOver | None:
        """What is told instead of `event`; None where that was told before, or nothing is open that could end."""
        with self._lock:
            place = event.what, event.key
            if isinstance(event, Alarm):
                return self._met(place, event)
            alarm = self._open.get(place)
            return None if alarm is None else self._end(alarm, event.at, event.detail or "it is over")

    def lapse(self, now: float) -> list[AlarmOver]:
        """End what was not met for so long that it is over, at `now` (seconds since the epoch); and what has made room for another."""
        if not self._open:
            return []
        with self._lock:
            ousted, self._ousted = self._ousted, []
            return ousted + [self._end(alarm, now, why) for alarm in [*self._open.values()] if (why := self._past(alarm, now))]

    def ended(self) -> list[AlarmOver]:
        """What has ended since this was asked last, of the last `ENDS`."""
        found: list[AlarmOver] = []
        while self._ended:
            found.append(self._ended.popleft())
        return found

    def tell_of(self, alarm: OpenAlarm) -> None:
        """Note that a person was told of `alarm`."""
        with self._lock:
            place = alarm.kind, alarm.key
            if place in self._open:
                self._open[place] = self._open[place]._replace(told=True)
                self._changed = True

    def news(self, now: float) -> AlarmsOpen | None:
        """What is open, if that has changed since the last time this was asked."""
        if not self._changed:
            return None
        with self._lock:
            self._changed = False
            return AlarmsOpen(now, [*self._open.values()])

    def _met(self, place: Place, event: Alarm) -> AlarmBegun | None:
        kind = KINDS[event.what]
        severity, remedy = event.severity or kind.severity, event.remedy or kind.remedy
        text, before = event.detail[:LONGEST], self._open.get(place)
        self._inherited.pop(place, None)
        self._changed = True
        if before is not None:
            met = before._replace(last=event.at, times=before.times + 1, severity=severity, text=text, remedy=remedy)
            self._open[place] = met
            return None
        alarm = OpenAlarm(event.what, event.key, event.at, event.at, 1, severity, text, remedy)
        if len(self._open) >= MOST:
            if severity == SEVERITIES[0]:  # there may be very many such
                return None
            mildest = min(self._open.values(), key=lambda each: (SEVERITIES.index(each.severity), each.since))
            if SEVERITIES.index(mildest.severity) >= SEVERITIES.index(severity):
                return None
            self._ousted.append(self._end(mildest, event.at, f"it is not followed any more: {MOST} worse or newer ones are open"))
        self._open[place] = alarm
        return AlarmBegun(event.at, alarm)

    def _end(self, alarm: OpenAlarm, now: float, how: str) -> AlarmOver:
        place = alarm.kind, alarm.key
        del self._open[place]
        self._inherited.pop(place, None)
        self._changed = True
        over = AlarmOver(now, alarm, how)
        self._ended.append(over)
        return over

    def _past(self, alarm: OpenAlarm, now: float) -> str:
        """How it came to an end by itself; empty if it did not."""
        kind = KINDS[alarm.kind]
        since = self._inherited.get((alarm.kind, alarm.key))
        if since is not None:
            if kind.own:
                return "the process that met it has ended" if now - since >= AT_START else ""
            patience = max(INHERITED, kind.quiet)
            return "it was not met again since the daemon started" if now - since >= patience else ""
        return "it was not met again" if kind.quiet and now - alarm.last >= kind.quiet else ""
