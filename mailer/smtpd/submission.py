"""The kind submission: users log in, and hand in mail to anywhere, as whom they are (RFC 6409).

Nothing is taken before somebody has logged in, and nobody logs in without TLS. The envelope and the header say only who he is
(`mailer.accounts.authorship`), and what he sends in a day is bounded (`mailer.limits.outgoing`). Then his mail goes the way of all mail of
our own users: `mailer.submit` completes it, and 250 is said when it is durable, and for no other reason. A user who was switched off, or
has another password, hears 421 at his next MAIL.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from mailer.accounts.authorship import belongs
from mailer.events import Alarm, TakenIn, TurnedAway
from mailer.mail.address_key import key_of
from mailer.mail.arrival import Arrival
from mailer.mail.dates import rfc3339
from mailer.mail.message import Message, normalise, without_preface
from mailer.mail.principal import parse as principal
from mailer.mail.problem import Forbidden, Problem
from mailer.mail.text import one_line
from mailer.mail.trace import protocol_word
from mailer.serving.certificates import bindings_of
from mailer.serving.counting import limits_of
from mailer.serving.kinds import DoorLimits
from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import ServerSettings
from mailer.submit.senders import authors

from .kinds import SmtpDoorKind
from .letter import Handing, LoopProblem, UserLetter
from .mx import HASTY
from .reception import FULL
from .session import SessionPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from mailer.accounts.users.api import Proved, User
    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.net.peer import Peer
    from mailer.net.stream import Stream
    from mailer.serving.counting import CountedLimits
    from mailer.serving.login import LoginDesk, Why

    from .reception import Reception

MOST_AUTHORS: Final = 50  # that one message names; who has more is asked about none of them
BRIEF: Final = 8192  # octets of a message in which the loop itself looks for authors: a list of addresses takes some microseconds for each
LONGEST_HOLD: Final = 30 * 86400  # seconds, RFC 4865 §4

WELCOME = Reply.own(235, "2.7.0", "welcome")
WRONG = Reply.own(535, "5.7.8", "authentication failed")
ENOUGH = Reply.own(421, "4.7.0", "too many logins from your network have failed, come back later")
NOT_NOW = Reply.own(454, "4.7.0", "that cannot be found out now, try again")
OVER = Reply.own(421, "4.7.0", "you have to log in again")
LATER = Reply.own(451, "4.3.0", "that cannot be looked up for now, come back later")
FOREIGN = Reply.own(550, "5.7.1", "that is not an address of yours")
TOO_MANY_MESSAGES = Reply.own(451, "4.7.1", "you have sent as many messages as you may in a day, come back tomorrow")
TOO_MANY_STRANGERS = Reply.own(451, "4.7.1", "you have written to as many new recipients as you may in a day, come back tomorrow")
LOOP = Reply.own(554, "5.4.6", "the message has come by too many hosts, and goes in circles")

ANSWERS: Mapping[Why, Reply] = {"": WELCOME, "wrong": WRONG, "enough": ENOUGH, "not-now": NOT_NOW, "crowded": NOT_NOW}
"""What who logs in is told, by why he is not let in."""


class SubmissionPolicy(SessionPolicy):
    """The policy of one session, at a door of the kind submission."""

    PURPOSE: Final = "submission"

    def __init__(self, desk: LoginDesk, reception: Reception, peer: Peer, stream: Stream) -> None:
        self._desk = desk
        self._reception = reception
        self._peer = peer
        self._stream = stream
        self._hello = ""
        self._proved: Proved | None = None
        self._session = ""
        self._end: Callable[[Reply], None] = _nothing
        self._letter = UserLetter("", {})

    async def answer(self, question: ask.Question) -> Reply | None:
        """See `SessionPolicy`."""
        step = _STEPS.get(type(question))
        return None if step is None else await step(self, question)

    def hasty(self, during: str) -> Reply | None:
        """See `SessionPolicy`. A proxy has its own manners."""
        if self._peer.by or not self._reception.config.receiving.strict_pipelining:
            return None
        return self._refused(ask.Greeting() if during == "greeting" else ask.Noop(), HASTY, "early")

    def begun(self, end: Callable[[Reply], None], /) -> None:
        """See `SessionPolicy`."""
        self._end = end

    def ended(self) -> None:
        """See `SessionPolicy`."""
        self._desk.leave(self._session)
        self._proved, self._end = None, _nothing

    @property
    def _user(self) -> User | None:
        return self._proved and self._proved.user

    async def _greet(self, question: ask.Greeting) -> Reply | None:
        return self._refused(question, ENOUGH, "login") if self._desk.is_closed(self._peer.host) else None

    async def _meet(self, question: ask.Hello) -> Reply | None:
        self._hello = question.name
        await self._desk.look()
        return None

    async def _log_in(self, question: ask.Auth) -> Reply:
        since = self._desk.now()
        self._proved, why = await self._desk.admit(question.credentials, self._arrival(), self.PURPOSE)
        if self._proved is not None:
            self._session = self._desk.greet(self._arrival(), question.credentials.mechanism, self._proved, since, lambda: self._end(OVER))
        return ANSWERS[why]

    async def _begin(self, question: ask.MailFrom) -> Reply | None:
        assert self._proved is not None  # the machine wants AUTH first
        user = self._proved.user
        self._letter = UserLetter(question.sender, question.parameters)
        try:
            if not await self._desk.still(self._proved):
                return self._refused(question, OVER, "login")
            if question.sender and not await belongs(question.sender, user, self._reception.residents):
                return self._refused(question, FOREIGN, "sender")
        except Problem:
            return self._refused(question, LATER, "busy")
        if not self._desk.limits.outgoing.may_send(user.key, self._desk.now()):
            return self._over_limit(question, TOO_MANY_MESSAGES)
        if self._reception.lacks_room(int(question.parameters.get("SIZE", 0))):
            return self._refused(question, FULL, "disk")
        return None

    async def _add(self, question: ask.Rcpt) -> Reply | None:
        assert self._user is not None
        residence = await self._reception.residents.resolve(question.address)
        if residence.kind in ("unknown", "trouble"):
            reason = "unknown" if residence.kind == "unknown" else "busy"
            return self._refused(question, residence.reply or LATER, reason, question.address)
        if not self._desk.limits.outgoing.writes_to(self._user.key, key_of(question.address), self._desk.now()):
            return self._over_limit(question, TOO_MANY_STRANGERS, question.address)
        self._letter.named[question.address] = question.parameters
        return None

    async def _take(self, question: ask.Body) -> Reply:
        user = self._user
        assert user is not None
        if not self._desk.limits.outgoing.sends(user.key, self._desk.now()):
            return self._over_limit(question, TOO_MANY_MESSAGES)
        try:
            return await self._handed_in(question, user)
        except Forbidden:
            return self._refused(question, FOREIGN, "sender")
        except LoopProblem:
            return self._refused(question, LOOP, "loop")
        except Problem as problem:
            if problem.kind == "unavailable":
                return self._refused(question, LATER, "busy")
            if problem.kind in ("bad-message", "usage"):
                text = one_line(str(problem), 400).encode("ascii", "replace").decode()  # RFC 5321 §4.2.1
                return self._refused(question, Reply.own(554, "5.6.0", text), "syntax")
            return self._refused(question, self._reception.trouble(problem), "disk")

    async def _handed_in(self, question: ask.Body, user: User) -> Reply:
        """Hand in the message. Raises `Problem`."""
        begun = monotonic()
        arrival, content, letter = self._arrival(), question.content, self._letter
        senders = [user.address, *await self._own(await _named(letter.sender, content), user)]  # and submission looks at the end once more
        handing = Handing(arrival, principal(f"smtp:{user.address}"), senders, self._reception.config.receiving.max_received)
        prepared = await self._reception.hand_in(partial(handing.ready, letter, content), len(content))
        id = prepared.envelope.id
        named, said = [*letter.named], ("accept", "", monotonic() - begun, not question.normal)
        self._reception.tell(TakenIn(self._desk.now(), arrival, id, letter.sender, named, prepared.size, *said))
        return Reply.own(250, "2.0.0", f"taken as {id}")

    async def _own(self, named: Sequence[str], user: User) -> Sequence[str]:
        """Those whom a message says it is from, who all have to be this user. Raises `Forbidden`."""
        residents = self._reception.residents
        if len(named) > MOST_AUTHORS or not all([await belongs(name, user, residents) for name in named]):
            raise Forbidden(f"{user.address} may not send as one of those; nothing was queued")
        return named

    def _arrival(self) -> Arrival:
        tls, user = self._stream.tls_version, self._user
        word = protocol_word(extended=True, tls=bool(tls), auth=user is not None, utf8="SMTPUTF8" in self._letter.parameters)
        came = "submission", self._peer.host, self._hello, word, tls, "", user.address if user else ""
        return Arrival(*came, self._desk.now(), self._peer.by)

    def _refused(self, question: ask.Question, reply: Reply, reason: str, recipient: str = "") -> Reply:
        """Tell that somebody was turned away."""
        said = f"{reply.code} {reply.enhanced} {reply.text}"
        self._reception.tell(TurnedAway(self._desk.now(), self._arrival(), question.phase, said, reason, self._letter.sender, recipient))
        return reply

    def _over_limit(self, question: ask.Question, reply: Reply, recipient: str = "") -> Reply:
        assert self._user is not None
        who = self._user.address
        remedy = f"if it is not he who sends: mailer user disable {who}; if it is: the limits of [accounts]"
        self._reception.tell(Alarm(self._desk.now(), "sender", f"{who} is at the limit of a day and was told: {reply.text}", who, remedy))
        return self._refused(question, reply, "limit", recipient)


def _nothing(_: Reply) -> None:
    """End no session: it has not begun, or is over."""


async def _named(sender: str, content: bytes) -> list[str]:
    """Whom a message says it is from, as submission reads it."""

    def read() -> list[str]:
        head = Message.split(normalise(without_preface(content)))
        return [*dict.fromkeys(authors(sender, head))]

    return await asyncio.to_thread(read) if len(content) > BRIEF else read()


_STEPS: Mapping[type[ask.Question], Callable[[SubmissionPolicy, Any], Awaitable[Reply | None]]] = {
    ask.Greeting: SubmissionPolicy._greet,
    ask.Hello: SubmissionPolicy._meet,
    ask.OldHello: SubmissionPolicy._meet,
    ask.Auth: SubmissionPolicy._log_in,
    ask.MailFrom: SubmissionPolicy._begin,
    ask.Rcpt: SubmissionPolicy._add,
    ask.Body: SubmissionPolicy._take,
}


class SubmissionDoorKind(SmtpDoorKind):
    """The kind submission: doors where users hand in mail. What is counted of them is `counted`."""

    name = "submission"
    what = "mail of users"

    def __init__(self, desk: LoginDesk, reception: Reception, counted: CountedLimits) -> None:
        self._desk = desk
        self._reception = reception
        self._counted = counted
        self._bindings: Mapping[str, bytes] = {}

    async def start(self) -> None:
        """Read what was counted. What cannot be read is counted anew, with an alarm."""
        self._look(self._reception.config)
        await self._reception.residents.refresh()
        await self._counted.start()

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self._reception.take(config)
        self._reception.finish(self._follow())
        self._desk.limits.change(*limits_of(config))
        self._look(config)

    async def _follow(self) -> None:
        """Let users log in where they are kept now: by the next turn of the loop all parts of the daemon go by the other configuration."""
        await self._desk.take(self._reception.residents.users)

    def _look(self, config: Config) -> None:
        """See which certificates are shown."""
        self._bindings = bindings_of(config, self.name)

    async def stop(self) -> None:
        """Write down what was counted."""
        await self._counted.stop()
        await self._desk.close()
        await self._reception.close()

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        return self._reception.config

    def limits(self, config: Config) -> DoorLimits:
        """What networks and neighbourhoods may have, and all together."""
        return DoorLimits.of(config.receiving)

    def settings(self, config: Config, section: Listen) -> ServerSettings:
        """A server that wants TLS, then a user, and offers what submission can do."""
        limits, clear = config.receiving, section.tls == "none"
        latest = rfc3339(float(int(self._desk.now()) + LONGEST_HOLD))
        return ServerSettings(
            config.hostname,
            max_size=config.submission.max_message_size,
            max_recipients=config.accounts.max_recipients,
            max_messages=limits.messages_per_session,
            limits=True,
            starttls=section.tls == "starttls",
            mechanisms=config.accounts.offered,
            known=self._desk.known(self._bindings.get(section.certificate_file, b"")),
            clear_auth=clear,
            require=frozenset({"auth"} if clear else {"tls", "auth"}),
            verbatim=True,
            offer=("CHUNKING", "DSN", f"FUTURERELEASE {LONGEST_HOLD} {latest}", "DELIVERBY", "MT-PRIORITY", "REQUIRETLS"),
        )

    def policy(self, _: Listen, __: str, peer: Peer, stream: Stream) -> SubmissionPolicy:
        """The policy of one session."""
        return SubmissionPolicy(self._desk, self._reception, peer, stream)
