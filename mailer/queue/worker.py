"""The worker: one session with a destination, and the jobs that it works off, one after the other, while it is welcome.

The second half of the queue's work; `loader` is the first. The next job is known ahead of its time, since its envelope goes
out with the end of the message before. What comes back is learned for the destination before the message is settled.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from mailer.mail.delivery_options import NOTHING
from mailer.net.aside import LARGE, REFUSED, aside, portions
from mailer.rewriting import diverted, relayed
from mailer.shaping.blame import BLAME
from mailer.spool.api import at_once
from mailer.transport.courier import Load
from mailer.transport.verdict import Unsigned, stops_all, unsigned

from . import age
from .passing import behalf_of, passed_on, seal_for
from .tasks import Progress
from .unsubscribing import wants_link

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.dkim.sign import Seal
    from mailer.mail.delivery_options import Request
    from mailer.mail.outcome import Outcome, Phase
    from mailer.shaping.replies import Reactions
    from mailer.transport.courier import CourierSession

    from .attempt import Job
    from .connectivity import Connectivity
    from .context import Context, Current
    from .destination import Destination
    from .settle import Settler
    from .suppressed import SuppressedMail
    from .suspension import SuspendedMail

PATIENCE = 3  # times that a message goes back to the queue because its session was one too many


class Worker(Progress):
    """A worker that does the jobs of one session with `destination`, in their order; `first` is the one to begin with."""

    def __init__(
        self,
        current: Current,
        settler: Settler,
        suspended: SuspendedMail,
        connectivity: Connectivity,
        suppressed: SuppressedMail,
        destination: Destination,
        first: Job,
    ) -> None:
        super().__init__("")
        self.current = current
        self.settler = settler
        self.suspended = suspended
        self.connectivity = connectivity
        self.suppressed = suppressed
        self.destination = destination
        self.session: CourierSession = current.context.couriers[first.route.transport].session(self._stands)
        self.calls = True
        """Whether its host has yet to answer, since the session `began`."""
        self.began = current.context.clock.now()
        self._first = first
        self._next: Load[Job] | None = None
        self._large: Job | None = None
        """What comes next, in place of that, if it takes long to make ready: then it is not known ahead of its time."""

    async def run(self) -> None:
        """Work off the destination's queue, one job after the other, while it is welcome."""
        destination = self.destination
        try:
            self._come(self._first)
            while (load := await self._step()) is not None:
                await self._deliver(load)
        finally:
            self.session.end()
            context = self.current.context
            self._close(context)
            if destination.terms is not None and destination.terms.throttle.connections:
                destination.terms.throttle.dialled(context.clock.now(), self.session.dialled)
            context.scheduler.session_ended(destination)

    def _stands(self) -> None:
        """The host lets us say what we have come for."""
        if self.calls:
            self.calls = False
            context = self.current.context
            if context.scheduler.stands(self.destination):
                context.wake()

    # For the watchdog

    def where(self) -> Phase:
        """The phase of delivery that the session is in, or that it is over."""
        return self.phase or self.session.phase

    def about(self) -> str:
        """Which message is under way, and where to."""
        load = self.mark
        return f"message {load.job.attempt.entry.id} to {self.destination.key}" if isinstance(load, Load) else self.destination.key

    # From one job to the next

    async def _step(self) -> Load[Job] | None:
        """Go on to the next job; None if there is none, or no more is welcome."""
        load, self._next = self._ahead(), None
        while load is None and self._large is not None:
            job, self._large = self._large, None
            load = await self._claim_apart(job) or self._ahead()
            self._next = None
        self.mark = load
        context = self.current.context
        if context.scheduler.drained(self.destination):
            context.wake()
        return load

    def _ahead(self) -> Load[Job] | None:
        """The next job, locked; None if it is a large one."""
        while self._next is None and self._large is None and (job := self._take()):
            self._come(job)
        return self._next

    def _take(self) -> Job | None:
        """The next job of the queue, if the session may go on."""
        context, destination = self.current.context, self.destination
        if destination.running > destination.window.size or destination.breaker.failures or context.tasks.stopping:
            return None
        if context.scheduler.must_yield():
            return None
        terms = destination.terms
        if not destination.paused_until and (terms is None or terms.throttle.free):
            return destination.queue.take()
        now = context.clock.now()
        if destination.paused_until and destination.rests(now):
            return None
        if terms is not None and terms.throttle.rooms and terms.throttle.should_yield(now):
            return None
        return destination.take(now)

    def _come(self, job: Job) -> None:
        """Lock the message of `job`, which is the next one, unless it is large, an operator has taken it, or it has to wait after all."""
        context, attempt = self.current.context, job.attempt
        if attempt.suppressed:
            left = self.suppressed.rest(job)
            if left is None:
                return
            job = left
        if attempt.entry.total > LARGE or not attempt.entry.ready:
            self._large = job
            return
        reactions = context.policy.reactions
        if reactions is not None and (reactions.sources or reactions.slowed) and self._waits(context, reactions, job):
            return
        outcomes: list[Outcome] = []
        try:
            content = at_once(self.settler.take(attempt))
            if content is not None:
                envelope = attempt.entry.envelope
                changed = context.policy.signer is not None or envelope.foreign or wants_link(envelope)
                if changed or job.route.author or job.route.instead:
                    content = _signed(context, job, content)
                self._next = _load(context, job, content)
                return
        except Unsigned as trouble:
            outcomes = unsigned(job.recipients, str(trouble), context.clock.now())
        except MemoryError as error:
            outcomes = context.alarms.our_fault(error, "mail", job.recipients)
        self.settler.finish(attempt, outcomes)

    async def _claim_apart(self, job: Job) -> Load[Job] | None:
        """The same for a large message."""
        context, author, instead = self.current.context, job.route.author, job.route.instead
        outcomes: list[Outcome] = []
        reactions = context.policy.reactions
        if reactions is not None and (reactions.sources or reactions.slowed) and self._waits(context, reactions, job):
            return None
        try:
            content = await self.settler.take_apart(job.attempt)
            if content is not None:
                if author:
                    content = await aside(partial(relayed, content, author))
                if instead:
                    content = await aside(partial(diverted, content, _names(job)))
                if job.attempt.entry.envelope.foreign:
                    if behalf := behalf_of(job):
                        content = await aside(partial(passed_on, content, behalf, *_terms(context, behalf)))
                    return _load(context, job, content)
                if wants_link(job.attempt.entry.envelope):
                    content = await aside(partial(_linked, context, job, content))
                if context.policy.signer is not None:
                    content = await context.policy.signer.sign_apart(content, context.clock.now())
                return _load(context, job, content)
        except Unsigned as trouble:
            outcomes = unsigned(job.recipients, str(trouble), context.clock.now())
        except asyncio.CancelledError:
            outcomes = context.tasks.broken_off(job.recipients)
        except Exception as error:
            outcomes = context.alarms.our_fault(error, "mail", job.recipients)
        self.settler.finish(job.attempt, outcomes)
        return None

    def _waits(self, context: Context, reactions: Reactions, job: Job) -> bool:
        """Whether `job` has to wait after all; then it is over."""
        waits = reactions.held(job, context.clock.now(), context.random)
        if waits:
            context.scheduler.destination(job.route).give_back(job, context.clock.now())
            self.settler.finish(job.attempt, waits)
        return bool(waits)

    def _close(self, context: Context) -> None:
        """The session is over; a job that was promised to it goes back to the queue."""
        job = self._next.job if self._next is not None else self._large
        if job is not None:
            self.destination.give_back(job, context.clock.now())
            context.scheduler.queue(job)
            context.wake()

    # One job

    async def _deliver(self, load: Load[Job]) -> None:
        context, job = self.current.context, load.job
        try:
            outcomes = await self.session.deliver(load, self._ahead)
        except asyncio.CancelledError:
            outcomes = context.tasks.broken_off(job.recipients)
            self.session.end()  # what was being said there is not to be continued
        except Exception as error:
            outcomes = context.alarms.our_fault(error, "body", job.recipients)
        else:
            if self.session.unconfirmed:
                job.attempt.owed += self.session.unconfirmed
        self.calls = False  # whatever it was
        self.phase = "settle"
        for outcome in outcomes:
            if outcome.verdict != "delivered":
                learned = await self._learned(context, job, outcomes)
                break
        else:
            self._succeeded(context)
            learned = outcomes
        if learned is not None:
            await self.settler.finished(job.attempt, learned)
        self.phase = ""

    def _succeeded(self, context: Context) -> None:
        """A host took a message: that is learned for the destination."""
        destination = self.destination
        was_open = destination.breaker.open_until
        if context.scheduler.succeeded(destination):
            context.wake()
        if was_open:
            self.suspended.over(destination.key)

    async def _learned(self, context: Context, job: Job, outcomes: list[Outcome]) -> Sequence[Outcome] | None:
        """What becomes of a job that not all have taken, when that is learned for the destination; None if it was no attempt."""
        first = outcomes[0]
        if first.phase == "connect" and (offline := self.connectivity.unreachable(job, outcomes)):
            return offline
        if first.code == 421 and not _has_rule(context, job, first) and self._crowded(context, job, outcomes):
            return None
        self._learn(context, outcomes)
        if first.scope == "us":
            self.suspended.behind(job.attempt.entry.id, self.destination.key)
        elif first.scope == "host":
            self.destination.met_nobody(job.attempt.entry.id)
        return await self._react(context, job, outcomes)

    def _crowded(self, context: Context, job: Job, outcomes: Sequence[Outcome]) -> bool:
        """Whether 421 says that we are too many there, and nothing about the message: other sessions of ours are welcome. RFC 5321 §3.8

        Then it is no attempt. The message goes back to the queue, and the window is as large as is welcome.
        """
        destination = self.destination
        if destination.running < 2 or destination.breaker.failures or job.turned_away >= PATIENCE:
            return False
        if any(outcome.code != 421 or outcome.scope != "host" for outcome in outcomes):
            return False
        job.turned_away += 1
        destination.crowded(context.clock.now(), outcomes[0].reply)
        context.scheduler.queue(job)
        return True

    def _learn(self, context: Context, outcomes: Sequence[Outcome]) -> None:
        """What the outcomes say about the destination: its window and its breaker."""
        destination, trouble = self.destination, None
        for outcome in outcomes:
            if outcome.cause in BLAME:
                context.alarms.blame(destination.key, outcome)
            if trouble is None and (outcome.scope == "host" or (outcome.scope == "us" and stops_all(outcome.phase, outcome.cause))):
                trouble = outcome
        if trouble is None:
            self._succeeded(context)
            return
        destination.trouble = trouble._replace(trace=None)
        context.scheduler.failed(destination, context.clock.now(), trouble.told, ours=trouble.scope == "us")

    async def _react(self, context: Context, job: Job, outcomes: list[Outcome]) -> list[Outcome]:
        """Do what the configuration says about such replies. Where that is a pause, what waits for the destination is put off."""
        now, reactions = context.clock.now(), context.policy.reactions
        if reactions is None:
            return outcomes
        if len(outcomes) <= REFUSED:
            outcomes = reactions.react(self.destination, job, outcomes, now, context.random)
        else:
            told, outcomes = outcomes, []
            async for portion in portions(told, REFUSED):
                outcomes += reactions.react(self.destination, job, portion, now, context.random)
        if now < self.destination.paused_until:
            context.scheduler.changed(self.destination)
        return outcomes


def _load(context: Context, job: Job, content: bytes) -> Load[Job]:
    """What the courier takes: the job, with the content that leaves."""
    envelope, returns = job.attempt.entry.envelope, context.policy.returns
    asked: Callable[[], Request] | None = None
    if envelope.options:
        asked = partial(_asked, context, job)
    elif returns.address and not envelope.foreign:
        named = returns.named(NOTHING, envelope)
        asked = lambda: named  # noqa: E731 - nearly all mail, and nothing in it hangs on the moment
    return Load(job, envelope, content, asked, returns)


def _asked(context: Context, job: Job) -> Request:
    """What the sender asks of the hosts, at the moment when it is asked of them; and that reports name the message."""
    entry = job.attempt.entry
    return context.policy.returns.named(age.asked(entry, context.clock), entry.envelope)


def _names(job: Job) -> list[str]:
    """The addresses of its recipients."""
    people = job.attempt.entry.envelope.recipients
    return [people[to].address for to in job.recipients]


def _signed(context: Context, job: Job, content: bytes) -> bytes:
    """The content as it leaves, after all that changes it. Raises `Unsigned`."""
    signer, ahead = context.policy.signer, job.attempt.signing
    if job.route.author:
        content, ahead = relayed(content, job.route.author), None  # what was signed ahead is another message
    if job.route.instead:
        content, ahead = diverted(content, _names(job)), None
    if job.attempt.entry.envelope.foreign:  # whoever wrote it has signed it, or has not
        return passed_on(content, behalf, *_terms(context, behalf)) if (behalf := behalf_of(job)) else content
    if wants_link(job.attempt.entry.envelope):
        content, ahead = _linked(context, job, content), None
    return content if signer is None else signer.sign(content, context.clock.now(), ahead)


def _terms(context: Context, behalf: str) -> tuple[str, Seal | None, float]:
    """As what, with which key and when we vouch for what `behalf` passes on."""
    now = context.clock.now()
    return context.policy.vouches_as, seal_for(context.policy, behalf, now), now


def _linked(context: Context, job: Job, content: bytes) -> bytes:
    """The content with the link to unsubscribe of its one recipient. Raises `Unsigned`."""
    if context.policy.links is None or len(job.recipients) != 1:
        raise Unsigned("it is to have a link to unsubscribe, which is for one recipient")
    return context.policy.links.written(content, job.attempt.entry.envelope, job.recipients[0])


def _has_rule(context: Context, job: Job, outcome: Outcome) -> bool:
    """Whether the configuration knows more about the reply than its code says."""
    reactions = context.policy.reactions
    return reactions is not None and reactions.rule(job.route.key, outcome) is not None
