"""The page that a monitoring system reads, made anew for each reader.

Nothing is kept for this but `Counts`: how much waits and is under way is asked of the scheduler when somebody wants to know. It is
read from another thread than the one that changes it, so a page may be some messages behind itself, and no lock holds up mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mailer.mail.history import RECIPIENT_STATUS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIApplication

    from prometheus_client.core import Metric

    from mailer.queue.invariants import Invariants
    from mailer.queue.scheduler import Scheduler

    from .counts import Counts

OUTCOMES = {**RECIPIENT_STATUS, "delivered": "delivered"}
"""The words for verdicts: those of the log and of `mailer status`, but for "sent", which a recipient is not."""


class Figures(Collector):
    """All figures at the moment that they are asked for."""

    def __init__(self, counts: Counts, scheduler: Scheduler, invariants: Invariants) -> None:
        self.counts = counts
        self.scheduler = scheduler
        self.invariants = invariants

    def collect(self) -> Iterator[Metric]:
        """The figures, one family after the other."""
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        counts = self.counts
        yield CounterMetricFamily(
            "mailer_messages_seen", "Messages that were read for a first attempt; again after a restart, if none was made.", counts.seen
        )
        recipients = CounterMetricFamily(
            "mailer_recipients", "What attempts led to, by recipient; one that is put off counts each time.", labels=["outcome"]
        )
        for verdict, number in counts.outcomes.copy().items():
            recipients.add_metric([OUTCOMES[verdict]], number)
        yield recipients
        alarms = CounterMetricFamily("mailer_alarms", "Alarms that were told in the log, by what they are about.", labels=["what"])
        for what, number in counts.alarms.copy().items():
            alarms.add_metric([what], number)
        yield alarms
        yield CounterMetricFamily(
            "mailer_invariant_violations", "Messages that nobody was going to deliver: found, told and mended.", self.invariants.violations
        )

    def _gauges(self) -> Iterator[Metric]:
        backlog = self.scheduler.backlog()
        yield GaugeMetricFamily("mailer_messages_waiting", "Messages that wait on disk for their time or turn.", backlog["waiting"])
        yield GaugeMetricFamily("mailer_messages_active", "Messages in memory: being tried, or next.", backlog["active"])
        yield GaugeMetricFamily("mailer_sessions", "Sessions with other hosts.", backlog["sessions"])
        yield GaugeMetricFamily("mailer_destinations", "Destinations that something is known of.", len(self.scheduler.destinations))


def application(figures: Figures) -> WSGIApplication:
    """What answers requests with `figures` and the figures of the process."""
    registry = CollectorRegistry()
    registry.register(figures)
    ProcessCollector(registry=registry)
    made: WSGIApplication = make_wsgi_app(registry)
    return made
