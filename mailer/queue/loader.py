"""The dispatcher: reads messages that are due, finds their ways, and queues their parts for their destinations.

The first half of the manager's work, up to a destination's queue; `line` is the other. What keeps a message from going on is found
out here: that it cannot be read, has gone round in circles, comes too late, is paused, leads nowhere, or that its destination has more
than its share of the memory.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from mailer.events import Alarm, Changed, Corrupt, Seen
from mailer.io import durable
from mailer.mail.message import Message, header_end
from mailer.mail.outcome import foretold
from mailer.mail.problem import Problem
from mailer.net.aside import LARGE, aside
from mailer.spool.api import CorruptMessage, LaterMessage, NoSuchMessage
from mailer.spool.files.store import Large

from ..transport import verdict
from ..transport.route import Unroutable
from .admission import LONG, ORDINARY
from .attempt import Attempt, Job
from .scheduler import CONGESTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Outcome
    from mailer.spool.files.store import FileEntry

    from ..transport.route import Route
    from .manager import QueueManager

MAX_RECIPIENTS = 100  # of one transaction; every server takes that many, RFC 5321 §4.5.3.1.8
EARLY = 1.0  # seconds that mail may leave before the time that its sender named
UNREADABLE_PAUSE = 5.0  # seconds before a message that the disk would not give is read again


class MessageLoader:
    """The part of `manager` that brings messages from the disk to the queues."""

    def __init__(self, manager: QueueManager) -> None:
        self.manager = manager
        self.spool = manager.spool
        self.scheduler = manager.scheduler
        self.policy = manager.policy
        self.clock = manager.clock
        self.tell = manager.tell
        self.random = manager.random
        self.budget = manager.budget
        self.settler = manager.settler
        self.standstill = manager.standstill

    # Reading

    def load(self, id: str) -> None:
        """Read a message that is due and queue its parts for their destinations. A large one is read beside everything else."""
        now = self.clock.now()
        try:
            entry, content, descriptor = self._read(id, keep=self.budget.wants_file(now))
            passed = hops(content)
        except Large:
            self.manager.spawn(self._load_apart(id))
        except (NoSuchMessage, CorruptMessage, OSError, MemoryError) as error:
            self._unreadable(id, error)
        else:
            self._loaded(entry, content, descriptor, passed, now)

    async def _load_apart(self, id: str) -> None:
        """In a thread, and one of them at a time: they share the memory that there is for such."""

        def read() -> tuple[FileEntry, bytes, int]:
            entry, content, _ = self._read(id, keep=False, most=inf)
            return entry, content, hops(content)

        try:
            async with self.settler.apart:
                if self.scheduler.crowded:
                    self.scheduler.forget(id)
                    self.scheduler.expect(id, self.clock.now())
                    return
                entry, content, passed = await aside(read)
        except (NoSuchMessage, CorruptMessage, OSError, MemoryError) as error:
            self._unreadable(id, error)
        else:
            self._loaded(entry, content, -1, passed, self.clock.now())

    def _unreadable(self, id: str, error: Exception) -> None:
        """It is not there, is no message, or cannot be had now."""
        if isinstance(error, LaterMessage):
            self._leave(id, str(error))
        elif isinstance(error, CorruptMessage):
            self.scheduler.forget(id)
            self._set_aside(id, self.spool.find(id) or "queued", str(error))
        elif isinstance(error, OSError):
            self._later(id, f"cannot read message {id}: {error.strerror}")
        else:
            self.scheduler.forget(id)
            if isinstance(error, MemoryError):
                self.scheduler.expect(id, self.manager.out_of_memory(f"message {id} could not be read"))

    def _loaded(self, entry: FileEntry, content: bytes, descriptor: int, passed: int, now: float) -> None:
        """It was read, and has `passed` so many hosts."""
        id = entry.id
        if entry.total - entry.size > ORDINARY:
            self.scheduler.weigh(id, entry.total - entry.size)
        if entry.damaged:
            self._hold(id, descriptor)
            return
        if entry.state == "deferred" and entry.appointed > now + EARLY and id not in self.standstill.hurried:  # the clock was set back
            if descriptor >= 0:
                durable.let_go(descriptor)
            self.scheduler.forget(id)
            self.scheduler.expect(id, entry.appointed)
            return
        if not entry.history.outcomes:
            self.tell(Seen(now, entry))
        attempt = Attempt(entry, now)
        self.budget.keep(attempt, content, descriptor)
        if passed > self.policy.max_hops:
            attempt.open_jobs = 1
            self.manager.finish(attempt, self._in_circles(attempt, now))
            return
        if entry.envelope.options and self.settler.overdue(attempt, now):
            attempt.open_jobs = 1
            self.manager.finish(attempt, self._overdue(attempt, now))
            return
        if self.policy.signer and attempt.content is not None and entry.total <= LARGE:
            attempt.signing = self.policy.signer.ahead(content, now)
        self._route(attempt, now)

    def _read(self, id: str, *, keep: bool, most: float = LARGE) -> tuple[FileEntry, bytes, int]:
        try:
            entry = self.spool.load(id, "queued", keep=keep, most=most)
        except NoSuchMessage:
            entry = self.spool.load(id, "deferred", keep=keep, most=most)
        content, fd = entry.content or b"", entry.fd
        entry.content, entry.fd = None, -1
        return entry, content, fd

    def _set_aside(self, id: str, state: str, reason: str) -> None:
        try:
            path = self.spool.set_aside(state, id)
        except OSError as error:
            self.tell(Alarm(self.clock.now(), "spool", f"message {id} is corrupt ({reason}) and cannot be set aside: {error.strerror}"))
        else:
            self.tell(Corrupt(self.clock.now(), id, reason, path))

    def _leave(self, id: str, reason: str) -> None:
        """A later version can deliver it, once it is back: it stays where it is, and that is said once."""
        self.scheduler.forget(id)
        if id not in self.manager.later:
            self.manager.later.add(id)
            self.tell(Alarm(self.clock.now(), "later", f"message {id} stays where it is until that version runs again: {reason}"))

    def _hold(self, id: str, descriptor: int) -> None:
        """A record of it is damaged: to go on could be to deliver again, or to forget somebody. A person decides."""
        if descriptor >= 0:
            durable.let_go(descriptor)
        try:
            entry = self.spool.hold(id)
        except (Problem, CorruptMessage, OSError) as error:  # somebody has it this moment, or the disk fails us
            self._later(id, f"message {id} has a damaged record and cannot be held: {error}")
            return
        self.scheduler.forget(id)
        now = self.clock.now()
        why = "a record of what became of it is damaged, so nobody knows who has it"
        do = f"`mailer queue release {id}` sends it to all without a record, `mailer queue cancel {id}` to nobody"
        self.tell(Alarm(now, "damaged", f"message {id} is held: {why}; {do}"))
        self.tell(Changed(now, entry, entry.status))

    def stranger(self, name: str) -> None:
        """Somebody else put this into ``queued/``. Raises `OSError`."""
        path = self.spool.set_aside("queued", name)
        self.tell(Corrupt(self.clock.now(), name, "its name is no ID", path))

    def _later(self, id: str, problem: str) -> None:
        """The disk fails us: the message stays where it is and is looked at again."""
        self.scheduler.forget(id)
        self.scheduler.expect(id, self.clock.now() + UNREADABLE_PAUSE)
        self.tell(Alarm(self.clock.now(), "spool", problem))

    # Routing

    def _route(self, attempt: Attempt, now: float) -> None:
        entry = attempt.entry
        attempt.urged = bool(entry.history.outcomes) and entry.state == "queued"  # nobody but an operator brings it back there
        # its time has come: if no record says so, the clock was set since, and whoever was due first is
        pending = entry.history.pending(max(now, entry.history.due) if entry.state == "deferred" else None)
        if self.standstill.hurried:
            pending = self.standstill.pending(entry, pending, now)
        if not pending:  # a crash came between the last outcome and the move
            attempt.open_jobs = 1
            self.manager.finish(attempt, [])
            return
        domains: dict[str, list[int]] = {}
        settled: list[Outcome] = []
        for to in pending:
            recipient = entry.envelope.recipients[to]
            if recipient.outcome is not None:  # submission has said all
                settled.append(foretold(to, self.clock.now(), recipient.outcome))
            else:
                domains.setdefault(recipient.domain, []).append(to)
        attempt.open_jobs = len(domains) + bool(settled)
        if settled:
            self.manager.finish(attempt, settled)
        routes: dict[str, tuple[Route, list[int]]] = {}
        for domain, recipients in domains.items():
            if self.standstill.pauses and (pause := self.standstill.pauses.of_domain(domain, now)):
                self.manager.finish(attempt, self.standstill.paused(entry.id, pause, recipients))
                continue
            route = self.policy.router.known(domain, now)
            if route is None:
                self.manager.find(self._find_way(attempt, domain, recipients))
            elif route.key in routes:
                routes[route.key][1].extend(recipients)
                attempt.open_jobs -= 1
            else:
                routes[route.key] = (route, recipients)
        for route, recipients in routes.values():
            self._queue(attempt, route, recipients, now)

    async def _find_way(self, attempt: Attempt, domain: str, recipients: list[int]) -> None:
        try:
            route = await self.policy.router.find(domain, self.clock.now())
        except Unroutable as trouble:
            due = self.standstill.offline(attempt.entry.id) if trouble.offline else 0.0
            await self.manager.finished(attempt, verdict.unroutable(recipients, trouble, self.clock.now(), due))
        except asyncio.CancelledError:
            await self.manager.finished(attempt, self.manager.broken_off(recipients))
        except Exception as error:
            await self.manager.finished(attempt, self.manager.our_fault(error, "dns", recipients))
        else:
            self._queue(attempt, route, recipients, self.clock.now())

    def _in_circles(self, attempt: Attempt, now: float) -> list[Outcome]:
        """RFC 5321 §6.3: so many hosts on the way mean that two of them send it to each other. It is looked for here, where all mail
        passes, however it came in, and where its sender can be told."""
        text = f"the message has passed more than {self.policy.max_hops} hosts (delivery.max_hops): it goes round in circles"
        return verdict.loop(attempt.entry.history.pending(), text, now)

    def _overdue(self, attempt: Attempt, now: float) -> list[Outcome]:
        """RFC 2852 §4.2: what was to be there by now or to come back is not delivered any more."""
        return verdict.too_late(attempt.entry.history.pending(), now)

    def _is_paused(self, attempt: Attempt, key: str, recipients: Sequence[int], now: float) -> bool:
        """Whether an operator lets mail that goes this way wait; then it is put off."""
        pause = self.standstill.pauses.of_way(key, now)
        if pause is not None:
            self.manager.finish(attempt, self.standstill.paused(attempt.entry.id, pause, recipients))
        return pause is not None

    def _queue(self, attempt: Attempt, route: Route, recipients: list[int], now: float) -> None:
        """Queue the part of a message that goes one way, in transactions of as many recipients as are taken there."""
        if self.standstill.pauses and self._is_paused(attempt, route.key, recipients, now):
            return
        if attempt.urged:
            self.scheduler.try_now(self.scheduler.destination(route), now)
        if not self.scheduler.admits(route, attempt.entry.id, now):
            self._no_room(attempt, route, recipients)
            return
        most = self.policy.reactions.table(route).recipients_per_message if self.policy.reactions else MAX_RECIPIENTS
        parts = [recipients[at : at + most] for at in range(0, len(recipients), most)]
        attempt.open_jobs += len(parts) - 1
        for part in parts:
            self.scheduler.queue(Job(attempt, route, part))
        self.manager.wake()

    def _no_room(self, attempt: Attempt, route: Route, recipients: list[int]) -> None:
        """The destination holds its share of the memory. The message goes back to waiting as if it had not been read.

        A message with other parts is delivered to these; what is to go there is put off, and that is no attempt. So is a message that
        would wait for very long, because only what is put off can be late, or expire.
        """
        now = self.clock.now()
        long = self.scheduler.is_long(route, now)
        if not long and attempt.open_jobs == 1 and attempt.claim is None and not attempt.unwritten:
            attempt.open_jobs = 0
            self.budget.let_go(attempt)
            if (descriptor := self.budget.claimed(attempt)) >= 0:
                durable.let_go(descriptor)
            self.scheduler.park(attempt.entry.id, route)
            return
        due = now + (LONG if long else CONGESTED) * (1 + self.random())
        self.manager.finish(attempt, verdict.congested(recipients, now, due))

    # Pauses

    def mind_pauses(self) -> None:
        """An operator has paused a destination, or let it go on, or there is reason to look whether one has."""
        self.manager.check_clock()  # before: what is known of pauses until now was said by the old one
        if self.standstill.read() and self.standstill.pauses:
            for destination in [*self.scheduler.destinations.values()]:
                for job in destination.take_all():
                    self._queue_again(job)

    def _queue_again(self, job: Job) -> None:
        """A job that was queued before its destination or some of its domains were paused."""
        now, people = self.clock.now(), job.attempt.entry.envelope.recipients
        if self._is_paused(job.attempt, job.route.key, job.recipients, now):
            return
        left: list[int] = []
        for to in job.recipients:
            if pause := self.standstill.pauses.of_domain(people[to].domain, now):
                job.attempt.open_jobs += 1
                self.manager.finish(job.attempt, self.standstill.paused(job.attempt.entry.id, pause, [to]))
            else:
                left.append(to)
        if left:
            self.scheduler.queue(Job(job.attempt, job.route, left))
        else:
            job.attempt.open_jobs -= 1


def hops(content: bytes) -> int:
    """How many hosts the message has passed: its Received fields, RFC 5321 §6.3."""
    if content[: content.find(b"\r\n\r\n")].lower().find(b"received") < 0:  # as in nearly all mail, and sooner seen
        return 0
    return sum(name == b"received" for name, _ in Message(content[: header_end(content)], b"").fields())
