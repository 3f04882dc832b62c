"""The engine: carries out what the scheduler plans, and settles each message by what the couriers bring back.

The story of a message here::

    ring or scan ─► Scheduler ─► read ─► route ─► Destination's queue ─► session ─► Courier ─► outcomes
                        ▲                                                                        │
                        └──────────── put off until due ◄──────────── settle ◄───────────────────┘
                                                                        └─► reports, ledger, listeners

The engine decides nothing about hosts, codes or times: `verdict` judges, `retry` knows the schedule,
`scheduler` the order, `settle` writes down. It owns the promise instead: whatever is read is settled, also when
the trouble is a bug of ours.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from mailer.events import Alarm, Changed, Corrupt, Seen
from mailer.identity import relayed
from mailer.mail.outcome import Outcome
from mailer.spool import NoSuchMessage, pauses
from mailer.spool.file import CorruptFile

from .attempt import Attempt, Budget, Job
from .courier import Load
from .nexthop import Unroutable
from .policy import Unsigned
from .scheduler import CONGESTED, LONG
from .settle import Settler
from .standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from mailer.clock import Clock
    from mailer.events import Event
    from mailer.mail.outcome import Scope
    from mailer.spool import Entry, Spool

    from .courier import Courier, Session
    from .destination import Destination
    from .ledger import Ledger
    from .policy import Policy
    from .router import Way
    from .scheduler import Plan, Scheduler

CONTENT_BUDGET = 64 << 20  # bytes of messages kept in memory between reading and sending
FILE_BUDGET = 256  # their files kept open; a session may be allowed as few as 1024
MAX_RECIPIENTS = 100  # of one transaction; every server takes that many, RFC 5321 §4.5.3.1.8
PATIENCE = 3  # times that a message goes back to the queue because its session was one too many
UNREADABLE_PAUSE = 5.0  # seconds before a message that the disk would not give is read again


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
        self.clock = clock
        self.tell = tell
        self.random = random
        self.stopping = False
        self._budget = Budget(CONTENT_BUDGET, FILE_BUDGET)
        self.settler = Settler(spool, scheduler, policy, ledger, clock, tell, random, self.look, self._budget)
        self.standstill = Standstill(spool.root, scheduler, clock, tell, self.wake, random)
        self._wake = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.lines: set[Line] = set()
        """The sessions at work, for the watchdog; `stuck` are the tasks that it broke off, with the phase and what it saw."""
        self.stuck: dict[asyncio.Task[None], tuple[str, str]] = {}
        self.unremovable: set[str] = set()
        """Messages that are delivered and would not leave the spool."""

    def wake(self) -> None:
        """Plan anew as soon as whoever runs now has done."""
        self._wake.set()

    # News from outside

    def look(self, ids: Iterable[str]) -> None:
        """Somebody says that these messages have changed: a sender, or an operator's command."""
        for id in ids:
            state = self.spool.find(id)
            if state == "queued":
                self.scheduler.expect(id, 0.0)
            elif state == "deferred" and not self.scheduler.knows(id):
                self.scheduler.expect(id, self.spool.due(id) or self.clock.now())
            elif state in ("held", "failed"):
                self._moved(id, state)
            elif id == pauses.NAME:
                self.mind_pauses()
        self.wake()

    def mind_pauses(self) -> None:
        """An operator has paused a destination, or let it go on, or there is reason to look whether one has."""
        if self.standstill.read() and self.standstill.pauses:
            for destination in [*self.scheduler.destinations.values()]:
                for job in destination.take_all():
                    self._queue_again(job)

    def _queue_again(self, job: Job) -> None:
        """A job that was queued before its destination or some of its domains were paused."""
        if self._is_paused(job.attempt, job.way.key, job.recipients):
            return
        now, people = self.clock.now(), job.attempt.entry.envelope.recipients
        left: list[int] = []
        for to in job.recipients:
            if pause := self.standstill.pauses.of_domain(people[to].domain, now):
                job.attempt.open_jobs += 1
                self._spawn(self._finished(job.attempt, self.standstill.paused(job.attempt.entry.id, pause, [to])))
            else:
                left.append(to)
        if left:
            self.scheduler.queue(Job(job.attempt, job.way, left))
        else:
            job.attempt.open_jobs -= 1

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
        self.wake()

    def left(self, ids: Iterable[str], problems: Iterable[tuple[str, Exception]]) -> None:
        """The ledger says which messages have left the spool, and which would not."""
        for id in ids:
            self.scheduler.forget(id)
        for id, error in problems:
            if id == "status":
                self.settler.status_alarm(error)
            else:  # it stays in the scheduler as being in memory: it must not be delivered again
                self.unremovable.add(id)
                self.tell(Alarm(self.clock.now(), "spool", f"message {id} is delivered but cannot be removed: {error}"))
        self.wake()

    # The loop

    async def run(self, *, once: bool = False) -> None:
        """Plan and act until stopped; with `once`, until nothing is due any more."""
        while not self.stopping:
            self._wake.clear()
            plan = self.scheduler.plan(self.clock.now())
            self._act(plan)
            if once and self.scheduler.idle and not self.tasks:
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
        self.stopping = self.settler.stopping = True
        self.wake()
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=patience)
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
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            self.tell(Alarm(self.clock.now(), "bug", f"{type(error).__name__}: {error}"))

    # Reading and routing

    def _load(self, id: str) -> None:
        """Read a message that is due and queue its parts for their destinations."""
        try:
            entry, content, descriptor = self._read(id)
        except NoSuchMessage:
            self.scheduler.forget(id)
            return
        except CorruptFile as error:
            self.scheduler.forget(id)
            self._set_aside(id, self.spool.find(id) or "queued", str(error))
            return
        except OSError as error:
            self._later(id, f"cannot read message {id}: {error.strerror}")
            return
        now = self.clock.now()
        if not entry.history.outcomes:
            self.tell(Seen(now, entry))
        attempt = Attempt(entry, now)
        self._budget.keep(attempt, content, descriptor)
        if content.count(b"\nReceived:", 0, content.find(b"\r\n\r\n")) + content.startswith(b"Received:") > self.policy.max_hops:
            attempt.open_jobs = 1
            self._spawn(self._finished(attempt, self._in_circles(attempt, now)))
            return
        if entry.envelope.options and self.settler.overdue(entry, now):
            attempt.open_jobs = 1
            self._spawn(self._finished(attempt, self._overdue(attempt, now)))
            return
        if self.policy.signer and attempt.content is not None:
            attempt.signing = self.policy.signer.ahead(content, now)
        self._route(attempt, now)

    def _read(self, id: str) -> tuple[Entry, bytes, int]:
        keep = self._budget.open < self._budget.files
        try:
            return self.spool.load(id, "queued", keep=keep)
        except NoSuchMessage:
            return self.spool.load(id, "deferred", keep=keep)

    def _set_aside(self, id: str, state: str, reason: str) -> None:
        try:
            path = self.spool.set_aside(state, id)
        except OSError as error:
            self.tell(Alarm(self.clock.now(), "spool", f"message {id} is corrupt ({reason}) and cannot be set aside: {error.strerror}"))
        else:
            self.tell(Corrupt(self.clock.now(), id, reason, path))

    def stranger(self, name: str) -> None:
        """Somebody else put this into ``queued/``. Raises `OSError`."""
        path = self.spool.set_aside("queued", name)
        self.tell(Corrupt(self.clock.now(), name, "its name is no ID", path))

    def _later(self, id: str, problem: str) -> None:
        """The disk fails us: the message stays where it is and is looked at again."""
        self.scheduler.forget(id)
        self.scheduler.expect(id, self.clock.now() + UNREADABLE_PAUSE)
        self.tell(Alarm(self.clock.now(), "spool", problem))

    def _route(self, attempt: Attempt, now: float) -> None:
        entry = attempt.entry
        pending = entry.history.pending(now if entry.state == "deferred" else None)
        if self.standstill.hurried:
            pending = self.standstill.pending(entry, pending, now)
        if not pending:  # a crash came between the last outcome and the move
            attempt.open_jobs = 1
            self._spawn(self._finished(attempt, []))
            return
        domains: dict[str, list[int]] = {}
        for to in pending:
            domains.setdefault(entry.envelope.recipients[to].domain, []).append(to)
        attempt.open_jobs = len(domains)
        ways: dict[str, tuple[Way, list[int]]] = {}
        for domain, recipients in domains.items():
            if self.standstill.pauses and (pause := self.standstill.pauses.of_domain(domain, now)):
                self._spawn(self._finished(attempt, self.standstill.paused(entry.id, pause, recipients)))
                continue
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
            due = self.standstill.offline(attempt.entry.id) if trouble.offline else 0.0
            await self._finished(attempt, [self._unroutable(to, trouble, due) for to in recipients])
        except asyncio.CancelledError:
            await self._finished(attempt, self._broken_off(recipients))
        except Exception as error:
            await self._finished(attempt, self._our_fault(error, "dns", recipients))
        else:
            self._queue(attempt, way, recipients)

    def _unroutable(self, to: int, trouble: Unroutable, due: float) -> Outcome:
        """There is no way to go. Being offline is our own trouble: no attempt, and no age at which it fails."""
        scope: Scope = "us" if trouble.offline else "destination"
        at = self.clock.now()
        return Outcome(to, trouble.verdict, scope, trouble.code, trouble.enhanced, trouble.text, trouble.phase, at=at, due=due)

    def _in_circles(self, attempt: Attempt, now: float) -> list[Outcome]:
        """RFC 5321 §6.3: so many hosts on the way mean that two of them send it to each other. It is looked for here, where all mail
        passes, however it came in, and where its sender can be told."""
        text = f"the message has passed more than {self.policy.max_hops} hosts (delivery.max_hops): it goes round in circles"
        pending = attempt.entry.history.pending()
        return [Outcome(to, "fail", "message", 554, "5.4.6", text, "", at=now) for to in pending]

    def _overdue(self, attempt: Attempt, now: float) -> list[Outcome]:
        """RFC 2852 §4.2: what was to be there by now or to come back is not delivered any more."""
        text = "the time is up in which the sender wanted it delivered"
        return [Outcome(to, "expire", "message", 554, "5.4.7", text, "", at=now, counts=False) for to in attempt.entry.history.pending()]

    def _is_paused(self, attempt: Attempt, key: str, recipients: Sequence[int]) -> bool:
        """Whether an operator lets mail that goes this way wait; then it is put off."""
        pause = self.standstill.pauses.of_way(key, self.clock.now())
        if pause is not None:
            self._spawn(self._finished(attempt, self.standstill.paused(attempt.entry.id, pause, recipients)))
        return pause is not None

    def _broken_off(self, recipients: Iterable[int]) -> list[Outcome]:
        """The watchdog has ended this task. Raises `CancelledError` again if it was somebody else: then the program ends."""
        task = asyncio.current_task()
        if task not in self.stuck:
            raise asyncio.CancelledError
        phase, text = self.stuck.pop(task)
        task.uncancel()
        now = self.clock.now()
        return [Outcome(to, "defer", "host", 451, "4.4.2", f"broken off: {text}", phase, at=now) for to in recipients]

    def _queue(self, attempt: Attempt, way: Way, recipients: list[int]) -> None:
        """Queue the part of a message that goes one way, in transactions of as many recipients as are taken there."""
        if self.standstill.pauses and self._is_paused(attempt, way.key, recipients):
            return
        if not self.scheduler.admits(way, attempt.entry.id, self.clock.now()):
            self._no_room(attempt, way, recipients)
            return
        most = self.policy.reactions.table(way).recipients_per_message if self.policy.reactions else MAX_RECIPIENTS
        parts = [recipients[at : at + most] for at in range(0, len(recipients), most)]
        attempt.open_jobs += len(parts) - 1
        for part in parts:
            self.scheduler.queue(Job(attempt, way, part))
        self.wake()

    def _no_room(self, attempt: Attempt, way: Way, recipients: list[int]) -> None:
        """The destination holds its share of the memory. The message goes back to waiting as if it had not been read.

        A message with other parts is delivered to these; what is to go there is put off, and that is no attempt. So is a message that
        would wait for very long, because only what is put off can be late, or expire.
        """
        now = self.clock.now()
        long = self.scheduler.is_long(way, now)
        if not long and attempt.open_jobs == 1 and attempt.claim is None and not attempt.unwritten:
            attempt.open_jobs = 0
            self._budget.let_go(attempt)
            if (descriptor := self._budget.claimed(attempt)) >= 0:
                os.close(descriptor)
            self.scheduler.park(attempt.entry.id, way)
            return
        due = now + (LONG if long else CONGESTED) * (1 + self.random())
        text = "not tried: much mail waits for the same destination"  # RFC 3463 §3.5: congestion
        outcomes = [Outcome(to, "defer", "destination", 451, "4.4.5", text, "connect", at=now, due=due, counts=False) for to in recipients]
        self._spawn(self._finished(attempt, outcomes))

    # Sessions

    async def _session(self, destination: Destination, job: Job) -> None:
        """Work off a destination's queue, one job after the other, while it is welcome."""
        session = self.courier.session()
        line = Line(self, destination, job)
        self.lines.add(line)
        try:
            while (load := line.step()) is not None:
                await self._deliver(session, destination, load, line.ahead)
        finally:
            self.lines.discard(line)
            session.end()
            line.close()
            if destination.terms is not None and destination.terms.throttle.connections:
                destination.terms.throttle.dialled(self.clock.now(), session.dialled)
            self.scheduler.session_ended(destination)

    def welcome(self, destination: Destination) -> bool:
        """Whether a session that is at work there may go on to the next job."""
        if self.stopping or self.scheduler.must_yield():
            return False
        if destination.paused_until and destination.rests(self.clock.now()):
            return False
        if (terms := destination.terms) is not None and terms.throttle.rooms and terms.throttle.should_yield(self.clock.now()):
            return False
        return destination.running <= destination.window.size and destination.breaker.failures == 0

    def claim(self, job: Job) -> Load | None:
        """Lock the message of `job`; None if an operator has taken it, or it has to wait after all, and then the job is over."""
        reactions = self.policy.reactions
        if reactions is not None and reactions.watchful and (waits := reactions.held(job, self.clock.now(), self.random)):
            self.scheduler.destination(job.way).give_back(job, self.clock.now())
            self._spawn(self._finished(job.attempt, waits))
            return None
        content = self.settler.take(job.attempt)
        try:
            if content is not None:
                return Load(job, self._signed(job, content))
            outcomes = []
        except Unsigned as trouble:
            outcomes = self._unsigned(job, str(trouble))
        self._spawn(self._finished(job.attempt, outcomes))
        return None

    def _signed(self, job: Job, content: bytes) -> bytes:
        """The content as it leaves, after all that changes it. Raises `Unsigned`."""
        signer, ahead = self.policy.signer, job.attempt.signing
        if job.way.author:
            content, ahead = relayed(content, job.way.author), None  # what was signed ahead is another message
        return content if signer is None else signer.sign(content, self.clock.now(), ahead)

    def _unsigned(self, job: Job, trouble: str) -> list[Outcome]:
        """It must not leave without a signature: our own trouble, which nobody's mail bounces for. RFC 3463 §3.8"""
        now = self.clock.now()
        return [Outcome(to, "defer", "us", 451, "4.7.5", trouble, "mail", at=now) for to in job.recipients]

    async def _deliver(self, session: Session, destination: Destination, load: Load, ahead: Callable[[], Load | None]) -> None:
        job = load.job
        try:
            outcomes = await session.deliver(load, ahead)
        except asyncio.CancelledError:
            outcomes = self._broken_off(job.recipients)
            session.end()  # what was being said there is not to be continued
        except Exception as error:
            outcomes = self._our_fault(error, "body", job.recipients)
        offline = self.standstill.unreachable(job, outcomes) if outcomes[0].phase == "connect" else None
        if outcomes[0].code == 421 and not self._has_rule(job, outcomes[0]) and self._crowded(destination, job, outcomes):
            return
        if offline is None:
            self._learn(destination, outcomes)
            for outcome in outcomes:
                if outcome.verdict != "delivered":
                    outcomes = self._react(destination, job, outcomes)
                    break
        await self._finished(job.attempt, offline or outcomes)

    def _crowded(self, destination: Destination, job: Job, outcomes: Sequence[Outcome]) -> bool:
        """Whether 421 says that we are too many there, and nothing about the message: other sessions of ours are welcome. RFC 5321 §3.8

        Then it is no attempt. The message goes back to the queue, and the window is as large as is welcome.
        """
        if destination.running < 2 or destination.breaker.failures or job.turned_away >= PATIENCE:
            return False
        if any(outcome.code != 421 or outcome.scope != "host" for outcome in outcomes):
            return False
        job.turned_away += 1
        destination.crowded(self.clock.now(), outcomes[0].reply)
        self.scheduler.queue(job)
        return True

    def _our_fault(self, error: Exception, phase: str, recipients: Iterable[int]) -> list[Outcome]:
        """A bug must not leave a message in limbo: it is told, and the message is tried again later."""
        now = self.clock.now()
        text = f"{type(error).__name__}: {error}"
        self.tell(Alarm(now, "bug", text))
        return [Outcome(to, "defer", "message", 451, "4.3.0", f"an error in mailer: {text}", phase, at=now) for to in recipients]

    async def _finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """One part of a message is through; with the last one, so is the message."""
        try:
            await self.settler.finished(attempt, outcomes)
        finally:
            if attempt.open_jobs == 0:
                self._budget.let_go(attempt)

    def _learn(self, destination: Destination, outcomes: Sequence[Outcome]) -> None:
        """What the outcomes say about the destination: its window and its breaker."""
        trouble = next((o for o in outcomes if o.scope in ("host", "us")), None)
        if trouble is None:
            if self.scheduler.succeeded(destination):
                self.wake()
            return
        self.scheduler.failed(destination, self.clock.now(), trouble.reply, ours=trouble.scope == "us")
        if trouble.scope == "us":
            self.tell(Alarm(self.clock.now(), "login", f"{trouble.hop.host} refuses our login: {trouble.reply}"))

    def _has_rule(self, job: Job, outcome: Outcome) -> bool:
        """Whether the configuration knows more about the reply than its code says."""
        reactions = self.policy.reactions
        return reactions is not None and reactions.rule(job.way.key, outcome) is not None

    def _react(self, destination: Destination, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
        """Do what the configuration says about such replies. Where that is a pause, what waits for the destination is put off."""
        reactions, now = self.policy.reactions, self.clock.now()
        if reactions is None:
            return outcomes
        outcomes = reactions.react(destination, job, outcomes, now, self.random)
        if now < destination.paused_until:
            self.scheduler.changed(destination)
        return outcomes

    def _put_off(self, job: Job, destination: Destination) -> None:
        """Nobody answers there: what waits is put off together, without a connection each and without counting.

        Where that is our fault, nothing of it expires.
        """
        now = self.clock.now()
        breaker = destination.breaker
        due = destination.rests_until + destination.spread(self.random())
        reply = (destination.pause_reason if now < destination.paused_until else breaker.reason) or "the destination does not answer"
        scope: Scope = "us" if breaker.ours else "destination"
        outcomes = [
            Outcome(to, "defer", scope, 451, "4.4.1", f"not tried: {reply}", "connect",
                    at=now, due=due, counts=False)
            for to in job.recipients
        ]  # fmt: skip
        self._spawn(self._finished(job.attempt, outcomes))


class Line:
    """The jobs of one session, in their order: the one at work, and the next one, which is known ahead of its time."""

    def __init__(self, engine: Engine, destination: Destination, first: Job) -> None:
        self.engine = engine
        self.destination = destination
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.load: Load | None = None
        """What is being delivered; to the watchdog, the next one is progress."""
        self._next = engine.claim(first)

    def step(self) -> Load | None:
        """Go on to the next job; None if there is none, or no more is welcome."""
        self.load, self._next = self.ahead(), None
        if self.engine.scheduler.drained(self.destination):
            self.engine.wake()
        return self.load

    def ahead(self) -> Load | None:
        """The next job, locked."""
        while self._next is None and self.engine.welcome(self.destination) and (job := self.destination.take(self.engine.clock.now())):
            self._next = self.engine.claim(job)
        return self._next

    def close(self) -> None:
        """The session is over; a job that was promised to it goes back to the queue."""
        if self._next is not None:
            self.destination.give_back(self._next.job, self.engine.clock.now())
            self.engine.scheduler.queue(self._next.job)
            self.engine.wake()
