"""The manager: carries out what the scheduler plans, and settles each message by what the couriers bring back.

The story of a message here::

    ring or scan ─► Scheduler ─► read ─► route ─► Destination's queue ─► session ─► Courier ─► outcomes
                        ▲                                                                        │
                        └──────────── put off until due ◄──────────── settle ◄───────────────────┘
                                                                        └─► reports, recorder, listeners

The manager decides nothing about hosts, codes or times: `verdict` judges, `retry` knows the schedule,
`scheduler` the order, `settle` writes down. It owns the promise instead: whatever is read is settled, also when
the trouble is a bug of ours. The way to a destination's queue is in `dispatch`, that from the queue to outcomes in `line`.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from mailer.events import Alarm, Changed
from mailer.spool.api import CorruptMessage, NoSuchMessage
from mailer.spool.files import suspensions

from ..shaping.blame import BLAME, kind_of, mended
from ..transport import verdict
from . import clock_step
from .attempt import ContentCache
from .loader import MessageLoader
from .settle import Settler
from .suspension import Standstill
from .watchdog import whereabouts
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence

    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.mail.cause import Cause
    from mailer.mail.outcome import Outcome, Phase
    from mailer.spool.files.store import SpoolDirectory

    from ..transport.courier import Courier
    from .attempt import Attempt, Job
    from .destination import Destination
    from .policy import Policy
    from .recorder import Recorder
    from .scheduler import Plan, Scheduler

CONTENT_BUDGET = 64 << 20  # bytes of messages kept in memory between reading and sending
REMIND = 900.0  # seconds before the same cause at the same destination raises the alarm again
MOST_BLAMED = 1000  # of them, before those are forgotten that were
SHORT_OF_MEMORY = 30.0  # seconds, up to twice as many, before what has met the end of the memory is looked at again
MEMORY_ALARM = 60.0  # seconds between two alarms of that kind


class QueueManager:
    """Delivers what is in `spool`, until it is stopped."""

    def __init__(
        self,
        spool: SpoolDirectory,
        scheduler: Scheduler,
        couriers: Mapping[str, Courier],
        policy: Policy,
        recorder: Recorder,
        clock: SteadyClock,
        tell: Callable[[Event], None],
        random: Callable[[], float],
        files: int = 600,
    ) -> None:
        """`couriers` carry mail by the name of its route's transport; `files` of messages may be kept open."""
        self.spool = spool
        self.scheduler = scheduler
        self.couriers = couriers
        self.policy = policy
        self.clock = clock
        self.tell = tell
        self.random = random
        self.stopping = False
        self._memory_told = 0.0
        self.budget = ContentCache(CONTENT_BUDGET, files)
        self.settler = Settler(spool, scheduler, policy, recorder, clock, tell, random, self.look, self.budget)
        self.standstill = Standstill(spool.root, scheduler, clock, tell, self.wake, random)
        self.dispatcher = MessageLoader(self)
        self.steps = 0
        """How often somebody has set the clock."""
        self.redating = False
        """Whether the files of ``deferred/`` may say another time than that at which they are due."""
        self._wake = asyncio.Event()
        self._sleeps_until = inf
        self.tasks: set[asyncio.Task[None]] = set()
        self._finding: set[asyncio.Task[None]] = set()  # of those, the ones that look for a way: nobody was called yet
        self.lines: set[Worker] = set()
        """The sessions at work; for the watchdog. `stuck` are the tasks that it broke off, with the phase and what it saw."""
        self.stuck: dict[asyncio.Task[None], tuple[Phase, str]] = {}
        self._blamed: dict[tuple[str, Cause], float] = {}
        self.later: set[str] = set()
        """Messages that only a later version of the program can read."""
        self.unremovable: set[str] = set()
        """Messages that are delivered and would not leave the spool; the recorder goes on trying."""

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
            elif id == suspensions.NAME:
                self.dispatcher.mind_pauses()
        self.wake()

    def _moved(self, id: str, state: str) -> None:
        """An operator took it out of delivery."""
        if id in self.scheduler.active and self.scheduler.due_of(id) is None and state == "failed":
            return  # we did that ourselves
        self.scheduler.forget(id)
        try:
            entry = self.spool.read(id, state)
        except (NoSuchMessage, CorruptMessage, OSError):
            return
        self.tell(Changed(self.clock.now(), entry, entry.status))

    def expect_all(self, dues: Iterable[tuple[float, str]]) -> None:
        """Messages that a scan found: (when due, ID), 0.0 for what is in ``queued/``."""
        for due, id in dues:
            if not self.scheduler.knows(id):
                self.scheduler.expect(id, due)
        self.wake()

    def left(self, ids: Iterable[str], problems: Iterable[tuple[str, Exception]]) -> None:
        """The recorder says which messages have left the spool, and which would not."""
        for id in ids:
            self.scheduler.forget(id)
            self.unremovable.discard(id)
        for id, error in problems:
            if id == "status":
                self.settler.status_alarm(error)
                continue
            self.settler.unremovable(error)
            if self.settler.once:
                self.scheduler.forget(id)
            else:  # it stays in the scheduler as being in memory: it must not be delivered again
                self.unremovable.add(id)
        self.wake()

    def recall(self, relays: Collection[str]) -> None:
        """Forget what is known of `relays`, which are called in another way from now on: they get what waited for them. "" is all MX hosts.

        That goes for what has been tried at a relay, too: whom it met says nothing about whom it will. A reload is also a word that what
        of ours was refused may be right again.
        """
        now = self.clock.now()
        for destination in [*self.scheduler.destinations.values()]:
            legs = [leg.partition(":") for leg in destination.key.split(" ")]
            if any((name if kind == "relay" else "") in relays for kind, _, name in legs):
                tried = [id for id in destination.in_vain if self.scheduler.knows(id)]
                self.scheduler.reopen(destination)
                self.standstill.over(destination.key)
                self.standstill.hurry(tried, all=True)
            elif destination.breaker.ours:
                self.scheduler.try_now(destination, now)
        for key in self.standstill.keys_behind():
            known = self.scheduler.destinations.get(key)
            if known is None or not known.rests(now):
                self.standstill.over(key)
        self.wake()

    # The loop

    async def run(self, *, once: bool = False) -> None:
        """Plan and act until stopped; with `once`, until nothing is due any more."""
        while not self.stopping:
            self._wake.clear()
            self.check_clock()
            try:
                plan = self.scheduler.plan(self.clock.now())
                self._act(plan)
            except MemoryError:
                self.out_of_memory("nothing could be planned")
                await self._sleep(self.clock.now() + SHORT_OF_MEMORY)
                continue
            if once and self.scheduler.idle and not self.tasks:
                return
            await self._sleep(plan.again)

    def check_clock(self) -> None:
        """Notice that somebody has set the clock. Nothing becomes due or expires by that."""
        seconds = self.clock.check()
        if seconds:
            self.steps += 1
            self.redating = True
            self._blamed.clear()
            clock_step.move(self, seconds)
            self.tell(Alarm(self.clock.now(), "clock", f"{clock_step.words(seconds)}: what waits goes on waiting as long as it was to"))

    async def _sleep(self, until: float | None) -> None:
        if until is not None and until <= self.clock.now():
            await asyncio.sleep(0)
            return
        self._sleeps_until = inf if until is None else until
        try:
            async with asyncio.timeout(None if until is None else until - self.clock.now()):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._sleeps_until = inf

    @property
    def overslept(self) -> bool:
        """Whether it sleeps on, though it is time: no timer of the loop goes on while the machine sleeps."""
        return self.clock.now() > self._sleeps_until

    async def stop(self, patience: float) -> None:
        """Begin nothing new, let what runs finish within `patience` seconds, break off the rest, and at once who only looks for a way."""
        self.stopping = self.settler.stopping = True
        self.wake()
        for task in self._finding:
            task.cancel()
        if self.tasks:
            _, late = await asyncio.wait(self.tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _act(self, plan: Plan) -> None:
        for destination in plan.put_off:
            for job in destination.take_all():
                self._put_off(job, destination)
        for destination in plan.call_off:
            self._call_off(destination)
        for destination, job in plan.open:
            self.spawn(Worker(self, destination, job).run())
        for id in plan.load:
            self.dispatcher.load(id)

    def _call_off(self, destination: Destination) -> None:
        """Others wait for the place of a session whose host says nothing: it is over, as if its time were up."""
        silent = [line for line in self.lines if line.destination is destination and line.calls and line.task not in self.stuck]
        if silent:
            line = min(silent, key=lambda line: line.began)
            assert line.task is not None
            seconds = self.clock.now() - line.began
            self.stuck[line.task] = (whereabouts(line.task)[0], f"no answer for {seconds:.0f} s, while mail for others waited")
            line.task.cancel()

    def spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Let it run beside everything else; what goes wrong with it is told."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def find(self, coroutine: Coroutine[None, None, None]) -> None:
        """Run `coroutine`, which looks for a way: no stop waits for it, as silent name servers would hold it up."""
        task = self.spawn(coroutine)
        self._finding.add(task)
        task.add_done_callback(self._finding.discard)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.wake()
        if not task.cancelled() and (error := task.exception()):
            self.tell(Alarm.of(self.clock.now(), error))

    # What both ask of it

    def broken_off(self, recipients: Iterable[int]) -> list[Outcome]:
        """The watchdog has ended this task. Raises `CancelledError` again if it was somebody else: then the program ends."""
        task = asyncio.current_task()
        if task not in self.stuck:
            raise asyncio.CancelledError
        phase, why = self.stuck.pop(task)
        task.uncancel()
        return verdict.stuck(recipients, why, phase, self.clock.now())

    def our_fault(self, error: Exception, phase: Phase, recipients: Iterable[int]) -> list[Outcome]:
        """A bug must not leave a message in limbo: it is told, and the message is tried again later.

        That memory is short is none, and no attempt.
        """
        now = self.clock.now()
        if isinstance(error, MemoryError):
            return verdict.short_of_memory(recipients, phase, now, self.out_of_memory("a message could not be delivered"))
        self.tell(Alarm.of(now, error))
        return verdict.bug(recipients, error, phase, now)

    def blame(self, key: str, outcome: Outcome) -> None:
        """Something of ours is wrong, which somebody has to mend: told once in a while for each destination and cause."""
        assert outcome.cause is not None
        now = self.clock.now()
        if now < self._blamed.get((key, outcome.cause), 0.0):
            return
        if len(self._blamed) >= MOST_BLAMED:
            self._blamed = {each: until for each, until in self._blamed.items() if now < until}
        self._blamed[key, outcome.cause] = now + REMIND
        relay = key.removeprefix("relay:") if key.startswith("relay:") else ""
        to_mend = mended(outcome.cause, relay=relay)
        place = f"relay {relay}" if relay else outcome.hop.host
        text = f"{place}: {BLAME[outcome.cause].what}: {outcome.reply}; to mend it: {to_mend}"
        self.tell(Alarm(now, kind_of(outcome.cause), text))

    def out_of_memory(self, what: str) -> float:
        """One message or one task has met the end of the memory, and is looked at again at the time that this returns: the rest goes on.

        What can be given up is, and an alarm says so, once a minute.
        """
        now = self.clock.now()
        self.budget.shrink()
        if not 0 <= now - self._memory_told < MEMORY_ALARM:
            self._memory_told = now
            self.tell(Alarm(now, "memory", f"{what}: this process gets no more memory; it is tried again"))
        return now + SHORT_OF_MEMORY * (1 + self.random())

    def finish(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """One part of a message is through before a session had it; see `finished`."""
        self.spawn(self.finished(attempt, outcomes))

    async def finished(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """One part of a message is through; with the last one, so is the message."""
        try:
            await self.settler.finished(attempt, outcomes)
        finally:
            if attempt.open_jobs == 0:
                self.budget.let_go(attempt)

    def _put_off(self, job: Job, destination: Destination) -> None:
        """Nobody answers there: what waits is put off together, without a connection each and without counting.

        Where that is our fault, nothing of it expires. What has no time left is not tried again: then what the last session met there
        is why, and no word about the breaker.
        """
        now, trouble, ours, who = self.clock.now(), destination.trouble, destination.breaker.ours, job.recipients
        due = destination.rests_until + destination.spread(self.random())
        if now < destination.paused_until:
            outcomes = verdict.suspended(who, destination.pause_reason, now, due, ours=ours)
        elif trouble is None:
            why = destination.breaker.reason or "the destination does not answer"
            outcomes = verdict.breaker_open(who, why, now, due, ours=ours)
        elif ours or now < self.settler.deadline_of(job.attempt):
            why = trouble.text if trouble.ours else trouble.reply
            outcomes = verdict.breaker_open(who, why, now, due, ours=ours, besides=trouble.besides)
        else:
            outcomes = verdict.met_before(who, trouble, now, due)
        if destination.route.relay:
            self.standstill.behind(job.attempt.entry.id, destination.key)
        self.finish(job.attempt, outcomes)
