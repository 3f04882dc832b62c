"""What is counted of events. Numbers in memory and nothing else, for this is told of every message.

They begin with 0 when the daemon starts, as counters of Prometheus may. All that there can be are there from the beginning, but for those
of hosts: a counter that appears with its first 1 has not grown, and the alert on its growth stays silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from mailer.dsn.reported import ReportKind
from mailer.events import AlarmBegun, ReportsHeard, Seen, Tried
from mailer.mail.alarm import AlarmKind
from mailer.mail.history import RECIPIENT_STATUS

from .deliveries import KINDS, Deliveries, kind
from .hosts import Hosts
from .incoming import IncomingCounts
from .sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailer.events import Event
    from mailer.queue.destination import Destination

REPORTS = tuple(map(str, ReportKind))
TRUSTS = ("token", "ours", "none")  # as in `mailer.bounces.matching`

HOSTS = 50  # rows, where nothing else is configured


class Counts:
    """A listener that counts: messages that were `seen`, outcomes of recipients by verdict, why they failed, alarms by what they are about,
    and `reports` of other hosts by kind and trust.

    What concerns one host is in the rows of `hosts`; `incoming` is about the doors; `sessions` is told by the pool. `ready`: the daemon
    delivers.
    """

    def __init__(self, most: int = HOSTS, relays: Mapping[tuple[str, int], str] | None = None) -> None:
        self.seen = 0
        self.ready = False
        self.outcomes = dict.fromkeys(RECIPIENT_STATUS, 0)
        self.failures = dict.fromkeys(KINDS, 0)
        self.alarms = dict.fromkeys(get_args(AlarmKind), 0)
        self.reports = dict.fromkeys(((kind, trust) for kind in REPORTS for trust in TRUSTS), 0)
        self.incoming = IncomingCounts()
        self.hosts = Hosts(most, relays or {})
        self.sessions = Sessions(self.hosts)
        self._deliveries = Deliveries(self.hosts)

    def told(self, event: Event) -> None:
        """Count `event`, if it is one that is counted."""
        if isinstance(event, Tried):
            for outcome in event.outcomes:
                self.outcomes[outcome.verdict] += 1
                if outcome.verdict != "delivered" and outcome.counts:
                    self.failures[kind(outcome)] += 1
            self._deliveries.tried(event)
        elif isinstance(event, Seen):
            self.seen += 1
        elif isinstance(event, AlarmBegun):
            self.alarms[event.alarm.kind] = self.alarms.get(event.alarm.kind, 0) + 1
        elif isinstance(event, ReportsHeard):
            for report in event.reports:
                if not report.nth and (report.kind, report.trust) in self.reports:
                    self.reports[report.kind, report.trust] += 1
        else:
            self.incoming.told(event)

    def limited(self, destination: Destination) -> None:
        """Count that a rate of ours keeps mail of `destination` waiting."""
        if self.sessions.counting and destination.route.hops:
            endpoint = destination.route.hops[0].endpoint
            row = self.hosts.row(endpoint.host, endpoint.port)
            row.recent -= 1
            row.limited += 1
