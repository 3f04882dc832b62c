"""One mail transaction: MAIL, RCPT for each recipient, DATA, the message (RFC 5321 §3.3), and an answer for each recipient.

Used by `mailer.transport.connection`: it says what `envelope` and `content` return and gives every reply to `hear`.
With PIPELINING the envelope is one flight, without it is said step by step; nothing else differs.

With CHUNKING (RFC 3030) a small message goes in the same flight, as its only chunk: that saves the round trip of DATA. It
is lost where nobody is accepted, so a large one waits for its 354. A message that is binary goes in chunks
whatever its size, and in no other way. Chunks are part of `envelope`; `content` is for DATA alone.

Laws:

1. The first refusal explains the rest. A server that refuses MAIL answers the pipelined RCPTs with 503: those are
   echoes, each recipient gets MAIL's reply.
2. A refused recipient stops nobody else's mail.
3. Where no recipient was accepted and the server asks for the message all the same (354 to the pipelined
   DATA), it gets a lone dot, and whatever it answers, nobody was delivered to. RFC 2920 §3.1
4. What cannot be sent to this server (too large, UTF-8 in addresses or header, more asked than it offers) is refused
   here, before a byte is written. 8-bit octets are encoded where they have to be and may be (`mailer.mail.downgrade`).

Refused with "too many recipients" (RFC 5321 §4.5.3.1.10), after at least one was accepted: kind ``again``. They
go into another transaction at once; because one was accepted, that one is smaller. So do those that are not asked about
because the host said how many it takes (RFC 9422).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from mailer.mail.address import ascii_address
from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.downgrade import seven_bit
from mailer.mail.message import header_end, is_normal, normalise
from mailer.mail.outcome import Cause

from . import command, data
from .client import Client, ClientState
from .command import DATA, EMPTY, RSET, Command
from .extension import Extensions, mail_parameters, objection, rcpt_parameters
from .reply import CommandError, Reply

if TYPE_CHECKING:
    from mailer.mail.outcome import Phase

    from .reply import AnswerKind, TroubleKind

ONE_FLIGHT = data.BLOCK  # octets of a message that is sent before anybody is accepted
CHUNK = 1 << 20  # octets of a chunk that waits for the answer to the one before

TOO_MANY = frozenset({"4.5.3", "5.5.3"})  # RFC 3463 §3.6
NO_ROOM = frozenset({452, 552})  # RFC 5321 §4.5.3.1.10: what "too many" was before there were enhanced codes


_CLOSED, _READY = ClientState.CLOSED, ClientState.READY


class RecipientAnswer(NamedTuple):
    """The answer for recipient number `to` of the transaction.

    `phase` is the step that decided: mail, rcpt, data or body.
    """

    to: int
    phase: Phase
    kind: AnswerKind
    reply: Reply


class Transaction:
    """A message on its way to some recipients in one session."""

    __slots__ = ("_accepted", "_answers", "_chunks", "_content", "_finals", "_heard", "_later", "_order", "_refusal", "_script")

    def __init__(
        self,
        sender: str,
        recipients: Sequence[str],
        content: bytes,
        offered: Extensions,
        *,
        eight_bit: bool | None = None,
        request: Request = NOTHING,
        protected: bool = False,
        chunking: bool = True,
    ) -> None:
        """`content` is the message, normalised; `eight_bit` whether it holds octets above 127, None to look.

        `request` is what else the sender asks for; `protected`, whether the session has TLS with a verified certificate. Without
        `chunking`, BDAT is for binary messages only.
        """
        self._answers: list[RecipientAnswer | None] = [None] * len(recipients)
        self._order: list[int] = []  # the recipients that are asked about, in this order
        self._later: list[int] = []  # those that are not, because they would be too many
        self._heard = 0  # replies to RCPT so far
        self._accepted: list[int] = []
        self._finals = 0  # those of them whose final reply is here; LMTP has one for each
        self._refusal: tuple[Phase, AnswerKind, Reply] | None = None  # phase, kind, reply: for all who have no answer of their own
        self._script: list[Command] = []  # what is still to be said before the message
        self._chunks: Iterator[Command] | None = None  # what is said after it, in place of `content`
        self._content, body = _made_fit(content, not content.isascii() if eight_bit is None else eight_bit, offered)
        if self._content is not content:  # what was made of it is looked at once more
            self._content = normalise(self._content)
        sender = sender if sender.isascii() else ascii_address(sender)  # the domain at least can be written so that every host takes it
        utf8 = not sender.isascii() or (bool(body) and _has_utf8_header(content))
        if trouble := _trouble(len(self._content), body, utf8, offered) or (
            request is not NOTHING and objection(request, offered, protected=protected)
        ):
            self._refusal = ("mail", "local", trouble)
        else:
            self._prepare(sender, recipients, offered, request, body, utf8)
            self._divide(offered, body, chunking)

    def _prepare(self, sender: str, recipients: Sequence[str], offered: Extensions, request: Request, body: str, utf8: bool) -> None:
        """Write the script; recipients that this server cannot be asked about are answered already."""
        asked = request is not NOTHING  # as nearly always
        rcpts: list[Command] = []
        domains: set[str] = set()
        for to, written in enumerate(recipients):
            recipient = written if written.isascii() else ascii_address(written)
            if not recipient.isascii() and not offered.smtputf8:
                self._answers[to] = RecipientAnswer(to, "rcpt", "local", _UTF8_REFUSED)
                continue
            try:
                rcpt = command.rcpt(
                    recipient, rcpt_parameters(request.of(written), offered, recipient if request.named else "") if asked else ()
                )
            except CommandError as error:
                self._answers[to] = RecipientAnswer(to, "rcpt", "local", Reply.own(553, "5.1.3", str(error), Cause.UNFIT))
                continue
            domain = recipient.rpartition("@")[2].lower()
            if 0 < offered.max_recipients <= len(rcpts) or 0 < offered.max_domains <= len(domains - {domain}):
                self._later.append(to)
                continue
            domains.add(domain)
            utf8 = utf8 or not recipient.isascii()
            rcpts.append(rcpt)
            self._order.append(to)
        try:
            size = len(self._content) if offered.sizes else 0
            mail = command.mail(sender, size=size, body=body, utf8=utf8, more=mail_parameters(request, offered) if asked else ())
        except CommandError as error:
            self._refusal = ("mail", "local", Reply.own(553, "5.1.7", str(error), Cause.UNFIT))
        else:
            self._script = [mail, *rcpts] if rcpts else []

    def _divide(self, offered: Extensions, body: str, chunking: bool) -> None:
        """Decide how the message goes, once it is known that it goes at all."""
        if not self._script:
            return
        small = len(self._content) <= ONE_FLIGHT
        if offered.chunking and chunking and offered.pipelining and small:
            self._script.append(command.chunk(self._content, last=True))
        elif body == "BINARYMIME":
            self._chunks = _chunks(self._content)
        else:
            self._script.append(DATA)

    def envelope(self, client: Client) -> list[Command]:
        """What to say next before the message: a flight, or one step; nothing when all is said, or there is no point."""
        script = self._script
        if client.state is _CLOSED:
            return []
        if not script:
            return self._next_chunk() if self._chunks is not None else []
        if script[0].verb == "MAIL" and client.ahead is not _READY:
            script.insert(0, RSET)  # what a transaction before this one left open
        if client.extensions.pipelining:
            self._script = []
            return script
        if self._refusal or (script[0].verb in ("DATA", "BDAT LAST") and not self._accepted):
            return []
        return [script.pop(0)]

    def _next_chunk(self) -> list[Command]:
        if self._refusal or not self._accepted:
            return []
        assert self._chunks is not None
        said = next(self._chunks, None)
        return [] if said is None else [said]

    def content(self) -> Iterator[Command]:
        """The message in blocks, to be said when the server waits for it; a lone dot if it waits for nobody."""
        if not self._accepted:
            return iter((EMPTY,))
        blocks = data.blocks(self._content, normal=True)
        if len(self._content) <= data.BLOCK:  # as nearly always
            return iter((Command("CONTENT", next(blocks)),))
        return _said(blocks)

    def hear(self, said: Command, reply: Reply) -> None:
        """Take the reply to something that this transaction said."""
        verb = said.verb
        if verb == "RCPT":
            self._hear_rcpt(reply)
        elif verb == "PARTIAL":
            self._hear_final(self._accepted[self._finals : self._finals + 1], reply)
        elif verb in ("CONTENT", "BDAT LAST"):
            self._hear_final(self._accepted[self._finals :], reply)
        elif reply.code >= 400 and self._refusal is None:
            self._refusal = (_PHASE.get(verb, "mail"), "reply", reply)

    def _hear_final(self, recipients: list[int], reply: Reply) -> None:
        for to in recipients:
            self._answers[to] = RecipientAnswer(to, "body", "reply", reply)
        self._finals += len(recipients)

    def _hear_rcpt(self, reply: Reply) -> None:
        to = self._order[self._heard]
        self._heard += 1
        if self._refusal is not None:
            return  # an echo
        if reply.code < 400:
            self._accepted.append(to)
            return
        too_many = reply.enhanced in TOO_MANY or (not reply.enhanced and reply.code in NO_ROOM)
        self._answers[to] = RecipientAnswer(to, "rcpt", "again" if too_many and self._accepted else "reply", reply)
        if reply.code == 421:  # the session is over, and this is why for everybody
            self._refusal = ("rcpt", "reply", reply)

    def broken(self, kind: TroubleKind, phase: Phase, reply: Reply, unanswered: Sequence[Command] = ()) -> None:
        """The session ended before the transaction did; `kind` and `reply` say how, `unanswered` is what had no reply.

        Where the message went along with its envelope, the server may have it before it has answered either: it was lost with it.
        """
        if kind == "lost" and any(command.verb == "BDAT LAST" for command in unanswered):
            phase = "body"
        if self._refusal is None:
            self._refusal = (phase, kind, reply)

    @property
    def unwelcome(self) -> bool:
        """Whether the host refused MAIL, for good."""
        return self._refusal is not None and self._refusal[:2] == ("mail", "reply") and self._refusal[2].permanent

    def answers(self) -> list[RecipientAnswer]:
        """The answers, one for each recipient in their order; for when the transaction is over."""
        if self._refusal is None:
            for to in self._later:
                self._answers[to] = RecipientAnswer(to, "rcpt", "again", _LATER)
            return cast("list[RecipientAnswer]", self._answers)  # without a refusal, everybody has been answered
        phase, kind, reply = self._refusal
        return [answer or RecipientAnswer(to, phase, kind, reply) for to, answer in enumerate(self._answers)]


_UTF8_REFUSED = Reply.own(553, "5.6.7", "an address needs SMTPUTF8, which the host does not offer", Cause.UNFIT)


_LATER = Reply.own(452, "4.5.3", "the host takes no more recipients at a time", Cause.UNFIT)

_PHASE: dict[str, Phase] = {"DATA": "data", "BDAT": "body"}

_DECLARED = re.compile(rb"^content-transfer-encoding[ \t]*:[ \t]*binary\b", re.IGNORECASE | re.MULTILINE)


def _made_fit(content: bytes, eight_bit: bool, offered: Extensions) -> tuple[bytes, str]:
    """The message as this server takes it, and its BODY: empty if it is 7-bit, `IMPOSSIBLE` if it cannot be.

    Octets that are in no line are kept only where the message says that it is binary; elsewhere they are put right.
    """
    if not content or is_normal(content):
        body = "8BITMIME" if eight_bit else ""
    elif _DECLARED.search(content):
        body = "BINARYMIME"  # RFC 3030 §3
    else:
        content, body = normalise(content), "8BITMIME" if eight_bit else ""
    if not body or (offered.binary if body == "BINARYMIME" else offered.eight_bit):
        return content, body
    encoded = seven_bit(content)
    return (content, IMPOSSIBLE) if encoded is None else (normalise(encoded), "")  # what is around a binary part may be in no line, too


IMPOSSIBLE = "impossible"


def _trouble(size: int, body: str, utf8: bool, offered: Extensions) -> Reply | None:
    """Why this message cannot be sent to a server with these offers."""
    if 0 < offered.size < size:  # RFC 1870 §6.1
        return Reply.own(552, "5.3.4", f"the message has {size} octets, the host takes {offered.size}", Cause.UNFIT)
    if utf8 and not offered.smtputf8:  # RFC 6531 §3.5
        return Reply.own(554, "5.6.7", "the sender or the header needs SMTPUTF8, which the host does not offer", Cause.UNFIT)
    if body == IMPOSSIBLE:  # RFC 6152 §3
        text = "the message has 8-bit octets that must not be encoded, and the host does not take them as they are"
        return Reply.own(554, "5.6.3", text, Cause.UNFIT)
    return None


def _said(blocks: Iterator[bytes]) -> Iterator[Command]:
    """The last of several blocks ends the message."""
    last = next(blocks)
    for block in blocks:
        yield Command("BLOCK", last)
        last = block
    yield Command("CONTENT", last)


def _chunks(content: bytes) -> Iterator[Command]:
    for at in range(0, len(content), CHUNK):
        yield command.chunk(content[at : at + CHUNK], last=at + CHUNK >= len(content))


def _has_utf8_header(content: bytes) -> bool:
    """Whether the header has UTF-8 beyond ASCII, RFC 6532 §3. Other 8-bit octets there are old custom, and no UTF-8."""
    header = content[: header_end(content)]
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True
