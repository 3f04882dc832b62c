"""The loader: reads messages that are due, finds their routes, and queues their parts for their destinations.

The first half of the queue's work, up to a destination's queue; `worker` is the other. What keeps a message from going on is found
out here: that it cannot be read, has gone round in circles, comes too late, is for somebody who is not to be mailed, is paused, leads
nowhere, or that its destination has more than its share of the memory.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from mailer.events import Alarm, Changed, Corrupt, Seen
from mailer.mail.message import Message
from mailer.mail.outcome import foretold
from mailer.mail.problem import Problem
from mailer.net.aside import LARGE, aside
from mailer.spool.api import CorruptMessage, NoSuchMessage, Trouble, trouble_of
from mailer.transport import verdict
from mailer.transport.return_path import by_sender
from mailer.transport.route import Unroutable

from . import age
from .admission import LONG, ORDINARY
from .attempt import Attempt, Job
from .scheduler import CONGESTED
from .tasks import Progress
from .unsubscribing import wants_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.accounts.residence import Residence
    from mailer.mail.outcome import Outcome
    from mailer.routing.resolve import Router
    from mailer.spool.api import Entry
    from mailer.spool.suspensions import Suspension
    from mailer.suppression.api import SuppressionEntry
    from mailer.transport.route import Route

    from .connectivity import Connectivity
    from .context import Context, Current
    from .folding import EqualMail
    from .fuses import Fuses
    from .residing import ResidentMail
    from .settle import Settler
    from .suppressed import SuppressedMail
    from .suspension import SuspendedMail

    SuppressedBy = Mapping[str, Mapping[int, SuppressionEntry]]

MAX_RECIPIENTS = 100  # of one transaction; every server takes that many, RFC 5321 §4.5.3.1.8
EARLY = 1.0  # seconds that mail may leave before the time that its sender named
TOGETHER = 20  # messages that are read at once: so many contents are in memory beside those that are kept
UNREADABLE = (NoSuchMessage, CorruptMessage, OSError, MemoryError)
MANY_WAIT = 50  # for one route: so many are queued before others have a turn
UNBOXED = (
    "mail that was submitted in a sandbox is held, for none holds now: `mailer queue list --state held` shows it, "
    "`mailer queue release --yes` lets it go to whom it names, `mailer queue cancel` to nobody"
)
UNREADABLE_PAUSE = 5.0  # seconds before a message that the disk would not give is read again


class MessageLoader:
    """A loader that brings messages from the disk to the queues of their destinations."""

    def __init__(
        self,
        current: Current,
        settler: Settler,
        suspended: SuspendedMail,
        connectivity: Connectivity,
        suppressed: SuppressedMail,
        residing: ResidentMail,
        fuses: Fuses,
        folding: EqualMail,
    ) -> None:
        self.current = current
        self.settler = settler
        self.suspended = suspended
        self.connectivity = connectivity
        self.suppressed = suppressed
        self.residing = residing
        self.fuses = fuses
        self.folding = folding
        self.later: set[str] = set()
        """Messages that only a later version of the program can read."""
        self.boxed: set[str] = set()
        """Messages that are held because a sandbox held when they were submitted."""
        self._sought: dict[tuple[Router, str], list[tuple[Attempt, list[int]]]] = {}  # who waits for the route of a domain
        self.attempts: WeakSet[Attempt] = WeakSet()
        """Those that are not over."""

    # Reading

    async def load(self, ids: Sequence[str]) -> None:
        """Read messages that are due and queue their parts for their destinations. A large one is read beside everything else."""
        context = self.current.context
        spool, now = context.spool, context.clock.now()
        for at in range(0, len(ids), TOGETHER):
            read: list[tuple[Entry, bytes, int]] = []
            for entry in await spool.load(ids[at : at + TOGETHER], LARGE):
                if isinstance(entry, Trouble):
                    self._unreadable(context, entry)
                    continue
                try:
                    content = await spool.content(entry)
                    passed = hops(content)
                except UNREADABLE as error:
                    spool.forget([entry])
                    self._unreadable(context, trouble_of(entry.id, error))
                else:
                    read.append((entry, content, passed))
            entries = [entry for entry, _, _ in read]
            suppressed, elsewhere = await self.suppressed.look(entries, now), await self.residing.look(entries)
            for entry, content, passed in read:
                self._loaded(context, entry, content, passed, now, suppressed, elsewhere)

    async def _load_apart(self, context: Context, id: str) -> None:
        """Load a large message, one of them at a time: they share the memory that there is for such."""
        spool = context.spool
        async with self.settler.apart:
            if context.scheduler.crowded:
                context.scheduler.forget(id)
                context.scheduler.expect(id, context.clock.now())
                return
            [entry] = await spool.load([id])
            if isinstance(entry, Trouble):
                self._unreadable(context, entry)
                return
            try:
                content = await spool.content(entry)
                passed = await aside(partial(hops, content))
            except UNREADABLE as error:
                spool.forget([entry])
                self._unreadable(context, trouble_of(id, error))
                return
        now = context.clock.now()
        suppressed, elsewhere = await self.suppressed.look([entry], now), await self.residing.look([entry])
        self._loaded(context, entry, content, passed, now, suppressed, elsewhere)

    def _unreadable(self, context: Context, trouble: Trouble) -> None:
        """It is not there, is no message, or cannot be had now."""
        id, kind = trouble.id, trouble.kind
        if kind == "large":
            context.tasks.spawn(self._load_apart(context, id), Progress("body", f"message {id}"))
        elif kind == "newer":
            self._leave(context, id, trouble.why)
        elif kind == "corrupt":
            context.scheduler.forget(id)
            context.tasks.spawn(self._set_aside(context, id, trouble.why), Progress("settle", f"message {id}"))
        elif kind == "later":
            self._later(context, id, f"cannot read message {id}: {trouble.why}")
        else:
            context.scheduler.forget(id)
            if kind == "memory":
                context.scheduler.expect(id, context.alarms.out_of_memory(f"message {id} could not be read"))

    def _loaded(
        self,
        context: Context,
        entry: Entry,
        content: bytes,
        passed: int,
        now: float,
        suppressed: SuppressedBy | None,
        elsewhere: Mapping[str, Mapping[int, Residence]],
    ) -> None:
        """It was read, and has `passed` so many hosts. Of whom it is for, those who are `suppressed` are not mailed; None: who knows. Those
        who are `elsewhere` have no mailbox here of that name."""
        id = entry.id
        if entry.total - entry.size > ORDINARY:
            context.scheduler.weigh(id, entry.total - entry.size)
        if entry.damaged:
            context.spool.forget([entry])
            context.tasks.spawn(self._hold(context, id, "damaged"), Progress("settle", f"message {id}"))
            return
        if entry.state == "deferred" and entry.appointed > now + EARLY and id not in self.suspended.hurried:  # the clock was set back
            context.spool.forget([entry])
            context.scheduler.forget(id)
            context.scheduler.expect(id, entry.appointed)
            return
        policy = context.policy
        if entry.envelope.options and policy.sandbox is None and entry.boxed:
            context.spool.forget([entry])
            context.tasks.spawn(self._hold(context, id, "sandbox"), Progress("settle", f"message {id}"))
            return
        urged = bool(entry.history.outcomes) and entry.state == "queued"
        outcomes = [] if self.folding.fold is None else self.folding.put_off(entry, now, urged=urged)
        if not outcomes:
            outcomes, again = self.fuses.put_off(entry, now, urged=urged)
            if again:
                context.spool.forget([entry])
                context.scheduler.forget(id)
                context.scheduler.expect(id, again)
                return
        if not entry.history.outcomes:
            context.tell(Seen(now, entry))
        else:
            context.recorder.resumed(entry)
        attempt = Attempt(entry, now, suppressed=(suppressed or {}).get(entry.id, {}), elsewhere=elsewhere.get(entry.id, {}))
        self.attempts.add(attempt)
        if passed > policy.max_hops:
            self._over(attempt, _in_circles(entry, policy.max_hops, now))
            return
        if entry.envelope.options and age.overdue(attempt, context.clock, policy.schedule.expire):
            self._over(attempt, verdict.too_late(entry.history.pending(), now))  # RFC 2852 §4.2
            return
        outcomes = outcomes or ([] if suppressed is not None else self.suppressed.waits(entry, now, context.random()))
        if outcomes:
            self._over(attempt, outcomes)
            return
        if policy.signer and entry.ready and entry.total <= LARGE and not (wants_link(entry.envelope) or entry.envelope.foreign):
            attempt.signing = policy.signer.ahead(content, now)
        self._route(context, attempt, now)

    def _over(self, attempt: Attempt, outcomes: Sequence[Outcome]) -> None:
        """The attempt is over before it has begun."""
        attempt.split(1)
        self.settler.finish(attempt, outcomes)

    async def _set_aside(self, context: Context, id: str, reason: str) -> None:
        now = context.clock.now()
        try:
            place = await context.spool.set_aside(id)
        except OSError as error:
            context.tell(Alarm(now, "spool", f"message {id} is corrupt ({reason}) and cannot be set aside: {error.strerror}"))
        else:
            context.tell(Corrupt(now, id, reason, place))

    def _leave(self, context: Context, id: str, reason: str) -> None:
        """A later version can deliver it, once it is back: it stays where it is, and that is said once."""
        context.scheduler.forget(id)
        if id not in self.later:
            self.later.add(id)
            context.tell(Alarm(context.clock.now(), "later", f"message {id} stays where it is until that version runs again: {reason}", id))

    async def _hold(self, context: Context, id: str, what: Literal["damaged", "sandbox"]) -> None:
        """A person decides: a record of it is damaged, so that to go on could be to deliver again, or to forget somebody; or a sandbox
        held when it was submitted, and none does now."""
        now = context.clock.now()
        try:
            [held] = (await context.spool.act("hold", [id], now)).messages
            if held.problem:
                raise held.problem
            entry = await context.spool.read(id)
        except (Problem, CorruptMessage, OSError) as error:  # somebody has it this moment, or the disk fails us
            state = "has a damaged record" if what == "damaged" else "was submitted in a sandbox"
            self._later(context, id, f"message {id} {state} and cannot be held: {error}")
            return
        context.scheduler.forget(id)
        context.tell(Changed(now, entry, entry.status))
        if what == "sandbox":
            self.boxed.add(id)
            context.alarms.met(what, UNBOXED)
            return
        why = "a record of what became of it is damaged, so nobody knows who has it"
        do = f"`mailer queue release {id}` sends it to all without a record, `mailer queue cancel {id}` to nobody"
        context.tell(Alarm(now, "damaged", f"message {id} is held: {why}", id, do))

    def stranger(self, found: Trouble) -> None:
        """Tell of what somebody else put where messages wait, and was set aside."""
        context = self.current.context
        context.tell(Corrupt(context.clock.now(), found.id, found.why, found.place))

    def _later(self, context: Context, id: str, problem: str) -> None:
        """The disk fails us: the message stays where it is and is looked at again."""
        context.scheduler.forget(id)
        context.scheduler.expect(id, context.clock.now() + UNREADABLE_PAUSE)
        context.tell(Alarm(context.clock.now(), "spool", problem))

    # Routing

    def _route(self, context: Context, attempt: Attempt, now: float) -> None:
        entry = attempt.entry
        attempt.urged = bool(entry.history.outcomes) and entry.state == "queued"  # nobody but an operator brings it back there
        # its time has come: if no record says so, the clock was set since, and whoever was due first is
        pending = entry.history.pending(max(now, entry.history.due) if entry.state == "deferred" else None)
        pending = self.suspended.pending(entry, pending, now) if self.suspended.hurried else pending
        if not pending:  # a crash came between the last outcome and the move
            self._over(attempt, [])
            return
        self._divide(context, attempt, pending, now, counted=0)

    def _divide(self, context: Context, attempt: Attempt, pending: Sequence[int], now: float, counted: int = 1) -> None:
        """Send a message, to the recipients `pending`, on all ways that it takes; they are `counted` as one part of it, or not yet."""
        entry, (settled, elsewhere, domains) = attempt.entry, self._set_apart(context, attempt, pending, now)
        ended = [settled] if settled else []
        unknown: list[tuple[str, list[int]]] = []
        routes: dict[str, tuple[Route, list[int]]] = {}
        pauses, router = self.suspended.pauses, context.policy.router
        for domain, recipients in domains.items():
            if pauses.by_target and (pause := pauses.of_domain(domain, now)):
                ended.append(self.suspended.paused(entry.id, pause, recipients))
            elif (route := router.known(domain, now)) is None:
                unknown.append((domain, recipients))
            elif route.key in routes:
                routes[route.key][1].extend(recipients)
            else:
                routes[route.key] = (route, recipients)
        attempt.split(len(ended) + bool(elsewhere) + len(unknown) + len(routes) - counted)
        if elsewhere:
            self.residing.finish(context, attempt, elsewhere)
        for outcomes in ended:
            self.settler.finish(attempt, outcomes)
        for domain, recipients in unknown:
            self._find(context, attempt, domain, recipients)
        for route, recipients in routes.values():
            self._queue(context, attempt, route, recipients, now)

    def _set_apart(
        self, context: Context, attempt: Attempt, pending: Sequence[int], now: float
    ) -> tuple[list[Outcome], dict[int, Residence], dict[str, list[int]]]:
        """Of the recipients `pending` those of whom all is known, those who are led elsewhere, and the others by their domains."""
        people, sandbox = attempt.entry.envelope.recipients, context.policy.sandbox
        settled: list[Outcome] = []
        elsewhere: dict[int, Residence] = {}
        domains: dict[str, list[int]] = {}
        for to in pending:
            if (known := people[to].outcome) is not None:  # submission has said all
                settled.append(foretold(to, now, known))
            elif to in attempt.suppressed:
                settled.append(self.suppressed.outcome(attempt, to, now))
            elif to in attempt.elsewhere and sandbox is None:
                elsewhere[to] = attempt.elsewhere[to]
            else:
                domain = people[to].domain if sandbox is None else sandbox.domain(people[to].address)
                domains.setdefault(domain, []).append(to)
        return settled, elsewhere, domains

    def _find(self, context: Context, attempt: Attempt, domain: str, recipients: list[int]) -> None:
        """Look for the route of a domain, once for all parts of messages that wait for it."""
        key = context.policy.router, domain
        waiting = self._sought.get(key)
        if waiting is None:
            self._sought[key] = [(attempt, recipients)]
            context.tasks.find(self._find_route(context, key), f"message {attempt.entry.id} to {domain}")
        else:
            waiting.append((attempt, recipients))

    async def _find_route(self, context: Context, key: tuple[Router, str]) -> None:
        router, domain = key
        try:
            route = await router.find(domain, context.clock.now())
        except Unroutable as trouble:
            for attempt, recipients in self._sought.pop(key):
                due = self.connectivity.offline(attempt.entry.id) if trouble.offline else 0.0
                self.settler.finish(attempt, verdict.unroutable(recipients, trouble, context.clock.now(), due))
        except asyncio.CancelledError:
            waiting = self._sought.pop(key)
            broken_off = context.tasks.broken_off([0])[0]
            for attempt, recipients in waiting:
                self.settler.finish(attempt, [broken_off._replace(to=to) for to in recipients])
        except Exception as error:
            for attempt, recipients in self._sought.pop(key):
                self.settler.finish(attempt, context.alarms.our_fault(error, "dns", recipients))
        else:
            waiting = self._sought.pop(key)
            if (now := self.current.context).policy.router is not router and not now.policy.diverts_as(context.policy):
                for attempt, recipients in waiting:
                    self._divide(now, attempt, recipients, now.clock.now())
            else:
                await self._queue_all(context, route, waiting)

    async def _queue_all(self, context: Context, route: Route, waiting: list[tuple[Attempt, list[int]]]) -> None:
        """Queue all who waited for `route`. A bug that one of them meets is told, and is no other's: `Invariants` finds that one again."""
        for nth, (attempt, recipients) in enumerate(waiting, 1):
            now = context.clock.now()
            try:
                self._queue(context, attempt, route, recipients, now)
            except Exception as error:
                context.tell(Alarm.of(now, error))
            if not nth % MANY_WAIT:
                await asyncio.sleep(0)

    def _is_paused(self, attempt: Attempt, key: str, recipients: Sequence[int], now: float) -> bool:
        """Whether an operator lets mail that goes this way wait; then it is put off."""
        pause = self.suspended.pauses.of_way(key, now)
        if pause is not None:
            self.settler.finish(attempt, self.suspended.paused(attempt.entry.id, pause, recipients))
        return pause is not None

    def _queue(self, context: Context, attempt: Attempt, route: Route, recipients: list[int], now: float) -> None:
        """Queue the part of a message that goes one way, in transactions of as many recipients as are taken there."""
        if self.suspended.pauses.by_target and self._is_paused(attempt, route.key, recipients, now):
            return
        if attempt.urged:
            context.scheduler.try_now(context.scheduler.destination(route), now)
        if not context.scheduler.admits(route, attempt.entry.id, now):
            self._no_room(context, attempt, route, recipients)
            return
        terms = context.scheduler.destination(route).terms
        envelope = attempt.entry.envelope
        most = context.policy.returns.most(MAX_RECIPIENTS if terms is None else terms.recipients_per_message, envelope, route)
        if len(recipients) <= most and not envelope.foreign:
            context.scheduler.queue(Job(attempt, route, recipients))
        else:
            groups = by_sender(envelope, recipients)
            parts = [group[at : at + most] for group in groups for at in range(0, len(group), most)]
            attempt.split(len(parts) - 1)
            for part in parts:
                context.scheduler.queue(Job(attempt, route, part))
        context.wake()

    def _no_room(self, context: Context, attempt: Attempt, route: Route, recipients: list[int]) -> None:
        """The destination holds its share of the memory. The message goes back to waiting as if it had not been read.

        A message with other parts is delivered to these; what is to go there is put off, and that is no attempt. So is a message that
        would wait for very long, because only what is put off can be late, or expire.
        """
        now = context.clock.now()
        long = context.scheduler.is_long(route, now)
        if not long and attempt.parts == 1 and attempt.lease is None and not attempt.unwritten:
            attempt.part_done()
            context.spool.forget([attempt.entry])
            context.scheduler.park(attempt.entry.id, route)
            return
        due = now + (LONG if long else CONGESTED) * (1 + context.random())
        self.settler.finish(attempt, verdict.congested(recipients, now, due))

    def route_again(self) -> None:
        """Find the way anew of all that waits in memory for a destination: a sandbox begins, ends, or is another one."""
        context = self.current.context
        for destination in [*context.scheduler.destinations.values()]:
            for job in destination.take_all():
                self._divide(context, job.attempt, job.recipients, context.clock.now())

    # Pauses

    def queue_again(self) -> None:
        """Put off what waits in memory for something that is paused and was not."""
        context = self.current.context
        for destination in [*context.scheduler.destinations.values()]:
            for job in destination.take_all():
                self._queue_again(context, job)

    def _queue_again(self, context: Context, job: Job) -> None:
        """A job that was queued before its destination or some of its domains were paused."""
        now, people = context.clock.now(), job.attempt.entry.envelope.recipients
        if self._is_paused(job.attempt, job.route.key, job.recipients, now):
            return
        left: list[int] = []
        paused: dict[Suspension, list[int]] = {}
        for to in job.recipients:
            pause = self.suspended.pauses.of_domain(people[to].domain, now)
            (paused.setdefault(pause, []) if pause else left).append(to)
        job.attempt.split(len(paused) + bool(left) - 1)
        for pause, recipients in paused.items():
            self.settler.finish(job.attempt, self.suspended.paused(job.attempt.entry.id, pause, recipients))
        if left:
            context.scheduler.queue(Job(job.attempt, job.route, left))


def _in_circles(entry: Entry, most: int, now: float) -> list[Outcome]:
    """RFC 5321 §6.3: so many hosts on the way mean that two of them send it to each other. It is looked for here, where all mail
    passes, however it came in, and where its sender can be told."""
    text = f"the message has passed more than {most} hosts (delivery.max_hops): it goes round in circles"
    return verdict.loop(entry.history.pending(), text, now)


def hops(content: bytes) -> int:
    """How many hosts the message has passed: its Received fields, RFC 5321 §6.3."""
    if content[: content.find(b"\r\n\r\n")].lower().find(b"received") < 0:  # as in nearly all mail, and sooner seen
        return 0
    return sum(name == b"received" for name, _ in Message.head(content).fields())
