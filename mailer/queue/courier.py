"""The courier: takes jobs to their destination and comes back with an outcome for each recipient.

`Courier` and `Session` are the seam where other ways of delivery attach (a local mailbox, LMTP, a pipe);
`SmtpCourier` is the one for SMTP. Its session works off the queue of one destination on one connection, and says the next
envelope together with the end of the message before it. It tries the hosts of a way in order, the one that it is
talking to first, each at all of its addresses: another one is tried while the trouble is the host's (`Scope` ``host``); a
refusal of the message or of a recipient is an answer, and no other host is asked for a better one.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.bounces.reports import asked_of
from mailer.mail.cause import Cause
from mailer.mail.delivery_options import MAX_SECONDS, NOTHING, Request
from mailer.mail.outcome import reach
from mailer.rewriting import reverse_path
from mailer.smtp.reply import Reply
from mailer.transport.connection import Answer, Mail, SessionError
from mailer.transport.errors import beside, joined

from ..net.portions import REFUSED, portions
from ..transport.verdict import OUR_LOGIN, answered
from . import age

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.io.clock import SteadyClock
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Hop, Outcome
    from mailer.transport.connection import Connection
    from mailer.transport.pool import Pool
    from mailer.transport.transcript import Transcript

    from ..transport.route import NextHop
    from .attempt import Job

MAX_HOSTS = 5  # addresses dialled in one attempt; a long MX set must not hold a session for hours


class Load(NamedTuple):
    """A job and the content of its message, which is ours to deliver."""

    job: Job
    content: bytes

    @property
    def envelope(self) -> Envelope:
        """The envelope of the message."""
        return self.job.attempt.entry.envelope


class Session(Protocol):
    """One after the other, to one destination. `dialled` is how many new connections that took so far."""

    dialled: int

    async def deliver(self, load: Load, ahead: Callable[[], Load | None]) -> list[Outcome]:
        """Take `load` to its recipients; an outcome for each. Raises nothing but bugs.

        `ahead` tells what this session will deliver next, for those who can make use of it.
        """

    def end(self) -> None:
        """Take leave for now: there is no more work."""


class Courier(Protocol):
    """One way of taking mail somewhere."""

    def session(self, stands: Callable[[], None]) -> Session:
        """Begin to work; as many at a time as the scheduler allows. `stands` is called whenever there is a connection that takes mail."""

    async def close(self) -> None:
        """End everything politely."""


def _nothing() -> None:
    """Nobody wants to know."""


class SmtpCourier:
    """Delivers by SMTP on connections of `pool`; `meaning` knows what a refusal means, by destination, phase and reply."""

    def __init__(self, pool: Pool, clock: SteadyClock, meaning: Callable[[str, str, Reply], Cause | None] = lambda *_: None) -> None:
        self.pool = pool
        self.clock = clock
        self.meaning = meaning
        self._closing: set[asyncio.Task[None]] = set()

    def session(self, stands: Callable[[], None] = _nothing) -> SmtpSession:
        """A session without a connection yet."""
        return SmtpSession(self.pool, self.clock, stands, self.meaning)

    async def close(self) -> None:
        """Say QUIT to all idle connections."""
        await asyncio.gather(self.pool.close_all(), *self._closing)

    def change(self, pool: Pool, meaning: Callable[[str, str, Reply], Cause | None]) -> None:
        """Open new connections as `pool` does from now on; those that lie idle take their leave."""
        self.meaning = meaning
        task = asyncio.get_running_loop().create_task(self.pool.close_all())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.pool = pool


class SmtpSession:
    """Works off one destination's queue; keeps its connection from one job to the next."""

    def __init__(
        self, pool: Pool, clock: SteadyClock, stands: Callable[[], None], meaning: Callable[[str, str, Reply], Cause | None]
    ) -> None:
        self.pool = pool
        self.clock = clock
        self.meaning = meaning
        self.dialled = 0
        self._stands = stands
        self._connection: Connection | None = None
        self._promised: tuple[Load, Mail] | None = None
        """What comes next, and its envelope may be out already."""

    def end(self) -> None:
        """Give the connection back, for whoever needs one to that host next."""
        if self._connection is not None:
            self.pool.give_back(self._connection)
            self._connection = None

    async def deliver(self, load: Load, ahead: Callable[[], Load | None]) -> list[Outcome]:
        """Try the stops of the job's way until one has answered for every recipient."""
        began = self.clock.now()
        job = load.job
        waiting = job.recipients
        outcomes: dict[int, Outcome] = {}
        for stop, addresses in self._doors(job):
            while waiting and addresses:
                found = await self._try(stop, addresses, load, waiting, began, ahead)
                for outcome in found:
                    outcomes[outcome.to] = _better(outcomes.get(outcome.to), outcome)
                waiting = [outcome.to for outcome in found if outcome.scope == "host"]
                if waiting and (hop := found[0].hop).ip:
                    self.pool.dead.add(hop.ip, hop.port)
        return [outcomes[to] for to in job.recipients]

    def _doors(self, job: Job) -> list[tuple[NextHop, list[str]]]:
        """Which host at which addresses, in order; first the one that we are connected to, last those that failed a moment ago."""
        doors = []
        room = MAX_HOSTS
        if len(job.route.hops) == 1:  # as for every relay
            (stop,) = job.route.hops
            return [(stop, [*stop.addresses[:room]])]
        hops: Sequence[NextHop] = job.route.hops
        if dead := self.pool.dead:
            hops = sorted(hops, key=lambda stop: dead.all(stop.addresses, stop.endpoint.port))
        for stop in hops:
            if addresses := [*stop.addresses[:room]]:
                doors.append((stop, addresses))
                room -= len(addresses)
        if self._connection is not None:
            doors.sort(key=lambda door: not self._leads_to(*door))
        return doors

    def _leads_to(self, stop: NextHop, addresses: Sequence[str]) -> bool:
        connection = self._connection
        if connection is None or connection.address not in addresses:
            return False
        return connection.endpoint is stop.endpoint or connection.endpoint == stop.endpoint  # nearly always the same object

    async def _try(
        self, stop: NextHop, addresses: list[str], load: Load, recipients: Sequence[int], began: float, ahead: Callable[[], Load | None]
    ) -> list[Outcome]:
        """One host: its answers as outcomes, in as many transactions as its limits on recipients make necessary.

        What was tried is taken out of `addresses`: one of them if a session stood, all if none would.
        """

        def after() -> Mail | None:
            upcoming = ahead()
            if upcoming is None or not self._fits(upcoming):
                return None
            mail = self._mail(upcoming, upcoming.job.recipients)
            self._promised = upcoming, mail
            return mail

        outcomes: list[Outcome] = []
        left = recipients
        while left:
            answers, hop, transcript, besides = await self._transact(stop, addresses, load, left, after)
            again = {answer.to: None for answer in answers if answer.kind == "again"}
            if len(again) == len(left):  # not one was taken: then it is no limit but a refusal
                again = {}
            now = self.clock.now()  # one moment for all of it: what was said there is kept once
            heard = [answer for answer in answers if answer.to not in again] if again else answers
            about = stop, hop, began, now, transcript, besides
            if len(heard) > REFUSED and sum(answer.reply.code >= 400 for answer in heard) > REFUSED:
                async for portion in portions(heard, REFUSED):
                    outcomes += self._outcomes(load.job, portion, *about)
            else:
                outcomes += self._outcomes(load.job, heard, *about)
            left = [*again]
        if load.envelope.options and self._connection is not None and not self._connection.extensions.dsn:
            self._owe(load, outcomes, lmtp=stop.endpoint.protocol == "lmtp")
        if self._connection is None:
            addresses.clear()
        else:
            addresses.remove(self._connection.address)
        return outcomes

    def _outcomes(
        self,
        job: Job,
        answers: Sequence[Answer],
        stop: NextHop,
        hop: Hop,
        began: float,
        now: float,
        transcript: Transcript | None,
        besides: str,
    ) -> list[Outcome]:
        return [
            answered(
                answer,
                None if answer.reply.code < 400 else self._cause(job, answer),
                hop,
                relay=stop.relay,
                at=now,
                seconds=now - began,
                trace=transcript,
                besides=besides,
            )
            for answer in answers
        ]

    def _owe(self, load: Load, outcomes: Sequence[Outcome], *, lmtp: bool) -> None:
        """The host will report no success: where the sender asked for it, that is ours to do. RFC 3461 §5.2.2"""
        asked, people = asked_of(load.envelope), load.envelope.recipients
        taken = [outcome.to for outcome in outcomes if outcome.verdict == "delivered"]
        owed = [to for to in taken if "SUCCESS" in asked.of(people[to].address).notify.split(",")]
        load.job.attempt.owed += tuple((to, "delivered" if lmtp else "relayed") for to in owed)

    def _fits(self, load: Load) -> bool:
        """Whether the connection that we have is the one that `load` would be tried on first."""
        return self._leads_to(*self._doors(load.job)[0])

    def _mail(self, load: Load, recipients: Sequence[int]) -> Mail:
        envelope = load.envelope
        addresses = [envelope.recipients[to].address for to in recipients]
        author = load.job.route.author
        sender = reverse_path(envelope.sender, author) if author else envelope.sender
        return Mail(sender, addresses, load.content, request=self._asked(load) if envelope.options else NOTHING)

    def _asked(self, load: Load) -> Request:
        """What the sender asks of the hosts on the way, who get what is left of his time. RFC 2852 §4.1.4

        What nobody could ask, in a file that somebody else wrote, is not asked.
        """
        asked, entry = asked_of(load.envelope), load.job.attempt.entry
        if asked.by is None:
            return asked
        left = asked.by - int(age.since(entry, self.clock))
        return replace(asked, by=max(left, 1) if asked.by_return else max(left, -MAX_SECONDS))

    async def _transact(
        self, stop: NextHop, addresses: Sequence[str], load: Load, recipients: Sequence[int], after: Callable[[], Mail | None]
    ) -> tuple[list[Answer], Hop, Transcript | None, str]:
        """One transaction, and what went wrong at other addresses where none came about.

        A connection that was used before may be gone without our knowing; what it loses before it has taken anything of
        the message is tried once more on a new one, and is no failure of the host.
        """
        promised, self._promised = self._promised, None
        if promised and promised[0] is load and recipients is load.job.recipients:
            mail = promised[1]
        else:
            mail = self._mail(load, recipients)
        while True:
            try:
                connection = await self._connected(stop, addresses)
            except SessionError as error:
                answers = [Answer(to, error.phase, error.kind, error.reply) for to in recipients]
                return answers, error.hop, error.transcript, error.besides
            reused = connection.deliveries > 0
            answers = await connection.deliver(mail.sender, mail.recipients, mail.content, request=mail.request, ahead=after)
            if not (reused and all(map(_never_began, answers))):
                answers = [answer if (to := recipients[answer.to]) == answer.to else answer._replace(to=to) for answer in answers]
                return answers, connection.hop, connection.transcript, ""

    def _cause(self, job: Job, answer: Answer) -> Cause | None:
        """What is known of a refusal: what we said ourselves, or what such words mean."""
        return answer.reply.cause or self.meaning(job.route.key, answer.phase, answer.reply) or _by_code(answer)

    async def _connected(self, stop: NextHop, addresses: Sequence[str]) -> Connection:
        """The connection that we have, if it leads there and is good for more, else one of the pool."""
        connection = self._connection
        if connection is None or not self._leads_to(stop, addresses) or not self.pool.is_good(connection):
            self.end()
            self.dialled += 1
            self._connection = connection = await self.pool.lend(stop.endpoint, addresses)
            self._stands()
            if connection.deliveries:  # it waited for us
                self.dialled -= 1
            if not stop.relay and _is_us(connection):
                self._connection = None
                connection.abandon()
                text = f"{stop.endpoint.host} greets us by our own name, {stop.endpoint.hello}: mail would come back to this host"
                raise SessionError("loop", "greeting", Reply.own(554, "5.4.6", text, Cause.LOOP), connection.hop)
        return connection


def _is_us(connection: Connection) -> bool:
    """Whether the host calls itself what we call ourselves (RFC 5321 §4.2: its name comes first in the greeting).

    A name that many machines have by default says nothing.
    """
    hello = connection.endpoint.hello.lower()
    return "." in hello and not hello.startswith("localhost") and connection.greeting.text.partition(" ")[0].lower() == hello


def _by_code(answer: Answer) -> Cause | None:
    """A login is refused with codes of its own, RFC 4954 §6."""
    return OUR_LOGIN.get(answer.reply.code) if answer.phase == "auth" or answer.reply.code == 530 else None


def _better(before: Outcome | None, outcome: Outcome) -> Outcome:
    """What counts after another host or address was asked: an answer, else what got furthest, with the other beside it.

    That this one never takes mail (521) says nothing about one that is down.
    """
    if before is None:
        return outcome
    shown, other = (before, outcome) if outcome.scope == "host" and _tells_more(before, outcome) else (outcome, before)
    if shown.trace is not None and other.trace is not None:
        shown.trace.after(other.trace)
    if shown.verdict == "delivered":
        return shown
    return shown._replace(trace=shown.trace or other.trace, besides=_besides(other, shown))


def _tells_more(before: Outcome, outcome: Outcome) -> bool:
    """Whether of two hosts that took nothing the first is the one to tell of."""
    never = [each.verdict == "fail" for each in (before, outcome)]
    return never[1] > never[0] or (never[0] == never[1] and _reach(before) > _reach(outcome))


def _reach(outcome: Outcome) -> tuple[int, int]:
    return reach(outcome.phase, outcome.cause, outcome.hop.tls_wanted)


def _besides(other: Outcome, shown: Outcome) -> str:
    """What stands beside `shown`, which is told in place of `other`."""
    return joined([other.besides, beside(other.hop, other.text), shown.besides])


def _never_began(answer: Answer) -> bool:
    """Whether the session was over before this transaction: it was lost, or 421 answered what we said first."""
    lost = answer.kind == "lost" and answer.phase in ("mail", "rcpt")
    return lost or (answer.kind == "reply" and answer.phase == "mail" and answer.reply.code == 421)
