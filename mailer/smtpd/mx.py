"""The kinds mx and lmtp: the mail of strangers for people who live here, and for nobody else.

Step by step, as the client goes on: he is looked up (`mailer.filtering`), his sender is, each recipient is (`mailer.accounts.residents`),
and the message is looked at when it is there, by ourselves (`looking`) and by those who judge. Then it is accepted
(`mailer.submit.accept`), and 250 is said when it is durable, and for no other reason. A transaction is one message in the spool, whoever
it is for; in LMTP each recipient has an answer (RFC 2033 §4.2), and since they share that message, it is the same one.

Who tries names is slowed down: beyond half of `receiving.max_unknown` recipients whom nobody knows, each answer takes `DAWDLE` seconds, and
then the session ends. Nothing is passed on for anybody, whatever he calls himself and wherever he calls from.
"""

from __future__ import annotations

import asyncio
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from mailer.events import TakenIn, TurnedAway
from mailer.filtering.api import Ruling
from mailer.mail.arrival import Arrival
from mailer.mail.problem import Problem
from mailer.mail.trace import protocol_word
from mailer.net.aside import LARGE, aside
from mailer.reports.api import MAX_REPORT
from mailer.serving.kinds import DoorLimits
from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import ServerSettings

from .kinds import SmtpDoorKind
from .looking import look
from .reception import FULL
from .reports import FAST
from .session import SessionPolicy
from .transaction import IN_CIRCLES, InboundTransaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mailer.config import Config
    from mailer.config.sections.doors import Listen
    from mailer.filtering.api import Case
    from mailer.net.peer import Peer
    from mailer.net.stream import Stream

    from .reception import Reception

DAWDLE: Final = 5.0  # seconds
NAMING: Final = 5.0  # seconds for the name of a client, before its first message

ENOUGH = Reply.own(421, "4.7.0", "nobody whom you name lives here")
NOBODY_LEFT = Reply.own(550, "5.7.1", "a filter leaves nobody whom the message could go to")
LARGE_REPORT = Reply.own(552, "5.3.4", f"a report may have {MAX_REPORT} octets here")
HASTY = Reply.own(554, "5.5.0", "you do not wait for answers, and no mail is taken from you")

WHY = {"5.3.4": "size", "4.5.3": "recipients"}
"""The words for what the machine refuses by itself, by its enhanced code."""

UNJUDGED = Ruling("accept", None, b"", ())
"""What becomes of a message where nobody judges."""


class StrangerPolicy(SessionPolicy):
    """The policy of one session, at a door of the kind mx, or lmtp."""

    def __init__(self, reception: Reception, section: Listen, place: str, peer: Peer, stream: Stream) -> None:
        self._reception = reception
        self._section = section
        self._place = place
        self._peer = peer
        self._stream = stream
        ip = peer.host if section.kind == "mx" else ""  # a server of ours is on no list
        self._case: Case | None = reception.panel.case(ip) if reception.panel is not None else None
        self._hello = ""
        self._extended = False
        self._unknown = 0
        self._transaction = InboundTransaction("", 0)
        self._naming: asyncio.Future[str] | None = None
        self._answered: Reply | None = None  # to the message, for the recipients of LMTP that are left

    async def answer(self, question: ask.Question) -> Reply | None:
        """See `SessionPolicy`."""
        step = _STEPS.get(type(question))
        return None if step is None else await step(self, question)

    def hasty(self, during: str) -> Reply | None:
        """See `SessionPolicy`. A proxy has its own manners, and so has a server of ours."""
        if self._peer.by or self._section.kind == "lmtp":
            return None
        if self._case is not None:
            self._case.talked_early()
        if not self._reception.config.receiving.strict_pipelining:
            return None
        return self._refused(ask.Greeting() if during == "greeting" else ask.Noop(), HASTY, "early")

    def ended(self) -> None:
        """See `SessionPolicy`."""
        if self._naming is not None:
            self._naming.cancel()
        if self._case is not None:
            self._reception.finish(self._case.ended())
            self._case = None

    def _arrival(self) -> Arrival:
        tls = self._stream.tls_version
        word = protocol_word(extended=self._extended, lmtp=self._section.kind == "lmtp", tls=bool(tls), utf8=self._transaction.utf8)
        named = self._naming.result() if self._naming is not None and self._naming.done() else ""
        came = self._section.kind, self._peer.host, self._hello, word, tls, named
        return Arrival(*came, "", self._reception.clock.now(), self._peer.by)

    def _refused(self, question: ask.Question, reply: Reply, reason: str, recipient: str = "", why: str = "") -> Reply:
        """Tell that somebody was turned away; a message that was for one recipient is found by him."""
        said = f"{reply.code} {reply.enhanced} {reply.text}".replace("  ", " ")
        if isinstance(question, ask.Body) and len(self._transaction.named) == 1:
            recipient = self._transaction.named[0]
        now, sender = self._reception.clock.now(), self._transaction.sender
        self._reception.tell(TurnedAway(now, self._arrival(), question.phase, said, reason, sender, recipient, why))
        return reply

    async def _greet(self, question: ask.Greeting) -> Reply | None:
        self._naming = self._reception.naming(self._peer.host)
        if self._case is None or (reply := await self._case.greeted()) is None:
            return None
        return self._refused(question, reply, "blocklist")

    async def _meet(self, question: ask.Hello) -> Reply | None:
        self._hello, self._extended = question.name, not isinstance(question, ask.OldHello)
        return None

    async def _begin(self, question: ask.MailFrom) -> Reply | None:
        limits = self._reception.config.receiving
        self._answered = None
        octets = int(question.parameters.get("SIZE", 0))
        self._transaction = InboundTransaction(question.sender, limits.max_recipients, octets, utf8="SMTPUTF8" in question.parameters)
        if self._naming is not None and not self._naming.done():
            await asyncio.wait((self._naming,), timeout=NAMING)
        if self._reception.lacks_room(octets):
            return self._refused(question, FULL, "disk")
        if self._case is None or (reply := await self._case.sender(self._arrival(), question.sender)) is None:
            return None
        return self._refused(question, reply, "sender")

    async def _add(self, question: ask.Rcpt) -> Reply | None:
        transaction, address = self._transaction, question.address
        if self._reception.reports.is_ours(address):
            return self._report(question)
        residence = await self._reception.resolve(address, transaction.octets)
        if (refusal := transaction.against(residence)) is not None:
            reply = await self._slowly(refusal.reply) if residence.kind in ("unknown", "elsewhere") else refusal.reply
            return self._refused(question, reply, refusal.reason, address)
        if self._case is not None and (put_off := await self._case.recipient(self._arrival(), transaction.sender, address)):
            return self._refused(question, put_off, "greylist" if put_off.transient else "blocklist", address)
        transaction.add(address, residence)
        return None

    def _report(self, question: ask.Rcpt) -> Reply | None:
        """A message to an address that reports about our mail come to: it is one, and for nobody else."""
        if not self._reception.reports.may_bring(self._peer.share):
            return self._refused(question, FAST, "limit", question.address)
        refusal = self._transaction.add_report(question.address)
        return self._refused(question, refusal.reply, refusal.reason, question.address) if refusal else None

    async def _slowly(self, reply: Reply) -> Reply:
        """The answer to one more name that nobody has."""
        most = self._reception.config.receiving.max_unknown
        self._unknown += 1
        if self._unknown > most // 2:
            await asyncio.sleep(DAWDLE)
        return reply if self._unknown < most else ENOUGH

    async def _note(self, question: ask.Violation) -> None:
        """Tell of what the machine refuses by itself, as far as somebody may ask about it later."""
        reply = question.reply
        if question.during == "AUTH":
            self._reception.guessed(self._arrival())
        over = "limit" if question.during == "MAIL" else "errors"  # so many messages are enough for one session
        if reason := over if reply.code == 421 else WHY.get(reply.enhanced, ""):
            self._refused(question, reply, reason)

    async def _take(self, question: ask.Body) -> Reply:
        if self._answered is None:
            self._answered = await self._judged(question)
        return self._answered

    async def _judged(self, question: ask.Body) -> Reply:
        """Look at the message, have it judged, and take it."""
        if self._transaction.reports:
            if len(question.content) > MAX_REPORT:
                return self._refused(question, LARGE_REPORT, "size")
            place, tls = f"listen {self._place}", self._stream.tls_version
            return await self._reception.reports.keep(question, self._transaction.reports, place, self._peer, tls)
        begun = monotonic()
        looking = partial(look, question.content, self._reception.config.receiving, normal=question.normal)
        looked = await aside(looking) if len(question.content) > LARGE else looking()
        if looked.refusal is not None:
            return self._refused(question, looked.refusal, looked.reason)
        arrival, ruling = self._arrival(), UNJUDGED
        if self._case is not None:
            ruling = await self._case.judge(arrival, self._transaction.sender, self._transaction.named, question.content)
            if ruling.reply is not None:
                return self._refused(question, ruling.reply, ruling.reason, why=ruling.against)
        return await self._kept(question, looked.content, arrival, ruling, begun)

    async def _kept(self, question: ask.Body, content: bytes, arrival: Arrival, ruling: Ruling, begun: float) -> Reply:
        transaction = self._transaction
        inbound = transaction.inbound(content, arrival, ruling, self._reception.quotas.domains)
        if not inbound.recipients:
            return self._refused(question, NOBODY_LEFT, ruling.reason or "filter", why=ruling.against)
        if all(one.outcome is not None and one.outcome["verdict"] == "fail" for one in inbound.recipients):
            return self._refused(question, IN_CIRCLES, "loop")  # RFC 5321 §6.3
        try:
            prepared = await self._reception.put(inbound)
        except Problem as problem:
            return self._refused(question, self._reception.trouble(problem), "disk")
        id = prepared.envelope.id
        now, named = self._reception.clock.now(), [*transaction.named]
        said = ruling.verdict, ruling.against, monotonic() - begun, not question.normal
        self._reception.tell(TakenIn(now, arrival, id, transaction.sender, named, prepared.size, *said))
        return Reply.own(250, "2.0.0", f"taken as {id}")


_STEPS: Mapping[type[ask.Question], Callable[[StrangerPolicy, Any], Awaitable[Reply | None]]] = {
    ask.Greeting: StrangerPolicy._greet,
    ask.Hello: StrangerPolicy._meet,
    ask.OldHello: StrangerPolicy._meet,
    ask.MailFrom: StrangerPolicy._begin,
    ask.Rcpt: StrangerPolicy._add,
    ask.Body: StrangerPolicy._take,
    ask.Violation: StrangerPolicy._note,
}


class StrangerDoorKind(SmtpDoorKind):
    """The kinds mx and lmtp: doors where strangers bring mail for who lives here."""

    what = "mail"

    def __init__(self, name: str, reception: Reception) -> None:
        self.name = name
        self._reception = reception
        self._settings: dict[str, ServerSettings] = {}  # by the TLS of the door

    async def start(self) -> None:
        """Read who lives here."""
        await self._reception.residents.refresh()

    def take(self, config: Config) -> None:
        """Go by another configuration."""
        self._settings.clear()
        self._reception.take(config)

    async def stop(self) -> None:
        """Wait for what was begun."""
        await self._reception.close()

    @property
    def config(self) -> Config:
        """The configuration that is in force."""
        return self._reception.config

    def limits(self, config: Config) -> DoorLimits:
        """What networks and neighbourhoods may have, and all together."""
        return DoorLimits.of(config.receiving)

    def settings(self, config: Config, section: Listen) -> ServerSettings:
        """A server that takes messages as they came, whole or in chunks; the same one for all sessions of a configuration."""
        if section.tls not in self._settings:
            self._settings[section.tls] = self._made(config, section)
        return self._settings[section.tls]

    def _made(self, config: Config, section: Listen) -> ServerSettings:
        limits = config.receiving
        return ServerSettings(
            config.hostname,
            lmtp=self.name == "lmtp",
            max_size=limits.max_message_size,
            max_recipients=limits.max_recipients,
            max_messages=limits.messages_per_session,
            limits=True,
            starttls=section.tls == "starttls",
            verbatim=True,
            offer=("CHUNKING",),
        )

    def policy(self, section: Listen, place: str, peer: Peer, stream: Stream) -> StrangerPolicy:
        """The policy of one session."""
        return StrangerPolicy(self._reception, section, place, peer, stream)
