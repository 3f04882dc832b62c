"""Couriers: what takes mail somewhere, chosen by the name of a route's `transport`, and the one that speaks SMTP.

`Courier` and `CourierSession` are the seam where other ways of delivery attach (a local mailbox, a pipe); `TRANSPORTS` is where they
get their names. A courier is given the recipients of a message that go one way, and comes back with an outcome for each.

`SmtpCourier` is the one for SMTP and LMTP (RFC 2033), which are two dialects of one machine. Its session works off the queue of one
destination on one connection, and says the next envelope together with the end of the message before it. It tries the hosts of a
route in order, the one that it is talking to first, each at all of its addresses: another one is tried while the trouble is the host's
(`Scope` ``host``); a refusal of the message or of a recipient is an answer, and no other host is asked for a better one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.outcome import Cause, reach
from mailer.net.aside import REFUSED, portions
from mailer.smtp.reply import Reply
from mailer.smtp.transaction import RecipientAnswer

from .connection import Parcel
from .errors import SessionError, beside, joined
from .exchange import too_many, transact
from .return_path import PLAIN, ReturnPaths
from .verdict import OUR_LOGIN, answered, redirected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.dsn.fields import Kind
    from mailer.io.clock import SteadyClock
    from mailer.mail.envelope import Envelope
    from mailer.mail.outcome import Hop, Outcome, Phase
    from mailer.smtp.command import Command

    from .connection import Connection
    from .pool import Pool
    from .route import NextHop, Route
    from .session import Session
    from .transcript import Transcript

MAX_HOSTS = 5  # addresses dialled in one attempt; a long MX set must not hold a session for hours

CONFIRMED: dict[str, Kind] = {"smtp": "relayed", "lmtp": "delivered"}
"""What a success means that the host will not report itself: the message went on by SMTP, or has arrived by LMTP. RFC 3464 §2.3.3"""


class Consignment(Protocol):
    """The recipients of one message (numbers in its envelope) that go the same way in one transaction."""

    route: Route
    recipients: Sequence[int]


J = TypeVar("J", bound=Consignment)


class Load(NamedTuple, Generic[J]):
    """A job and the message that it is about. `asked` says what is asked of the hosts at that moment, if anything is.

    `returns` gives it the sender that it leaves with.
    """

    job: J
    envelope: Envelope
    content: bytes
    asked: Callable[[], Request] | None = None
    returns: ReturnPaths = PLAIN


class CourierSession(Protocol):
    """One job after the other, to one destination."""

    dialled: int
    """How many new connections that took so far."""

    unconfirmed: tuple[tuple[int, Kind], ...]
    """Whose success the sender wants reported, and the host of the last job will not report: the recipient, and what it was."""

    @property
    def phase(self) -> Phase:
        """The step of the delivery that is under way."""

    async def deliver(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> list[Outcome]:
        """Take `load` to its recipients; an outcome for each. Raises nothing but bugs.

        `ahead` tells what this session will deliver next, for those who can make use of it.
        """

    def end(self) -> None:
        """Take leave for now: there is no more work."""


Meaning = Callable[[str, "Phase", Reply], "Cause | None"]
"""What is known of a refusal, by destination, phase and reply."""


class Courier(Protocol):
    """One way of taking mail somewhere."""

    def session(self, stands: Callable[[], None]) -> CourierSession:
        """A session that works off jobs. `stands` is called whenever there is a connection that takes mail."""

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """Go on with another `pool` and `meaning` than it was made of, after a reload."""

    async def close(self) -> None:
        """End everything politely."""


def _nothing() -> None:
    """Nobody wants to know."""


class SmtpCourier:
    """The courier that delivers by SMTP, or LMTP, on connections of `pool`; `meaning` knows what a refusal means."""

    def __init__(self, pool: Pool, clock: SteadyClock, meaning: Meaning = lambda *_: None) -> None:
        self.pool = pool
        self.clock = clock
        self.meaning = meaning
        self._closing: set[asyncio.Task[None]] = set()

    def session(self, stands: Callable[[], None] = _nothing) -> SmtpCourierSession:
        """A session without a connection yet."""
        return SmtpCourierSession(self.pool, self.clock, stands, self.meaning)

    async def close(self) -> None:
        """Say QUIT to all idle connections."""
        await asyncio.gather(self.pool.close_all(), *self._closing)

    def change(self, pool: Pool, meaning: Meaning) -> None:
        """Open new connections as `pool` does from now on; those that lie idle take their leave."""
        self.meaning = meaning
        task = asyncio.get_running_loop().create_task(self.pool.close_all())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.pool = pool


TRANSPORTS: dict[str, Callable[[Pool, SteadyClock, Meaning], Courier]] = {"smtp": SmtpCourier, "lmtp": SmtpCourier}
"""What carries mail to hosts, by the name that `Route.transport` has."""


class SmtpCourierSession:
    """A session that works off one destination's queue, and keeps its connection from one job to the next."""

    def __init__(self, pool: Pool, clock: SteadyClock, stands: Callable[[], None], meaning: Meaning) -> None:
        self.pool = pool
        self.clock = clock
        self.meaning = meaning
        self.dialled = 0
        self.unconfirmed: tuple[tuple[int, Kind], ...] = ()
        self._stands = stands
        self._connection: Connection | None = None
        self._opening: Session | None = None
        self._promised: tuple[Load[Any], Parcel] | None = None
        """What comes next, and its envelope may be out already."""

    @property
    def phase(self) -> Phase:
        """The step that the host is at; of one that is called, ``connect``."""
        session = self._connection or self._opening
        return "connect" if session is None else session.phase

    def _watch(self, session: Session, _command: Command, _reply: Reply) -> None:
        self._opening = session

    def end(self) -> None:
        """Give the connection back, for whoever needs one to that host next."""
        if self._connection is not None:
            self.pool.give_back(self._connection)
            self._connection = None

    async def deliver(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> list[Outcome]:
        """Try the hosts of the job's route until one has answered for every recipient."""
        began = self.clock.now()
        waiting = recipients = load.job.recipients
        self.unconfirmed = ()
        outcomes: dict[int, Outcome] = {}
        for hop, addresses in self._hops(load.job.route):
            while waiting and addresses:
                found = await self._try(hop, addresses, load, waiting, began, ahead)
                if len(recipients) == 1 and not outcomes and found[0].scope != "host":  # as nearly always
                    return found
                for outcome in found:
                    outcomes[outcome.to] = _better(outcomes.get(outcome.to), outcome)
                waiting = [outcome.to for outcome in found if outcome.scope == "host"]
                if waiting and (reached := found[0].hop).ip:
                    self.pool.dead.add(reached.ip, reached.port)
        return [outcomes[to] for to in recipients]

    def _hops(self, route: Route) -> Sequence[tuple[NextHop, list[str]]]:
        """Which host at which addresses, in order; first the one that we are connected to, last those that failed a moment ago."""
        room = MAX_HOSTS
        if len(route.hops) == 1:  # as for every relay
            return ((route.hops[0], [*route.hops[0].addresses[:room]]),)
        hops: Sequence[NextHop] = route.hops
        found = []
        if dead := self.pool.dead:
            hops = sorted(hops, key=lambda hop: dead.all(hop.addresses, hop.endpoint.port))
        for hop in hops:
            if addresses := [*hop.addresses[:room]]:
                found.append((hop, addresses))
                room -= len(addresses)
        if self._connection is not None:
            found.sort(key=lambda each: not self._leads_to(*each))
        return found

    def _leads_to(self, hop: NextHop, addresses: Sequence[str]) -> bool:
        connection = self._connection
        if connection is None or connection.address not in addresses:
            return False
        return connection.endpoint is hop.endpoint or connection.endpoint == hop.endpoint  # nearly always the same object

    async def _try(
        self,
        hop: NextHop,
        addresses: list[str],
        load: Load[Any],
        recipients: Sequence[int],
        began: float,
        ahead: Callable[[], Load[Any] | None],
    ) -> list[Outcome]:
        """One host: its answers as outcomes, in as many transactions as its limits on recipients make necessary.

        What was tried is taken out of `addresses`: one of them if a session stood, all if none would.
        """
        outcomes: list[Outcome] = []
        left = recipients
        while left:
            promised, self._promised = self._promised, None
            mail = promised[1] if promised and promised[0] is load and left is load.job.recipients else self._mail(load, left)
            trouble: SessionError | None = None
            try:
                answers, connection = await transact(mail, partial(self._connected, hop, addresses), partial(self._next, load, ahead))
            except SessionError as error:
                trouble = error
                answers = [RecipientAnswer(to, error.phase, error.kind, error.reply) for to in left]
            else:
                if load.job.route.instead:
                    answers = [answers[0]._replace(to=to) for to in left]
                elif len(left) > 1 or left[0]:
                    answers = [answer._replace(to=left[answer.to]) for answer in answers]
            again = too_many(answers) if len(answers) > 1 and not load.job.route.instead else {}
            now = self.clock.now()  # one moment for all of it: what was said there is kept once
            heard = [answer for answer in answers if answer.to not in again] if again else answers
            said = (trouble.hop, trouble.transcript, trouble.besides) if trouble else (connection.hop, connection.transcript, "")
            about = hop.relay, began, now, *said
            if len(heard) > REFUSED and sum(answer.reply.code >= 400 for answer in heard) > REFUSED:
                async for portion in portions(heard, REFUSED):
                    outcomes += self._judged(load, portion, *about)
            else:
                outcomes += self._judged(load, heard, *about)
            left = [*again]
        if self._connection is None:
            addresses.clear()
            return outcomes
        addresses.remove(self._connection.address)
        if load.asked is not None and not self._connection.extensions.dsn:
            self._leave_unconfirmed(load, outcomes, CONFIRMED[hop.endpoint.protocol])
        return outcomes

    def _judged(
        self,
        load: Load[Any],
        answers: Sequence[RecipientAnswer],
        relay: bool,
        began: float,
        now: float,
        hop: Hop,
        transcript: Transcript | None,
        besides: str,
    ) -> list[Outcome]:
        seconds, key, instead, outcomes = now - began, load.job.route.key, load.job.route.instead, []
        if transcript is not None and not transcript.reused:
            transcript.resolved = load.job.route.resolved
        for answer in answers:
            cause = None if answer.reply.code < 400 else self._cause(key, answer)
            outcome = answered(answer, cause, hop, relay=relay, at=now, seconds=seconds, trace=transcript, besides=besides)
            outcomes.append(redirected(outcome, instead) if instead else outcome)
        return outcomes

    def _leave_unconfirmed(self, load: Load[Any], outcomes: Sequence[Outcome], kind: Kind) -> None:
        """The host will report no success: where the sender asked for it, that is for us to do. RFC 3461 §5.2.2"""
        asked, people = load.asked() if load.asked else NOTHING, load.envelope.recipients
        taken = [outcome.to for outcome in outcomes if outcome.verdict == "delivered"]
        self.unconfirmed += tuple((to, kind) for to in taken if "SUCCESS" in asked.of(people[to].address).notify.split(","))

    def _next(self, load: Load[Any], ahead: Callable[[], Load[Any] | None]) -> Parcel | None:
        """The envelope that may go out with the end of `load`: that of what comes next, if it would be tried first where we are."""
        upcoming = ahead()
        if upcoming is None:
            return None
        route = upcoming.job.route
        if (route is not load.job.route or len(route.hops) > 1) and not self._leads_to(*self._hops(route)[0]):
            return None
        mail = self._mail(upcoming, upcoming.job.recipients)
        self._promised = upcoming, mail
        return mail

    def _mail(self, load: Load[Any], recipients: Sequence[int]) -> Parcel:
        envelope, route, people = load.envelope, load.job.route, load.envelope.recipients
        sender = load.returns.of(envelope, route, load.job.recipients)
        if instead := route.instead:
            return Parcel(sender, [instead], load.content, None, load.asked() if load.asked else NOTHING)
        addresses = [people[to].address for to in recipients] if len(recipients) > 1 else [people[recipients[0]].address]
        return Parcel(sender, addresses, load.content, None, load.asked() if load.asked else NOTHING)

    def _cause(self, key: str, answer: RecipientAnswer) -> Cause | None:
        """What is known of a refusal: what we said ourselves, or what such words mean."""
        return answer.reply.cause or self.meaning(key, answer.phase, answer.reply) or _by_code(answer)

    async def _connected(self, hop: NextHop, addresses: Sequence[str]) -> Connection:
        """The connection that we have, if it leads there and is good for more, else one of the pool. Raises `SessionError`."""
        connection = self._connection
        if connection is None or not self._leads_to(hop, addresses) or not connection.takes_more(self.pool.lifetime):
            self.end()
            self.dialled += 1
            self._opening = None
            self._connection = connection = await self.pool.lend(hop.endpoint, addresses, self._watch)
            self._stands()
            if connection.deliveries:  # it waited for us
                self.dialled -= 1
            if not hop.relay and _is_us(connection):
                self._connection = None
                connection.abandon()
                self.pool.give_back(connection)
                text = f"{hop.endpoint.host} greets us by our own name, {hop.endpoint.hello}: mail would come back to this host"
                raise SessionError("loop", "greeting", Reply.own(554, "5.4.6", text, Cause.LOOP), connection.hop)
        return connection


def _is_us(connection: Connection) -> bool:
    """Whether the host calls itself what we call ourselves (RFC 5321 §4.2: its name comes first in the greeting).

    A name that many machines have by default says nothing.
    """
    hello = connection.endpoint.hello.lower()
    return "." in hello and not hello.startswith("localhost") and connection.greeting.text.partition(" ")[0].lower() == hello


def _by_code(answer: RecipientAnswer) -> Cause | None:
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
