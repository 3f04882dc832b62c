"""A line: one session with a destination, and the jobs that it works off, one after the other, while it is welcome.

The second half of the manager's work; `dispatch` is the first. The next job is known ahead of its time, since its envelope goes
out with the end of the message before. What comes back is learned for the destination before the message is settled.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from mailer.net.aside import LARGE, REFUSED, aside, portions
from mailer.rewriting import relayed

from ..shaping.blame import BLAME
from ..transport.courier import Load
from ..transport.verdict import stops_all, unsigned
from . import age
from .policy import Unsigned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.outcome import Outcome

    from ..transport.courier import CourierSession
    from .attempt import Job
    from .destination import Destination
    from .manager import QueueManager

PATIENCE = 3  # times that a message goes back to the queue because its session was one too many


class Worker:
    """The jobs of one session with `destination`, in their order; `first` is the one to begin with."""

    def __init__(self, manager: QueueManager, destination: Destination, first: Job) -> None:
        self.manager = manager
        self.destination = destination
        self.first: Job | None = first
        self.task: asyncio.Task[None] | None = None
        self.load: Load[Job] | None = None
        """What is being delivered; to the watchdog, the next one is progress."""
        self.calls = True
        """Whether its host has yet to answer, since it `began`."""
        self.began = manager.clock.now()
        self._next: Load[Job] | None = None
        self._large: Job | None = None
        """What comes next, in place of that, if it takes long to make ready: then it is not known ahead of its time."""

    async def run(self) -> None:
        """Work off the destination's queue, one job after the other, while it is welcome."""
        manager, destination = self.manager, self.destination
        first, self.first = self.first, None
        assert first is not None
        session = manager.couriers[first.route.transport].session(self._stands)
        self.task = asyncio.current_task()
        manager.lines.add(self)
        try:
            self._come(first)
            while (load := await self._step()) is not None:
                await self._deliver(session, load)
        finally:
            manager.lines.discard(self)
            session.end()
            self._close()
            if destination.terms is not None and destination.terms.throttle.connections:
                destination.terms.throttle.dialled(manager.clock.now(), session.dialled)
            manager.scheduler.session_ended(destination)

    def _stands(self) -> None:
        """The host lets us say what we have come for."""
        if self.calls:
            self.calls = False
            if self.manager.scheduler.stands(self.destination):
                self.manager.wake()

    # From one job to the next

    async def _step(self) -> Load[Job] | None:
        """Go on to the next job; None if there is none, or no more is welcome."""
        self.load, self._next = self._ahead(), None
        while self.load is None and self._large is not None:
            job, self._large = self._large, None
            self.load = await self._claim_apart(job) or self._ahead()
            self._next = None
        if self.manager.scheduler.drained(self.destination):
            self.manager.wake()
        return self.load

    def _ahead(self) -> Load[Job] | None:
        """The next job, locked; None if it is a large one."""
        while self._next is None and self._large is None and self._welcome() and (job := self.destination.take(self.manager.clock.now())):
            self._come(job)
        return self._next

    def _come(self, job: Job) -> None:
        """It is the next one."""
        if job.attempt.entry.total > LARGE:
            self._large = job
        else:
            self._next = self._claim(job)

    def _welcome(self) -> bool:
        """Whether the session may go on to the next job."""
        manager, destination = self.manager, self.destination
        if manager.stopping or manager.scheduler.must_yield():
            return False
        if destination.paused_until and destination.rests(manager.clock.now()):
            return False
        if (terms := destination.terms) is not None and terms.throttle.rooms and terms.throttle.should_yield(manager.clock.now()):
            return False
        return destination.running <= destination.window.size and destination.breaker.failures == 0

    def _claim(self, job: Job) -> Load[Job] | None:
        """Lock the message of `job`; None if an operator has taken it, or it has to wait after all, and then the job is over."""
        manager = self.manager
        if self._waits(job):
            return None
        content = manager.settler.take(job.attempt)
        try:
            if content is not None:
                return self._load(job, self._signed(job, content))
            outcomes = []
        except Unsigned as trouble:
            outcomes = self._unsigned(job, str(trouble))
        except MemoryError as error:
            outcomes = manager.our_fault(error, "mail", job.recipients)
        manager.finish(job.attempt, outcomes)
        return None

    async def _claim_apart(self, job: Job) -> Load[Job] | None:
        """The same for a large message."""
        manager, author = self.manager, job.route.author
        outcomes: list[Outcome] = []
        if self._waits(job):
            return None
        try:
            content = await manager.settler.take_apart(job.attempt)
            if content is not None:
                if author:
                    content = await aside(partial(relayed, content, author))
                if manager.policy.signer is not None:
                    content = await manager.policy.signer.sign_apart(content, manager.clock.now())
                return self._load(job, content)
        except Unsigned as trouble:
            outcomes = self._unsigned(job, str(trouble))
        except asyncio.CancelledError:
            outcomes = manager.broken_off(job.recipients)
        except Exception as error:
            outcomes = manager.our_fault(error, "mail", job.recipients)
        manager.finish(job.attempt, outcomes)
        return None

    def _load(self, job: Job, content: bytes) -> Load[Job]:
        entry = job.attempt.entry
        asked = partial(age.asked, entry, self.manager.clock) if entry.envelope.options else None
        return Load(job, entry.envelope, content, asked)

    def _waits(self, job: Job) -> bool:
        """Whether it has to wait after all; then the job is over."""
        manager = self.manager
        reactions = manager.policy.reactions
        if reactions is None or not reactions.watchful or not (waits := reactions.held(job, manager.clock.now(), manager.random)):
            return False
        manager.scheduler.destination(job.route).give_back(job, manager.clock.now())
        manager.finish(job.attempt, waits)
        return True

    def _signed(self, job: Job, content: bytes) -> bytes:
        """The content as it leaves, after all that changes it. Raises `Unsigned`."""
        signer, ahead = self.manager.policy.signer, job.attempt.signing
        if job.route.author:
            content, ahead = relayed(content, job.route.author), None  # what was signed ahead is another message
        return content if signer is None else signer.sign(content, self.manager.clock.now(), ahead)

    def _unsigned(self, job: Job, trouble: str) -> list[Outcome]:
        """It must not leave without a signature."""
        return unsigned(job.recipients, trouble, self.manager.clock.now())

    def _close(self) -> None:
        """The session is over; a job that was promised to it goes back to the queue."""
        job = self._next.job if self._next is not None else self._large
        if job is not None:
            self.destination.give_back(job, self.manager.clock.now())
            self.manager.scheduler.queue(job)
            self.manager.wake()

    # One job

    async def _deliver(self, session: CourierSession, load: Load[Job]) -> None:
        manager, job = self.manager, load.job
        try:
            outcomes = await session.deliver(load, self._ahead)
        except asyncio.CancelledError:
            outcomes = manager.broken_off(job.recipients)
            session.end()  # what was being said there is not to be continued
        except Exception as error:
            outcomes = manager.our_fault(error, "body", job.recipients)
        else:
            if session.unconfirmed:
                job.attempt.owed += session.unconfirmed
        self.calls = False  # whatever it was
        offline = manager.standstill.unreachable(job, outcomes) if outcomes[0].phase == "connect" else None
        if outcomes[0].code == 421 and not self._has_rule(job, outcomes[0]) and self._crowded(job, outcomes):
            return
        if offline is None:
            self._learn(outcomes)
            if outcomes[0].scope == "us":
                manager.standstill.behind(job.attempt.entry.id, self.destination.key)
            elif outcomes[0].scope == "host":
                self.destination.met_nobody(job.attempt.entry.id)
            for outcome in outcomes:
                if outcome.verdict != "delivered":
                    outcomes = await self._react(job, outcomes)
                    break
        await manager.finished(job.attempt, offline or outcomes)

    def _crowded(self, job: Job, outcomes: Sequence[Outcome]) -> bool:
        """Whether 421 says that we are too many there, and nothing about the message: other sessions of ours are welcome. RFC 5321 §3.8

        Then it is no attempt. The message goes back to the queue, and the window is as large as is welcome.
        """
        destination = self.destination
        if destination.running < 2 or destination.breaker.failures or job.turned_away >= PATIENCE:
            return False
        if any(outcome.code != 421 or outcome.scope != "host" for outcome in outcomes):
            return False
        job.turned_away += 1
        destination.crowded(self.manager.clock.now(), outcomes[0].reply)
        self.manager.scheduler.queue(job)
        return True

    def _learn(self, outcomes: Sequence[Outcome]) -> None:
        """What the outcomes say about the destination: its window and its breaker."""
        manager = self.manager
        trouble = None
        for outcome in outcomes:
            if outcome.cause in BLAME:
                manager.blame(self.destination.key, outcome)
            if trouble is None and (outcome.scope == "host" or (outcome.scope == "us" and stops_all(outcome.phase, outcome.cause))):
                trouble = outcome
        if trouble is None:
            was_open = self.destination.breaker.open_until
            if manager.scheduler.succeeded(self.destination):
                manager.wake()
            if was_open:
                manager.standstill.over(self.destination.key)
            return
        self.destination.trouble = trouble._replace(trace=None)
        manager.scheduler.failed(self.destination, manager.clock.now(), trouble.told, ours=trouble.scope == "us")

    def _has_rule(self, job: Job, outcome: Outcome) -> bool:
        """Whether the configuration knows more about the reply than its code says."""
        reactions = self.manager.policy.reactions
        return reactions is not None and reactions.rule(job.route.key, outcome) is not None

    async def _react(self, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
        """Do what the configuration says about such replies. Where that is a pause, what waits for the destination is put off."""
        manager, now = self.manager, self.manager.clock.now()
        reactions = manager.policy.reactions
        if reactions is None:
            return outcomes
        if len(outcomes) <= REFUSED:
            outcomes = reactions.react(self.destination, job, outcomes, now, manager.random)
        else:
            told, outcomes = outcomes, []
            async for portion in portions(told, REFUSED):
                outcomes += reactions.react(self.destination, job, portion, now, manager.random)
        if now < self.destination.paused_until:
            manager.scheduler.changed(self.destination)
        return outcomes
