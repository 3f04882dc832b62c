"""Which hosts have a row of figures: no more than ``metrics.hosts``, the busiest of the last day; all others are counted together.

A host is a relay by its name, or the operator of an MX host: the part of its name that somebody has registered, so that the hundred
hosts of one operator are one. Each value of a label is a time series that the other side keeps for ever, and whoever sends us mail to
forward can make us call any host: so whoever comes first has a row while there is room, and once an hour it is looked who has been
busiest in the last day. Who loses his row begins anew, with 0, should he get one again, as counters of Prometheus may. What is counted
for `other` is never taken back, so that its counters only grow.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

from .row import HostRow

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER = "other"
NOWHERE = "none"
"""The host of what failed before any was called."""

HOUR = 3600.0  # seconds between two looks at who is busy
HOURS = 24
LEAST = 1000  # hosts without a row that are counted one by one, to know who should have one
MANY = 10_000  # names of hosts whose row is known at once
LONGEST = 100  # characters of a label

_SECOND = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "gv", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc", "sch"})
"""Labels below which countries register names: the list of all such suffixes is long, and changes; a mistake here costs a row."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.:")


def operator(host: str) -> str:
    """The operator of a host: ``google.com`` for ``alt1.aspmx.l.google.com``; an address is its own."""
    name = host.lower().rstrip(".")[:LONGEST]
    if not _LETTERS.issuperset(name):  # the DNS has any octets
        return OTHER
    labels = name.split(".")
    if ":" in name or labels[-1].isdigit():
        return name
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND
    return ".".join(labels[-3:] if country else labels[-2:]) or OTHER


class Hosts:
    """The rows of at most `most` hosts, and that of the `other` ones. `relays` are the names of those that have one, by host and port."""

    def __init__(self, most: int, relays: Mapping[tuple[str, int], str]) -> None:
        self.other = HostRow(OTHER)
        self.rows: dict[str, HostRow] = {}
        self._known: dict[tuple[str, int], HostRow] = {}
        self._outside: dict[str, int] = {}  # how often those without a row were called since the last look
        self._day: deque[dict[str, int]] = deque(maxlen=HOURS - 1)
        self._look_at = 0.0
        self.change(most, relays)

    def change(self, most: int, relays: Mapping[tuple[str, int], str]) -> None:
        """Let there be another number of rows, and other relays."""
        self.most = most
        self.relays = relays
        self._known = {}
        for label in list(self.rows)[most:]:
            del self.rows[label]

    def label(self, host: str, port: int) -> str:
        """What the host at that port is called in figures, should it have a row."""
        if not host:
            return NOWHERE
        return self.relays.get((host, port)) or operator(host)

    def row(self, host: str, port: int) -> HostRow:
        """The row that counts for a host, which was called once more."""
        row = self._known.get((host, port))
        if row is None:
            row = self._find(host, port)
        row.recent += 1
        return row

    def _find(self, host: str, port: int) -> HostRow:
        label = self.label(host, port)
        row = self.rows.get(label)
        if row is None and len(self.rows) < self.most and label != OTHER:
            row = self.rows[label] = HostRow(label)
        if row is None:
            self._outside[label] = self._outside.get(label, 0) + 1
            if len(self._outside) > 2 * self._kept:
                self._outside = self._busiest(self._outside, self._kept)
            return self.other
        if len(self._known) >= MANY:
            self._known = {}
        self._known[host, port] = row
        return row

    @property
    def _kept(self) -> int:
        return max(LEAST, 4 * self.most)

    @staticmethod
    def _busiest(counts: Mapping[str, int], most: int) -> dict[str, int]:
        return {label: counts[label] for label in heapq.nlargest(most, counts, key=counts.__getitem__)}

    def look(self, now: float) -> None:
        """Give the rows to those who were busiest in the last day; once an hour, `now` being seconds since the epoch."""
        if not (self._look_at <= now or now < self._look_at - HOUR):  # or the clock was set back
            return
        first, self._look_at = not self._look_at, now + HOUR
        if first:
            return
        hour = {label: row.recent for label, row in self.rows.items() if row.recent}
        hour.update(self._outside)
        for row in self.rows.values():
            row.recent = 0
        self._outside, self.other.recent = {}, 0
        hour = self._busiest(hour, self._kept)
        day = dict.fromkeys(self.rows, 0)  # of equals, those stay who have a row
        for counts in (*self._day, hour):
            for label, count in counts.items():
                day[label] = day.get(label, 0) + count
        self._day.append(hour)
        day.pop(OTHER, None)
        chosen = self._busiest(day, self.most)
        self.rows = {label: self.rows.get(label) or HostRow(label) for label in chosen}
        self._known = {}
