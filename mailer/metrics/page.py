"""The page that a monitoring system reads, made anew for each reader.

Nothing is kept for this but `Counts`: how much waits and is under way is asked of the daemon's memory when somebody wants to know. It is
read from another thread than the one that changes it, so a page may be some messages behind itself, and no lock holds up mail.
"""

from __future__ import annotations

import gzip
import platform
import time
from collections import Counter
from typing import TYPE_CHECKING, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mailer.mail.alarm import AlarmKind
from mailer.mail.history import RECIPIENT_STATUS

from .certificates import ends
from .host_families import families
from .incoming_families import incoming_families
from .mailbox_families import mailbox_families
from .queue_figures import STATES, Disk
from .text import TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from prometheus_client.core import Metric

    from mailer.hooks.view import EndpointView
    from mailer.journal.component import JournalState
    from mailer.mail.alarm import OpenAlarm
    from mailer.queue.invariants import Invariants

    from .counts import Counts
    from .mailboxes import MailboxCounts
    from .queue_figures import QueueFigures

OUTCOMES = {**RECIPIENT_STATUS, "delivered": "delivered"}
"""The words for verdicts: those of the log and of `mailer status`, but for "sent", which a recipient is not."""


class Figures(Collector):
    """All figures at the moment that they are asked for.

    `place` is the directory of the spool, and `reserve` what has to stay free on its disk, in bytes. `own` are the files of our
    certificates by the relays that are shown them, `version` is that of the daemon. `clock` says what time it is, by which messages wait.
    """

    def __init__(self, counts: Counts, queue: QueueFigures, invariants: Invariants, clock: Callable[[], float] = time.time) -> None:
        self.counts = counts
        self.queue = queue
        self.invariants = invariants
        self.clock = clock
        self.version = ""
        self.place = ""
        self.reserve: Callable[[], int] = int
        self.own: Callable[[], Mapping[str, str]] = dict
        self.traces: Callable[[], Mapping[str, int]] = dict
        self.alarms: Callable[[], Sequence[OpenAlarm]] = list
        self.webhooks: Callable[[], Sequence[EndpointView]] = list
        self.journal: Callable[[], JournalState | None] = lambda: None
        self.sessions: Callable[[], Mapping[str, int]] = dict
        self.mailboxes: Callable[[], MailboxCounts | None] = lambda: None

    def collect(self) -> Iterator[Metric]:
        """The figures, one family after the other; those of hosts are `families`."""
        now = self.clock()
        yield from self._counters()
        yield from incoming_families(self.counts.incoming)
        about = "Clients that are connected to a door for mail, now."
        yield _labelled(GaugeMetricFamily, "mailer_door_sessions", about, "door", self.sessions().items())
        if mailboxes := self.mailboxes():
            yield from mailbox_families(mailboxes)
        yield from self._queue(now)
        yield from self._disk()
        yield from self._endpoints()
        yield from self._journal()
        yield from self._daemon()

    def families(self) -> Iterator[str]:
        """The figures of hosts, as text."""
        return families(self.counts, self.queue.breakers(self.clock()))

    def _counters(self) -> Iterator[Metric]:
        counts = self.counts
        yield CounterMetricFamily(
            "mailer_messages_seen", "Messages that were read for a first attempt; again after a restart, if none was made.", counts.seen
        )
        yield _labelled(
            CounterMetricFamily,
            "mailer_recipients",
            "What attempts led to, by recipient; one that is put off counts each time.",
            "outcome",
            ((OUTCOMES[verdict], number) for verdict, number in counts.outcomes.copy().items()),
        )
        yield _labelled(
            CounterMetricFamily,
            "mailer_failures",
            "Attempts that a recipient got nothing by, by why: the cause, or permanent (5xx) or temporary (4xx) where none is known.",
            "error_kind",
            counts.failures.copy().items(),
        )
        yield _labelled(
            CounterMetricFamily,
            "mailer_alarms",
            "Alarms that were told in the log, by what they are about.",
            "what",
            counts.alarms.copy().items(),
        )
        reports = CounterMetricFamily("mailer_reports", "Reports of other hosts that were acted upon.", labels=["kind", "trust"])
        for labels, many in counts.reports.copy().items():
            reports.add_metric(labels, many)
        yield reports
        open_now = Counter(alarm.kind for alarm in self.alarms())
        yield _labelled(
            GaugeMetricFamily,
            "mailer_alarms_open",
            "Alarms that have begun and not ended, by what they are about.",
            "what",
            ((kind, open_now[kind]) for kind in get_args(AlarmKind)),
        )
        yield CounterMetricFamily(
            "mailer_invariant_violations", "Messages that nobody was going to deliver: found, told and mended.", self.invariants.violations
        )
        yield _labelled(
            CounterMetricFamily,
            "mailer_traces",
            "Attempts whose trace a collector took (sent), or that was given up (dropped), as it took none or there were too many.",
            "result",
            self.traces().items(),
        )

    def _queue(self, now: float) -> Iterator[Metric]:
        scheduler, oldest = self.queue.scheduler, self.queue.oldest()
        backlog = scheduler.backlog()
        yield GaugeMetricFamily("mailer_messages_waiting", "Messages that wait on disk for their time or turn.", backlog["waiting"])
        yield GaugeMetricFamily("mailer_messages_active", "Messages in memory: being tried, or next.", backlog["active"])
        yield _labelled(
            GaugeMetricFamily,
            "mailer_queue_messages",
            "Messages by why they wait; one for several destinations may count for each.",
            "reason",
            self.queue.reasons(now).items(),
        )
        yield _labelled(
            GaugeMetricFamily,
            "mailer_queue_oldest_seconds",
            "The age of the oldest message that waits for its turn (queued) or its time (deferred), or is in memory (active); 0: none.",
            "state",
            ((state, max(now - oldest[state], 0.0) if state in oldest else 0.0) for state in STATES.values()),
        )
        yield _labelled(
            CounterMetricFamily,
            "mailer_suppressed",
            "Recipients who were not mailed because they are on the suppression list, by why they are.",
            "reason",
            self.queue.suppressed().items(),
        )
        yield GaugeMetricFamily("mailer_sessions", "Sessions with other hosts.", backlog["sessions"])
        yield GaugeMetricFamily("mailer_destinations", "Destinations that something is known of.", len(scheduler.destinations))
        breakers = dict.fromkeys(("closed", "half-open", "open"), 0)
        for state, _, _ in self.queue.breakers(now):
            breakers[state] += 1
        about = "Those, by the state of their breakers."
        yield _labelled(GaugeMetricFamily, "mailer_breakers", about, "state", breakers.items())

    def _disk(self) -> Iterator[Metric]:
        try:
            disk = Disk.of(self.place)
        except OSError:
            return
        yield GaugeMetricFamily("mailer_disk_size_bytes", "The size of the file system of the spool.", disk.size)
        yield GaugeMetricFamily("mailer_disk_free_bytes", "What is free there.", disk.free)
        yield GaugeMetricFamily("mailer_disk_free_inodes", "How many more files it has room for.", disk.inodes)
        about = "What has to stay free there (submission.min_free_space): below it mail is refused."
        yield GaugeMetricFamily("mailer_disk_reserve_bytes", about, self.reserve())

    def _endpoints(self) -> Iterator[Metric]:
        """Webhooks; none where there are none."""
        views = self.webhooks()
        if not views:
            return
        posts = CounterMetricFamily(
            "mailer_webhook_posts", "Posts of events to endpoints, by what came of them.", labels=["name", "result"]
        )
        for view in views:
            for result, number in (("good", view.kept.posted), ("failed", view.kept.failed), ("refused", view.kept.refused)):
                posts.add_metric([view.hook.name, result], number)
        yield posts
        gauges: tuple[tuple[str, str, Callable[[EndpointView], float]], ...] = (
            ("up", "Whether the endpoint takes events: it is not switched off, and did not fail last.", lambda view: view.up),
            ("behind_events", "Events that it has not had.", lambda view: view.behind),
            ("behind_seconds", "The age of the oldest of these.", lambda view: view.seconds),
            ("dead_events", "Events that it has refused for good, and that are kept.", lambda view: view.dead),
        )
        for name, about, value in gauges:
            yield _labelled(GaugeMetricFamily, f"mailer_webhook_{name}", about, "name", ((view.hook.name, value(view)) for view in views))
        about = "Events that were deleted from the journal before it had them."
        yield _labelled(CounterMetricFamily, "mailer_webhook_lost_events", about, "name", ((view.hook.name, view.lost) for view in views))

    def _journal(self) -> Iterator[Metric]:
        """As it was a minute ago; nothing where nobody subscribes."""
        state = self.journal()
        if state is None:
            return
        yield GaugeMetricFamily("mailer_journal_events", "Events that the journal keeps.", state.held.events)
        yield GaugeMetricFamily("mailer_journal_size_bytes", "What they take on the disk.", state.held.bytes)
        behind = state.behind.items()
        about = "Events that a reader has not had yet."
        yield _labelled(GaugeMetricFamily, "mailer_journal_behind_events", about, "reader", ((name, each.events) for name, each in behind))
        about = "The age of the oldest event that a reader has not had yet; 0: none."
        yield _labelled(
            GaugeMetricFamily, "mailer_journal_behind_seconds", about, "reader", ((name, each.seconds) for name, each in behind)
        )
        about = "Events that were deleted for the size of the journal before a reader had them."
        yield _labelled(CounterMetricFamily, "mailer_journal_lost", about, "reader", state.lost.items())

    def _daemon(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("mailer_ready", "Whether the daemon delivers: it has read the spool, and is not ending.", self.counts.ready)
        built = GaugeMetricFamily("mailer_build_info", "What runs; the value is always 1.", labels=["version", "python"])
        built.add_metric([self.version, platform.python_version()], 1)
        yield built
        until = GaugeMetricFamily(
            "mailer_certificate_expiry_timestamp_seconds",
            "When a certificate ends that a relay has shown (host), or that it is shown (ours).",
            labels=["host", "whose"],
        )
        for relay, whose, at in ends(self.counts.sessions.certificates, self.own()):
            until.add_metric([relay, whose], at)
        yield until


def _labelled(
    kind: type[CounterMetricFamily | GaugeMetricFamily], name: str, about: str, label: str, samples: Iterable[tuple[str, float]]
) -> Metric:
    made = kind(name, about, labels=[label])
    for value, number in samples:
        made.add_metric([value], number)
    return made


def application(figures: Figures) -> WSGIApplication:
    """What answers requests with `figures` and the figures of the process."""
    registry = CollectorRegistry()
    registry.register(figures)
    ProcessCollector(registry=registry)

    def page(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            known = environ["REQUEST_METHOD"] == "OPTIONS"
            start("200 OK" if known else "405 Method Not Allowed", [("Allow", "OPTIONS,GET")])
            return []
        body = generate_latest(registry) + "".join(figures.families()).encode()
        headers = [("Content-Type", TYPE)]
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
            headers.append(("Content-Encoding", "gzip"))
            body = gzip.compress(body, 1)
        start("200 OK", headers)
        return [body]

    return page
