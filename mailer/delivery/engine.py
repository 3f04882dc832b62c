"""The engine: carries out what the scheduler plans, and settles each message by what the couriers bring back.

The story of a message here::

    ring or scan ─► Scheduler ─► read ─► route ─► Destination's queue ─► session ─► Courier ─► outcomes
                        ▲                                                                        │
                        └──────────── put off until due ◄──────────── settle ◄───────────────────┘
                                                                        └─► reports, ledger, listeners

The engine decides nothing about hosts, codes or times: `verdict` judges, `retry` knows the schedule,
`scheduler` the order. It owns the promise instead: whatever is read is settled, and what cannot be settled
is kept in memory and tried again, so that nothing is delivered twice because a disk was full.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.events import Alarm, Changed, Corrupt, Seen, Settled, Tried
from mailer.mail.failure import BAD_MESSAGE, Failure
from mailer.mail.outcome import Outcome
from mailer.spool import Busy, NoSuchMessage
from mailer.spool.file import CorruptFile
from mailer.submit import Request, submit

from .attempt import Attempt, Job
from .hosts import Unroutable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from mailer.bounces import Reports
    from mailer.clock import Clock
    from mailer.config.quick import SubmissionSettings
    from mailer.events import Event
    from mailer.mail.history import History
    from mailer.mail.outcome import Scope
    from mailer.spool import Entry, Spool

    from .courier import Courier
    from .destination import Destination
    from .ledger import Ledger
    from .retry import Schedule
    from .router import Router, Way
    from .scheduler import Plan, Scheduler

CONTENT_BUDGET = 64 << 20  # bytes of messages kept in memory between reading and sending
MAX_RECIPIENTS = 100  # of one transaction; every server takes that many, RFC 5321 §4.5.3.1.8
UNSETTLED_PAUSE = 5.0  # seconds before a message that the disk would not take is settled again
OFFLINE_PAUSE = 60.0  # seconds; being offline is no attempt, and is looked at again soon
LOW_WATER = 2  # jobs left in a destination's queue when more messages are read


@dataclass(slots=True)
class Policy:
    """What the configuration says and a reload may change."""

    router: Router
    schedule: Schedule
    reports: Reports
    submission: SubmissionSettings


class Engine:
    """Delivers what is in `spool`, until it is stopped."""

    def __init__(
        self,
        spool: Spool,
        scheduler: Scheduler,
        courier: Courier,
        policy: Policy,
        ledger: Ledger,
        clock: Clock,
        tell: Callable[[Event], None],
        random: Callable[[], float],
    ) -> None:
        self.spool = spool
        self.scheduler = scheduler
        self.courier = courier
        self.policy = policy
        self.ledger = ledger
        self.clock = clock
        self.tell = tell
        self.random = random
        self.held_bytes = 0
        self.stopping = False
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: set[str] = set()

    # News from outside

    def look(self, ids: Iterable[str]) -> None:
        """Somebody says that these messages have changed: a sender, or an operator's command."""
        for id in ids:
            state = self.spool.find(id) if len(id) == 26 else None
            if state == "queued":
                self.scheduler.expect(id, 0.0)
            elif state in ("held", "failed"):
                self._moved(id, state)
        self._wake.set()

    def _moved(self, id: str, state: str) -> None:
        """An operator took it out of delivery."""
        if id in self.scheduler.active and self.scheduler.due_of(id) is None and state == "failed":
            return  # we did that ourselves
        self.scheduler.forget(id)
        try:
            entry = self.spool.read(id, state)
        except (NoSuchMessage, CorruptFile, OSError):
            return
        self.tell(Changed(self.clock.now(), entry, entry.status))

    def expect_all(self, dues: Iterable[tuple[float, str]]) -> None:
        """Messages that a scan found: (when due, ID), 0.0 for what is in ``queued/``."""
        for due, id in dues:
            if not self.scheduler.knows(id):
                self.scheduler.expect(id, due)
        self._wake.set()

    # The loop

    async def run(self, *, once: bool = False) -> None:
        """Plan and act until stopped; with `once`, until nothing is due any more."""
        while not self.stopping:
            self._wake.clear()
            plan = self.scheduler.plan(self.clock.now())
            self._act(plan)
            if once and self.scheduler.idle and not self._tasks:
                return
            await self._sleep(plan.again)

    async def _sleep(self, until: float | None) -> None:
        if until is not None and until <= self.clock.now():
            await asyncio.sleep(0)
            return
        timeout = None if until is None else until - self.clock.now()
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def stop(self, patience: float) -> None:
        """Begin nothing new, let what runs finish within `patience` seconds, break off the rest."""
        self.stopping = True
        self._wake.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _act(self, plan: Plan) -> None:
        for destination in plan.put_off:
            for job in destination.take_all():
                self._put_off(job, destination)
        for destination, job in plan.open:
            self._spawn(self._session(destination, job))
        for id in plan.load:
            self._load(id)

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            self.tell(Alarm(self.clock.now(), "bug", f"{type(error).__name__}: {error}"))

    # Reading and routing

    def _load(self, id: str) -> None:
        """Read a message that is due and queue its parts for their destinations."""
        try:
            state = self.spool.find(id)
            if state not in ("queued", "deferred"):
                raise NoSuchMessage(id)
            entry, content = self.spool.load(id, state)
        except NoSuchMessage:
            self.scheduler.forget(id)
            return
        except CorruptFile as error:
            self.scheduler.forget(id)
            self.tell(Corrupt(self.clock.now(), id, str(error), self.spool.set_aside(str(state), id)))
            return
        except OSError as error:
            self._later(id, f"cannot read message {id}: {error.strerror}")
            return
        now = self.clock.now()
        if not entry.history.outcomes:
            self.tell(Seen(now, entry))
        attempt = Attempt(entry, now)
        if self.held_bytes < CONTENT_BUDGET:
            attempt.content = content
            self.held_bytes += len(content)
        self._route(attempt, now)

    def _later(self, id: str, problem: str) -> None:
        """The disk fails us: the message stays where it is and is looked at again."""
        self.scheduler.forget(id)
        self.scheduler.expect(id, self.clock.now() + UNSETTLED_PAUSE)
        self.tell(Alarm(self.clock.now(), "spool", problem))

    def _route(self, attempt: Attempt, now: float) -> None:
        entry = attempt.entry
        pending = entry.history.pending(now if entry.state == "deferred" else None)
        if not pending:  # a crash came between the last outcome and the move
            self._spawn(self._settle(attempt))
            return
        domains: dict[str, list[int]] = {}
        for to in pending:
            domains.setdefault(entry.envelope.recipients[to].domain, []).append(to)
        attempt.open_jobs = len(domains)
        ways: dict[str, tuple[Way, list[int]]] = {}
        for domain, recipients in domains.items():
            way = self.policy.router.known(domain, now)
            if way is None:
                self._spawn(self._find_way(attempt, domain, recipients))
            elif way.key in ways:
                ways[way.key][1].extend(recipients)
                attempt.open_jobs -= 1
            else:
                ways[way.key] = (way, recipients)
        for way, recipients in ways.values():
            self._queue(attempt, way, recipients)

    async def _find_way(self, attempt: Attempt, domain: str, recipients: list[int]) -> None:
        try:
            way = await self.policy.router.find(domain, self.clock.now())
        except Unroutable as trouble:
            await self._finished(attempt, [self._unroutable(to, trouble) for to in recipients])
        else:
            self._queue(attempt, way, recipients)

    def _unroutable(self, to: int, trouble: Unroutable) -> Outcome:
        """There is no way to go. Being offline is our own trouble: no attempt, and no age at which it fails."""
        now = self.clock.now()
        scope: Scope = "us" if trouble.offline else "destination"
        due = now + OFFLINE_PAUSE if trouble.offline else 0.0
        return Outcome(to, trouble.verdict, scope, trouble.code, trouble.enhanced, trouble.text, trouble.phase, at=now, due=due)

    def _queue(self, attempt: Attempt, way: Way, recipients: list[int]) -> None:
        """Queue the part of a message that goes one way, in transactions of at most `MAX_RECIPIENTS`."""
        parts = [recipients[at : at + MAX_RECIPIENTS] for at in range(0, len(recipients), MAX_RECIPIENTS)]
        attempt.open_jobs += len(parts) - 1
        for part in parts:
            self.scheduler.queue(Job(attempt, way, part))
        self._wake.set()

    # Sessions

    async def _session(self, destination: Destination, job: Job | None) -> None:
        """Work off a destination's queue, one job after the other, while it is welcome."""
        try:
            while job is not None:
                await self._deliver(destination, job)
                if self.stopping or not self._welcome(destination):
                    break
                job = destination.take()
                if len(destination) < LOW_WATER:
                    self._wake.set()
        finally:
            self.scheduler.session_ended(destination)

    def _welcome(self, destination: Destination) -> bool:
        return destination.running <= destination.window.size and destination.breaker.failures == 0

    async def _deliver(self, destination: Destination, job: Job) -> None:
        attempt = job.attempt
        content = self._take(attempt)
        if content is None:
            await self._finished(attempt, [])
            return
        outcomes = await self.courier.deliver(job, attempt.entry.envelope, content)
        self._learn(destination, outcomes)
        await self._finished(attempt, outcomes)

    def _take(self, attempt: Attempt) -> bytes | None:
        """Lock the message for this attempt; None if an operator has taken it meanwhile."""
        if attempt.gone:
            return None
        try:
            if attempt.claim is None:
                attempt.claim = self.spool.claim_again(attempt.entry, attempt.content)
            return attempt.claim.content
        except (Busy, NoSuchMessage, CorruptFile, OSError):
            attempt.gone = True
            return None

    def _learn(self, destination: Destination, outcomes: Sequence[Outcome]) -> None:
        """What the outcomes say about the destination: its window and its breaker."""
        trouble = next((o for o in outcomes if o.scope in ("host", "us")), None)
        if trouble is None:
            destination.window.succeeded()
            destination.breaker.succeeded()
            return
        destination.window.failed()
        if trouble.scope == "us":
            destination.breaker.trip(self.clock.now(), trouble.reply)
            self.tell(Alarm(self.clock.now(), "login", f"{trouble.hop.host} refuses our login: {trouble.reply}"))
        else:
            destination.breaker.failed(self.clock.now(), trouble.reply)

    def _put_off(self, job: Job, destination: Destination) -> None:
        """Nobody answers there: what waits is put off together, without a connection each and without counting."""
        now = self.clock.now()
        breaker = destination.breaker
        spread = (breaker.open_until - now) * 0.2 * self.random()
        reply = breaker.reason or "the destination does not answer"
        outcomes = [
            Outcome(to, "defer", "destination", 451, "4.4.1", f"not tried: {reply}", "connect",
                    at=now, due=breaker.open_until + spread, counts=False)
            for to in job.recipients
        ]  # fmt: skip
        self._spawn(self._finished(job.attempt, outcomes))

    # Settling

    async def _finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """One part of a message is through; the last one settles the message.

        A part counts as open until its record is on disk: who settles must know what all have learned.
        """
        if outcomes:
            attempt.unwritten += self._timed(attempt, outcomes)
        if attempt.open_jobs > 1 and attempt.claim is not None and any(outcome.verdict == "delivered" for outcome in attempt.unwritten):
            await self._record(attempt)
        attempt.open_jobs -= 1
        if attempt.open_jobs == 0:
            await self._settle(attempt)

    def _timed(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes with the time of the next try, or expired, where they are not final."""
        return [outcome if outcome.final else self._next(attempt, outcome) for outcome in outcomes]

    def _next(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        entry, schedule = attempt.entry, self.policy.schedule
        now = self.clock.now()
        if outcome.scope == "us":
            outcome = outcome._replace(counts=False)
        elif schedule.expired(entry.arrived, now):
            return outcome._replace(verdict="expire")
        if outcome.due:
            return outcome
        tries = entry.history.tries.get(outcome.to, 0) + outcome.counts
        return outcome._replace(due=schedule.next_due(max(tries, 1), now, self.random))

    async def _record(self, attempt: Attempt) -> None:
        """Some have it and others are not through: that is on disk before anything else happens.

        Failures wait for the end of the attempt, since a report has to be put before they are written.
        """
        assert attempt.claim is not None
        outcomes = [outcome for outcome in attempt.unwritten if outcome.verdict == "delivered"]
        attempt.unwritten = [outcome for outcome in attempt.unwritten if outcome.verdict != "delivered"]
        try:
            await asyncio.to_thread(self.spool.record, attempt.claim, outcomes)
        except OSError as error:
            attempt.unwritten += outcomes
            self._spool_alarm(f"cannot record what became of {attempt.entry.id}", error)
            return
        attempt.entry.history.add(outcomes)
        self.tell(Tried(self.clock.now(), attempt.entry, outcomes))

    async def _settle(self, attempt: Attempt) -> None:
        """All parts are through: the message leaves the spool, is put off, or is given up."""
        self._let_go(attempt)
        if not attempt.gone and attempt.claim is None:
            self._take(attempt)
        if attempt.gone:
            self._give_back(attempt)
            return
        entry = attempt.entry
        outcomes = [outcome for outcome in attempt.unwritten if not _is_old_news(entry.history, outcome)]
        entry.history.add(attempt.unwritten)
        if entry.history.status() == "sent":
            self._tell_settled(attempt, outcomes)
            assert attempt.claim is not None
            self.ledger.release(attempt.claim)  # `left` is called when it is gone
            return
        while not await self._written(attempt, outcomes):
            if self.stopping:
                return  # still where it was; that part of the attempt is made again
            await asyncio.sleep(UNSETTLED_PAUSE)
        self._tell_settled(attempt, outcomes)
        self._close(attempt)

    async def _written(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
        """Whether the disk took it: the report first, then the records and the move."""
        try:
            if any(outcome.final for outcome in outcomes) or not attempt.entry.history.pending():
                reported = await asyncio.to_thread(self._write, attempt, outcomes)
                self.look([reported] if reported else ())
            else:  # nothing to sync, so nothing to wait for
                self._write(attempt, outcomes)
        except OSError as error:
            self._spool_alarm(f"cannot settle message {attempt.entry.id}, which is tried again", error)
            return False
        except Failure as failure:
            self.tell(Alarm(self.clock.now(), "spool", f"cannot report on message {attempt.entry.id}, which is tried again: {failure}"))
            return False
        return True

    def _write(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> str | None:
        """The steps on disk, in the order that `mailer-spool(5)` gives; returns the ID of a report that was put."""
        claim, history = attempt.claim, attempt.entry.history
        assert claim is not None
        reported = self._report(attempt.entry, outcomes, claim.content)
        if history.pending():
            self.spool.defer(claim, outcomes, history.due)
        else:
            self.spool.fail(claim, outcomes)
        return reported

    def _report(self, entry: Entry, outcomes: Sequence[Outcome], content: bytes) -> str | None:
        """Put the report that is due, unless it was put before a crash. Raises `Failure` if it has to be tried again."""
        report = self.policy.reports.report_for(entry, outcomes, content)
        if report is None or self.spool.find(report.id):
            return None
        request = Request(report.message, sender="", recipients=[entry.envelope.sender])
        try:
            submit(request, self.policy.submission, self.clock.now(), id=report.id)
        except Failure as failure:
            if failure.code != BAD_MESSAGE:
                raise
            self.tell(Alarm(self.clock.now(), "report", f"cannot report on message {entry.id}: {failure}"))  # nor ever will
            return None
        return report.id

    def _tell_settled(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        entry, now = attempt.entry, self.clock.now()
        if outcomes:
            self.tell(Tried(now, entry, outcomes))
        self.tell(Settled(now, entry, entry.history.status(), entry.history.due))

    def _close(self, attempt: Attempt) -> None:
        """The message is put off or given up, and its lock is free."""
        assert attempt.claim is not None
        attempt.claim.close()
        entry = attempt.entry
        self.scheduler.forget(entry.id)
        if entry.state == "deferred":
            self.scheduler.expect(entry.id, entry.history.due)

    def left(self, ids: Iterable[str], problems: Iterable[tuple[str, Exception]]) -> None:
        """The ledger says which messages have left the spool, and which would not."""
        for id in ids:
            self.scheduler.forget(id)
        for id, error in problems:
            if id == "status":
                self.tell(Alarm(self.clock.now(), "status", f"cannot write the status database: {error}"))
            else:  # it stays in the scheduler as being in memory: it must not be delivered again
                self.tell(Alarm(self.clock.now(), "spool", f"message {id} is delivered but cannot be removed: {error}"))
        self._wake.set()

    def _give_back(self, attempt: Attempt) -> None:
        """An operator has the message; what he did to it is found out in a moment."""
        id = attempt.entry.id
        self.scheduler.forget(id)
        asyncio.get_running_loop().call_later(1.0, self.look, [id])

    def _let_go(self, attempt: Attempt) -> None:
        if attempt.content is not None:
            self.held_bytes -= len(attempt.content)
            attempt.content = None

    def _spool_alarm(self, what: str, error: OSError) -> None:
        self.tell(Alarm(self.clock.now(), "spool", f"{what}: {error.strerror or error}"))


def _is_old_news(history: History, outcome: Outcome) -> bool:
    """Whether a try that was none says only what the one before said: a night offline must not fill the file."""
    last = history.last.get(outcome.to)
    return not outcome.counts and last is not None and last.counts == outcome.counts and last.reply == outcome.reply
