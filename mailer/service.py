"""The daemon: its components in their order, the signals, and nothing else.

The only place where concrete things are chosen: which clock, which recorder, which listeners. What happens at the start, in this order:
lock the spool, open log and status, hang the doorbell, adopt what is there, open the door, deliver, say that we are ready. At the end, in
the opposite order: begin nothing new, let what runs finish within ``delivery.stop_timeout``, say QUIT, let nobody in any more, write
down the last outcomes, release the lock. Being killed in between loses nothing: the spool is the truth, and the start is the same after a
crash as after a stop.

SIGTERM and SIGINT stop, SIGHUP reads the configuration again. One that cannot be read, or that a component refuses, changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from typing import TYPE_CHECKING

from mailer import __version__
from mailer.accounts.component import ResidentsComponent
from mailer.accounts.sessions.component import SessionsComponent
from mailer.alarms.beside import Neighbours
from mailer.alarms.book import AlarmBook
from mailer.alarms.component import AlarmComponent
from mailer.bounces.hearing import ReportHearing
from mailer.config.advice import closed
from mailer.config.file import load, load_again
from mailer.config.secret import check_ancestors
from mailer.doors import Doors, wanted
from mailer.events import Alarm, Daemon, Events, Mended
from mailer.filing import RulesFiling
from mailer.filtering.learner import LearningComponent
from mailer.hooks.files import FileHookStore
from mailer.hooks.watch import HookWatch
from mailer.intake.component import Doorbell, IntakeComponent
from mailer.io import descriptors
from mailer.io.clock import SystemClock
from mailer.io.collector import quieten_collector
from mailer.io.component import Chores
from mailer.io.lock import sole
from mailer.io.loop import run_loop
from mailer.io.notify import ServiceManager, notify, reloading
from mailer.journal.component import JournalComponent
from mailer.journal.files import journal_of
from mailer.log import SPAN, LogComponent
from mailer.mail.problem import Problem
from mailer.mailbox.component import MailboxesComponent
from mailer.metrics.counts import Counts
from mailer.metrics.exporter import Exporter, relays_of
from mailer.metrics.mailboxes import MailboxCounts
from mailer.metrics.queue_figures import QueueFigures
from mailer.queue.component import Queue
from mailer.queue.recorder import Recorder
from mailer.reports.files import FileReports
from mailer.spool.api import Reserve
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.traces import Reloaded, note_reload, noted, now
from mailer.status import sqlite
from mailer.status.component import StatusComponent, Sweep
from mailer.submit import Submission, forward
from mailer.suppression.component import SuppressionComponent
from mailer.suppression.sqlite import SqliteSuppression
from mailer.tracing.component import Traces
from mailer.transport.local import LocalCourier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mailer.config import Config
    from mailer.config.sections import SubmissionSettings
    from mailer.events import DaemonNews
    from mailer.filtering.component import FilterComponent
    from mailer.io.component import Component
    from mailer.mail.alarm import AlarmKind
    from mailer.scan.opinion import Class
    from mailer.serving.component import ServedDoors

STATES = ("queued", "deferred", "held", "failed")


class Service:
    """One daemon on one spool. `given` is what the command line said: (path of the configuration, spool).

    `hangups` takes whom each SIGHUP is to be told, at whatever moment it comes, or None where nobody is.
    """

    def __init__(
        self, given: tuple[str | None, str | None], *, hangups: Callable[[Callable[[], object] | None], None], once: bool = False
    ) -> None:
        self.given = given
        self.once = once
        self.sessions: Callable[[], Mapping[str, int]] = dict
        self.hangups = hangups
        self.config = load(*given)
        self.clock = SystemClock()
        self.counts = Counts(self.config.metrics.hosts, relays_of(self.config))
        self.book = AlarmBook()
        self.directory = SpoolDirectory(self.config.spool)
        self.spool = FileSpool(self.directory)

    def run(self) -> None:
        """Run until a signal says stop, or with `once` until nothing is due. Raises `Problem`."""
        if os.path.isdir(self.directory.root) and (problem := closed(self.directory.root)):
            raise Problem(problem, "no-permission")
        self.directory.prepare()
        check_ancestors(self.directory.root)
        descriptors.raise_limit()
        quieten_collector()
        root = self.directory.root
        with sole(f"{root}/daemon.lock", f"another daemon runs on the spool {root}"), noted(self.directory):
            run_loop(self._main())

    async def _main(self) -> None:
        self.components = self._build()
        self.stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        async with AsyncExitStack() as ends:
            ends.push_async_callback(self.spool.close)
            self._tell("started", _summary(self.config, self.spool))
            self._tell_sandbox()
            for component in self.components:
                ends.push_async_callback(self._stop, component)
                await component.start()
            self._tell("ready", " ".join(f"{state}={many}" for state, many in (await self._found()).items()))
            self.counts.ready = True
            self.events.tell(Mended(self.clock.now(), "config", detail="it was read"))  # what the daemon before refused is in force
            ends.callback(self.hangups, None)
            self.hangups(lambda: loop.call_soon_threadsafe(self.reload))
            self.chores.begin()
            await self.chores.until(self.stopping)
            self.counts.ready = False
            self._tell("stopping")
            if self.once and not self.stopping.is_set():
                await self._end_pass()

    async def _end_pass(self) -> None:
        """Act upon what has come back meanwhile, unless a signal says stop; then tidy up."""
        heard = asyncio.ensure_future(self._hear_the_rest())
        stopped = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((heard, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if heard.done():
            await heard
            await self.sweep.end_pass()
        else:
            heard.cancel()

    async def _hear_the_rest(self) -> None:
        """Wait for the mailboxes, and act upon what they have brought, and what others have since the start."""
        await self.sources.looked()
        await self.hearing.end_pass()

    async def _found(self) -> dict[str, int]:
        """What is in the spool: how much in each state, and of what was given up, what an operator has cancelled apart."""
        counts = await self.spool.counts()
        found = {state: counts[state] for state in STATES}
        cancelled = await self.status.cancelled(self.directory.ids("failed")) if found["failed"] else 0
        return found | ({"failed": found["failed"] - cancelled, "cancelled": cancelled} if cancelled else {})

    def _build(self) -> Sequence[Component]:
        """All components, in the order in which they start; `once` serves nobody."""
        config, spool, directory, clock, once = self.config, self.spool, self.directory, self.clock, self.once
        log = LogComponent(config, clock)
        self.log = log.log
        status = sqlite.recorder(directory.root, lambda report: self._tell_apart(Alarm(clock.now(), "status", report)))
        self.status = status
        recorder = Recorder(spool, status, once=once)
        journal = journal_of(directory, clock.now)
        self.events = Events([recorder, self.log], lambda error: self._tell_apart(Alarm.of(clock.now(), error)), self.book)
        tell = self.events.tell
        self.chores = Chores(self._spool_alarm, self._short)
        self.chores.every(SPAN, lambda: self.log.unfold(clock.now()))
        suppression = SqliteSuppression(directory.root)
        self.living = living = ResidentsComponent(config, tell, clock, self.chores, once=once)
        self.logged_in = SessionsComponent("run", directory.root, tell, clock, self.chores, once=once)
        self.events.listeners.append(self.logged_in.record)
        filing = RulesFiling(lambda: self.config, clock.now)
        self.boxes = boxes = MailboxesComponent(config, tell, clock, self.chores, once=once, judged=self._judged)
        self.learning = LearningComponent(
            config, directory.root, boxes.lent, self.events.tell, self._tell_apart, clock, self.chores, once=once
        )
        counted = MailboxCounts()
        self.queue = queue = Queue(
            config,
            spool,
            recorder,
            status,
            clock,
            tell,
            self.chores,
            log.hush,
            spool.keep_files,
            once=once,
            meter=self.counts.sessions,
            book=self.book,
            suppression=suppression,
            residents=living.residents,
            local=LocalCourier(
                boxes,
                lambda: living.residents.users,
                filing,
                clock,
                lambda: self.config.mailboxes.full_grace,
                self._unnoticed,
                counted,
                together=not config.mailboxes.database,
            ),
        )
        intake = IntakeComponent(directory, config, status, clock, queue.manager.hear, tell, self.chores, once=once)
        self.sweep = Sweep(spool, status, config, clock, self.chores, once=once)
        known = status.knows, self.sweep.believed
        journaling = JournalComponent(journal, recorder, directory, *known, config, tell, clock, self.chores, once=once)
        queue.scheduler.limited = self.counts.limited
        figures = QueueFigures(queue.manager)
        traces = Traces(config, self.events, clock, __version__)
        webhooks = HookWatch(config, journal, FileHookStore(directory.root), tell, clock, self.chores)
        more = traces.counts, lambda: self.book.alarms, __version__, lambda: webhooks.views
        served = [] if once else [Exporter(config, self.counts, self.events, figures, queue.invariants, clock, *more)]
        for exporter in served:
            exporter.journal = lambda: journaling.state
            exporter.mailboxes = lambda: counted if self.config.has_mailboxes else None
        watching = [] if once else [*self._watch(), webhooks]
        reports = FileReports(directory.root, Reserve(config.submission.min_free_space, config.submission.min_free_inodes))
        self.hearing = hearing = self._hearing(reports, suppression, recorder)
        receiving = self._receive(reports, hearing)
        for exporter in served:
            exporter.sessions = self.sessions
        return (
            log,
            journaling,
            StatusComponent(status, recorder, directory, queue.scheduler.active.__contains__, tell, clock, self.chores, once=once),
            AlarmComponent(self.book, status, tell, recorder.told, clock, self.chores),
            Neighbours(directory, tell, clock, self.chores),
            self.sweep,
            traces,
            SuppressionComponent(
                suppression, config, queue.suppressed, recorder.journaled, self.sweep.believed, tell, clock, self.chores, once=once
            ),
            *served,
            hearing,
            Doorbell(spool, (queue.heard, intake.heard, hearing.heard), clock, tell),
            intake,
            living,
            self.logged_in,
            boxes,
            self.learning,
            self.chores,  # what they do goes on while the queue ends
            queue,
            *receiving,
            *watching,
            *([] if once else [Doors(config, clock, tell, lambda config: wanted(config, self.given[1]))]),
            ServiceManager(f"delivering from {directory.root}", queue.housekeeping.alive, self.chores),
        )

    def _receive(self, reports: FileReports, hearing: ReportHearing) -> Sequence[Component]:
        """What takes reports that come back, from mailboxes, and all mail at doors; one pass looks into each mailbox once."""
        from mailer.reports.component import ReportSources, ReportSweep
        from mailer.smtpd.entrance import MailEntrance

        config, clock, tell, arrived = self.config, self.clock, self.events.tell, hearing.soon.set
        self.sources = sources = ReportSources(config, reports, tell, clock, arrived, random.random, once=self.once)
        if self.once:
            return (sources,)

        def doors(config: Config, chores: Chores) -> tuple[FilterComponent, ServedDoors]:
            from mailer.smtpd.assembly import mail_doors

            return mail_doors(config, self.living.residents, reports, tell, clock, chores, arrived, self.logged_in.register, self.boxes)

        entrance = MailEntrance(config, doors, self.chores, Chores(self._spool_alarm, self._short))
        self.sessions = entrance.sessions
        return (
            sources,
            entrance,
            ReportSweep(config, reports, clock, self.chores, self.sweep.believed),
        )

    def _hearing(self, reports: FileReports, suppression: SqliteSuppression, recorder: Recorder) -> ReportHearing:
        """What acts upon reports of other hosts, whoever brings them."""
        about = self.status, partial(sqlite.open_reader, self.directory.root), self.directory, lambda: recorder.chronicle, _pass_on
        hearing = ReportHearing(self.config, reports, suppression, *about, self.events.tell, self.clock, self.chores, once=self.once)
        self.events.listeners.append(hearing)
        return hearing

    def _watch(self) -> Sequence[Component]:
        """What watches for people, who are told; loaded only where it is to run."""
        from mailer.watch.lookout import DailyLookout
        from mailer.watch.messenger import Messenger
        from mailer.watch.refusals import RefusedShare

        config, book, clock, events, chores = self.config, self.book, self.clock, self.events, self.chores
        return (
            Messenger(config, book, clock, events.tell, chores),
            RefusedShare(config, events, book, clock, chores),
            DailyLookout(config, self.directory.root, self.spool, self.queue.scheduler, book, clock, events.tell, chores, random.random),
        )

    async def _stop(self, component: Component) -> None:
        await component.stop(self.config.delivery.stop_timeout)

    def reload(self) -> None:
        """Read the configuration again. One that is wrong, or that a component refuses, is told in one line, and all keep the old one."""
        reloading()
        began, refused = now(), ""
        try:
            config = load_again(self.given, self.config, "daemon")
            with ExitStack() as ready:
                for component in self.components:
                    ready.enter_context(component.reload(config))
            before, self.config = self.config, config
            self._tell("reloaded", config.path)
            if config.sandbox != before.sandbox:
                self._tell_sandbox(ended=not config.sandbox.holds)
            self.events.tell(Mended(self.clock.now(), "config", detail="it was read"))
        except Problem as problem:
            refused = str(problem)
            self._alarm("config", f"the configuration stays as it was: {problem}")
        note_reload(self.directory, Reloaded(began, refused))
        notify("READY=1")

    def _judged(self, owner: str, mail: str, verdict: Class) -> None:
        self.learning.judged(owner, mail, verdict)

    # What is told

    def _tell(self, what: DaemonNews, detail: str = "") -> None:
        self.events.tell(Daemon(self.clock.now(), what, detail))

    def _tell_sandbox(self, *, ended: bool = False) -> None:
        """Tell whose mail does not get to whom it names, so that nobody wonders; or that it does again."""
        if self.config.sandbox.holds:
            self._tell("sandbox", self.config.sandbox.words)
        elif ended:
            self._tell("sandbox", "it is over: mail goes to whom it names")

    def _alarm(self, what: AlarmKind, detail: str) -> None:
        self.events.tell(Alarm(self.clock.now(), what, detail))

    def _spool_alarm(self, error: OSError) -> None:
        self._alarm("spool", f"{error.filename or self.directory.root}: {error.strerror}")

    def _unnoticed(self, error: Exception) -> None:
        self._tell_apart(Alarm(self.clock.now(), "mailboxes", f"nobody is told that his quota is nearly used up: {error}", "notices"))

    def _short(self, what: str) -> None:
        self.queue.out_of_memory(what)

    def _tell_apart(self, alarm: Alarm) -> None:
        """Tell what is about those who listen, or comes from another thread than theirs: the log and the figures bear that."""
        event = self.book.heard(alarm)
        if event is not None:
            self.log.told(event)
            self.counts.told(event)


def _summary(config: Config, spool: FileSpool) -> str:
    relays = ", ".join(f"{relay.name} ({relay.host}:{relay.port})" for relay in config.relays.values()) or "none"
    return f"config={config.path or 'defaults'} spool={spool.place} hostname={config.hostname} relays={relays}"


def _pass_on(report: bytes, to: str, settings: SubmissionSettings, now: float, id: str) -> None:
    """Let the sender of a message have a report of another host about it. Raises `Problem`."""
    forward(Submission(report, sender="", recipients=[to]), settings, now, id=id)
