"""The queue manager: carries out what the scheduler plans, and hears what happens to the spool from outside.

The story of a message here::

    ring or scan ─► Scheduler ─► load ─► route ─► Destination's queue ─► worker ─► Courier ─► outcomes
                        ▲                                                                        │
                        └──────────── put off until due ◄──────────── settle ◄───────────────────┘
                                                                        └─► reports, recorder, listeners

The manager decides nothing about hosts, codes or times: `verdict` judges, `backoff` knows the schedule,
`scheduler` the order, `settle` writes down. What it owns is the promise: whatever is read is settled, also when
the trouble is a bug of ours. The way to a destination's queue is in `loader`, that from the queue to outcomes in `worker`.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from mailer.events import Alarm, Changed, Mended
from mailer.spool.api import CorruptMessage, NoSuchMessage
from mailer.transport import verdict

from . import age, clock_step
from .alarms import SHORT_OF_MEMORY, Alarms
from .connectivity import Connectivity
from .context import Context, Current
from .folding import EqualMail
from .fuses import Fuses
from .loader import MessageLoader
from .residing import ResidentMail
from .settle import Settler
from .suppressed import SuppressedMail
from .suspension import SuspendedMail
from .tasks import Progress, Tasks
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from mailer.accounts.residents import Residents
    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.spool.api import Spool
    from mailer.suppression.api import SuppressionList
    from mailer.transport.courier import Courier

    from .attempt import Job
    from .context import Policy
    from .destination import Destination
    from .recorder import Recorder
from .scheduler import Plan, Scheduler


class QueueManager:
    """A manager that delivers what is in `spool`, until it is stopped. `couriers` carry mail by the name of its route's transport."""

    def __init__(
        self,
        spool: Spool,
        scheduler: Scheduler,
        couriers: Mapping[str, Courier],
        policy: Policy,
        recorder: Recorder,
        clock: SteadyClock,
        tell: Callable[[Event], None],
        random: Callable[[], float],
        *,
        once: bool = False,
        suppression: SuppressionList | None = None,
        residents: Residents | None = None,
    ) -> None:
        self._wake = asyncio.Event()
        wake = self._wake.set
        tasks, alarms = Tasks(clock, tell, wake), Alarms(clock, tell, random, spool.shrink)
        self.current = Current(Context(policy, couriers, spool, scheduler, recorder, tasks, alarms, clock, tell, wake, random))
        self.settler = Settler(self.current, self.hear, once=once)
        self.suspended = SuspendedMail(self.current)
        self.connectivity = Connectivity(self.current, self.suspended)
        self.suppressed = SuppressedMail(self.current, self.settler, suppression)
        self.residing = ResidentMail(self.current, self.settler, residents)
        self.fuses = Fuses(spool, tell)
        self.folding = EqualMail(self.current, self.suspended.hurry, self.hear, self.settler.knows)
        asked = self.suspended, self.connectivity, self.suppressed, self.residing, self.fuses, self.folding
        self.loader = MessageLoader(self.current, self.settler, *asked)
        self.steps = 0
        """How often somebody has set the clock."""
        self.redating = False
        """Whether the files of ``deferred/`` may say another time than that at which they are due."""
        self.unremovable: set[str] = set()
        """Messages that are delivered and would not leave the spool; the recorder goes on trying."""
        self._sleeps_until = inf

    # News from outside

    def hear(self, ids: Iterable[str]) -> None:
        """Look soon at these messages, of which somebody says that they have changed."""
        self.current.context.tasks.spawn(self.look(ids), Progress("settle", "what has changed"))

    async def look(self, ids: Iterable[str]) -> None:
        """Look at these messages, of which a sender or an operator's command says that they have changed."""
        context = self.current.context
        scheduler = context.scheduler
        ids = [*ids]
        for id, found in zip(ids, await context.spool.find(ids), strict=True):
            if id in self.loader.boxed and (found is None or found.state != "held"):
                self.loader.boxed.discard(id)
                if not self.loader.boxed:
                    context.tell(Mended(context.clock.now(), "sandbox", detail="none of that mail is held any more"))
            if found is None:
                continue
            if found.state == "queued":
                scheduler.expect(found.id, 0.0)
            elif found.state != "deferred":
                await self._moved(context, found.id, found.state)
            elif not scheduler.knows(found.id):
                scheduler.expect(found.id, found.due or context.clock.now())
        context.wake()

    async def mind_pauses(self) -> None:
        """Look whether an operator has paused a destination, or let it go on."""
        self.check_clock()  # before: what is known of pauses until now was said by the old one
        if await self.suspended.read() and self.suspended.pauses:
            self.loader.queue_again()

    async def _moved(self, context: Context, id: str, state: str) -> None:
        """An operator took it out of delivery."""
        scheduler = context.scheduler
        if id in scheduler.active and scheduler.due_of(id) is None and state == "failed":
            return  # we did that ourselves
        scheduler.forget(id)
        self.fuses.left(id, context.clock.now())
        try:
            entry = await context.spool.read(id)
        except (NoSuchMessage, CorruptMessage, OSError):
            return
        context.tell(Changed(context.clock.now(), entry, entry.status))

    def expect_all(self, dues: Iterable[tuple[float, str]]) -> None:
        """Expect messages that a scan found: (when due, ID), 0.0 for what is in ``queued/``."""
        context = self.current.context
        context.scheduler.expect_all(dues)
        context.wake()

    def left(self, ids: Iterable[str], problems: Iterable[tuple[str, Exception]]) -> None:
        """The recorder says which messages have left the spool, and which would not."""
        context = self.current.context
        for id in ids:
            context.scheduler.forget(id)
            self.unremovable.discard(id)
        written = True
        for id, error in problems:
            if id == "status":
                self.settler.status_alarm(error)
                written = False
                continue
            self.settler.unremovable(error)
            if self.settler.once:
                context.scheduler.forget(id)
            else:  # it stays in the scheduler as being in memory: it must not be delivered again
                self.unremovable.add(id)
        if written:
            context.tell(Mended(context.clock.now(), "status", "write", "the status database is written again"))
        context.wake()

    def change(self, policy: Policy) -> None:
        """Let `policy` be in force from now on, for whatever is begun then."""
        context = self.current.context
        self.current.context = context._replace(policy=policy)
        context.policy.close()
        if not policy.diverts_as(context.policy):
            self.loader.route_again()

    def recall(self, relays: Collection[str]) -> None:
        """Forget what is known of `relays`, which are called in another way from now on: they get what waited for them. "" is all MX hosts.

        That goes for what has been tried at a relay, too: whom it met says nothing about whom it will. A reload is also a word that what
        of ours was refused may be right again.
        """
        context = self.current.context
        scheduler, suspended, now = context.scheduler, self.suspended, context.clock.now()
        for destination in [*scheduler.destinations.values()]:
            legs = [leg.partition(":") for leg in destination.key.split(" ")]
            if any((name if kind == "relay" else "") in relays for kind, _, name in legs):
                tried = [id for id in destination.in_vain if scheduler.knows(id)]
                scheduler.reopen(destination)
                suspended.over(destination.key)
                suspended.hurry(tried, all=True)
            elif destination.breaker.ours:
                scheduler.try_now(destination, now)
        for key in suspended.keys_behind():
            known = scheduler.destinations.get(key)
            if known is None or not known.rests(now):
                suspended.over(key)
        context.wake()

    # The loop

    async def run(self) -> None:
        """Plan and act until stopped; with `once`, until nothing is due any more."""
        context = self.current.context
        scheduler, tasks, clock = context.scheduler, context.tasks, context.clock
        while not tasks.stopping:
            self._wake.clear()
            self.check_clock()
            try:
                plan = scheduler.plan(clock.now())
                await self._act(plan)
            except MemoryError:
                context.alarms.out_of_memory("nothing could be planned")
                await self._sleep(clock, clock.now() + SHORT_OF_MEMORY)
                continue
            if self.settler.once and scheduler.idle and not tasks.running:
                return
            await self._sleep(clock, plan.again)

    def check_clock(self) -> None:
        """Notice whether somebody has set the clock. Nothing becomes due or expires by that."""
        context = self.current.context
        if seconds := context.clock.check():
            self.steps += 1
            self.redating = True
            clock_step.move(context, seconds)
            self.suspended.move(seconds)
            self.fuses.move(seconds)
            self.folding.move(seconds)
            for worker in self._workers():
                worker.began += seconds
            problem = f"{clock_step.words(seconds)}: what waits goes on waiting as long as it was to"
            context.tell(Alarm(context.clock.now(), "clock", problem))

    async def _sleep(self, clock: SteadyClock, until: float | None) -> None:
        if until is not None and until <= clock.now():
            await asyncio.sleep(0)
            return
        self._sleeps_until = inf if until is None else until
        try:
            async with asyncio.timeout(None if until is None else until - clock.now()):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._sleeps_until = inf

    @property
    def overslept(self) -> bool:
        """Whether the loop sleeps on, though it is time: no timer goes on while the machine sleeps."""
        return self.current.context.clock.now() > self._sleeps_until

    async def stop(self, patience: float) -> None:
        """Begin nothing new, let what runs finish within `patience` seconds, break off the rest, and at once who only looks for a route."""
        self.current.context.wake()
        await self.current.context.tasks.stop(patience)

    async def _act(self, plan: Plan) -> None:
        context = self.current.context
        for destination in plan.put_off:
            for job in destination.take_all():
                self._put_off(context, job, destination)
        for destination in plan.call_off:
            self._call_off(context, destination)
        for destination, job in plan.open:
            worker = Worker(self.current, self.settler, self.suspended, self.connectivity, self.suppressed, destination, job)
            context.tasks.spawn(worker.run(), worker)
        if plan.load:
            await self.loader.load(plan.load)

    def _workers(self) -> Iterator[Worker]:
        return (progress for progress in self.current.context.tasks.running.values() if isinstance(progress, Worker))

    def _call_off(self, context: Context, destination: Destination) -> None:
        """Others wait for the place of a session whose host says nothing: it is over, as if its time were up."""
        silent = [worker for worker in self._workers() if worker.destination is destination and worker.calls]
        for worker in sorted(silent, key=lambda worker: worker.began):
            seconds = context.clock.now() - worker.began
            if context.tasks.break_off(worker, f"no answer for {seconds:.0f} s, while mail for others waited"):
                return

    def _put_off(self, context: Context, job: Job, destination: Destination) -> None:
        """Nobody answers there: what waits is put off together, without a connection each and without counting.

        Where that is our fault, nothing of it expires. What has no time left is not tried again: then what the last session met there
        is why, and no word about the breaker.
        """
        destination.waits(job.attempt.entry.id)
        now, trouble, ours, who = context.clock.now(), destination.trouble, destination.breaker.ours, job.recipients
        due = destination.rests_until + destination.spread(context.random())
        if now < destination.paused_until:
            outcomes = verdict.suspended(who, destination.pause_reason, now, due, ours=ours)
        elif trouble is None:
            why = destination.breaker.reason or "the destination does not answer"
            outcomes = verdict.breaker_open(who, why, now, due, ours=ours)
        elif ours or now < age.deadline_of(job.attempt, context.clock, context.policy.schedule.expire):
            why = trouble.text if trouble.ours else trouble.reply
            outcomes = verdict.breaker_open(who, why, now, due, ours=ours, besides=trouble.besides)
        else:
            outcomes = verdict.met_before(who, trouble, now, due)
        if destination.route.relay:
            self.suspended.behind(job.attempt.entry.id, destination.key)
        self.settler.finish(job.attempt, outcomes)
