"""One mail transaction: MAIL, RCPT for each recipient, DATA, the message (RFC 5321 §3.3), and an answer for each recipient.

Used by `mailer.net.connection`: it says what `envelope` and `content` return and gives every reply to `hear`.
With PIPELINING the envelope is one flight, without it is said step by step; nothing else differs.

Laws:

1. The first refusal explains the rest. A server that refuses MAIL answers the pipelined RCPTs with 503: those are
   echoes, each recipient gets MAIL's reply.
2. A refused recipient stops nobody else's mail.
3. Where no recipient was accepted and the server asks for the message all the same (354 to the pipelined
   DATA), it gets a lone dot, and whatever it answers, nobody was delivered to. RFC 2920 §3.1
4. What cannot be sent to this server as it is (too large, 8-bit, UTF-8 in addresses or header) is refused
   here, before a byte is written.

Refused with "too many recipients" (RFC 5321 §4.5.3.1.10), after at least one was accepted: kind ``again``. They
go into another transaction at once; because one was accepted, that one is smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from . import command, dot
from .client import Client, State
from .command import DATA, EMPTY, RSET, Command
from .errors import CommandError
from .extension import Extensions
from .reply import Reply

TOO_MANY = frozenset({"4.5.3", "5.5.3"})  # RFC 3463 §3.6
NO_ROOM = frozenset({452, 552})  # RFC 5321 §4.5.3.1.10: what "too many" was before there were enhanced codes


class Answer(NamedTuple):
    """What became of recipient number `to` of the transaction.

    `phase` is the step that decided: mail, rcpt, data or body. `kind` is ``reply`` (the server's words), ``again``
    (its words too, but try at once in another transaction), ``local`` (we refuse), or a `SessionError.kind`.
    """

    to: int
    phase: str
    kind: str
    reply: Reply


class Transaction:
    """A message on its way to some recipients in one session."""

    __slots__ = ("_accepted", "_answers", "_content", "_heard", "_order", "_refusal", "_script")

    def __init__(
        self, sender: str, recipients: Sequence[str], content: bytes, offered: Extensions, *, eight_bit: bool | None = None
    ) -> None:
        """`content` is the message, normalised; `eight_bit` whether it holds octets above 127, None to look."""
        self._answers: list[Answer | None] = [None] * len(recipients)
        self._content = content
        self._order: list[int] = []  # the recipients that are asked about, in this order
        self._heard = 0  # replies to RCPT so far
        self._accepted: list[int] = []
        self._refusal: tuple[str, str, Reply] | None = None  # phase, kind, reply: for all who have no answer of their own
        self._script: list[Command] = []  # what is still to be said before the message
        if eight_bit is None:
            eight_bit = not content.isascii()
        utf8 = not sender.isascii() or (eight_bit and _has_utf8_header(content))
        if not (trouble := _trouble(len(content), eight_bit, utf8, offered)):
            self._prepare(sender, recipients, offered, eight_bit, utf8)
        else:
            self._refusal = ("mail", "local", trouble)

    def _prepare(self, sender: str, recipients: Sequence[str], offered: Extensions, eight_bit: bool, utf8: bool) -> None:
        """Write the script; recipients that this server cannot be asked about are answered already."""
        rcpts: list[Command] = []
        for to, recipient in enumerate(recipients):
            if not recipient.isascii():
                if not offered.smtputf8:
                    self._answers[to] = Answer(to, "rcpt", "local", _UTF8_REFUSED)
                    continue
                utf8 = True
            try:
                rcpts.append(command.rcpt(recipient))
            except CommandError as error:
                self._answers[to] = Answer(to, "rcpt", "local", Reply.own(553, "5.1.3", str(error)))
            else:
                self._order.append(to)
        try:
            size = len(self._content) if offered.sizes else 0
            mail = command.mail(sender, size=size, eight_bit=eight_bit, utf8=utf8)
        except CommandError as error:
            self._refusal = ("mail", "local", Reply.own(553, "5.1.7", str(error)))
        else:
            self._script = [mail, *rcpts, DATA] if rcpts else []

    def envelope(self, client: Client) -> list[Command]:
        """What to say next before the message: a flight, or one step; nothing when all is said, or there is no point."""
        script = self._script
        if not script or client.over:
            return []
        if script[0].verb == "MAIL" and client.ahead is not State.READY:
            script.insert(0, RSET)  # what a transaction before this one left open
        if client.extensions.pipelining:
            self._script = []
            return script
        if self._refusal or (script[0] is DATA and not self._accepted):
            return []
        return [script.pop(0)]

    def content(self) -> Iterator[Command]:
        """The message in blocks, to be said when the server waits for it; a lone dot if it waits for nobody."""
        if not self._accepted:
            yield EMPTY
            return
        last = None
        for block in dot.blocks(self._content):
            if last is not None:
                yield Command("BLOCK", last)
            last = block
        assert last is not None
        yield Command("CONTENT", last)

    def hear(self, said: Command, reply: Reply) -> None:
        """Take the reply to something that this transaction said."""
        verb = said.verb
        if verb == "RCPT":
            self._hear_rcpt(reply)
        elif verb == "CONTENT":
            for to in self._accepted:
                self._answers[to] = Answer(to, "body", "reply", reply)
        elif not reply.positive and self._refusal is None:
            self._refusal = ("data" if verb == "DATA" else "mail", "reply", reply)

    def _hear_rcpt(self, reply: Reply) -> None:
        to = self._order[self._heard]
        self._heard += 1
        if self._refusal is not None:
            return  # an echo
        if reply.positive:
            self._accepted.append(to)
            return
        too_many = reply.enhanced in TOO_MANY or (not reply.enhanced and reply.code in NO_ROOM)
        self._answers[to] = Answer(to, "rcpt", "again" if too_many and self._accepted else "reply", reply)
        if reply.code == 421:  # the session is over, and this is why for everybody
            self._refusal = ("rcpt", "reply", reply)

    def broken(self, kind: str, phase: str, reply: Reply) -> None:
        """The session ended before the transaction did; `kind` and `reply` say how."""
        if self._refusal is None:
            self._refusal = (phase, kind, reply)

    def answers(self) -> list[Answer]:
        """One for each recipient, in their order; after the transaction is over."""
        rest = self._refusal
        if rest is None:
            return self._answers  # type: ignore[return-value]  # without a refusal, everybody has been answered
        phase, kind, reply = rest
        return [answer or Answer(to, phase, kind, reply) for to, answer in enumerate(self._answers)]


_UTF8_REFUSED = Reply.own(553, "5.6.7", "an address needs SMTPUTF8, which the host does not offer")


def _trouble(size: int, eight_bit: bool, utf8: bool, offered: Extensions) -> Reply | None:
    """Why this message cannot be sent to a server with these offers."""
    if 0 < offered.size < size:  # RFC 1870 §6.1
        return Reply.own(552, "5.3.4", f"the message has {size} octets, the host takes {offered.size}")
    if utf8 and not offered.smtputf8:  # RFC 6531 §3.5
        return Reply.own(554, "5.6.7", "the sender or the header needs SMTPUTF8, which the host does not offer")
    if eight_bit and not offered.eight_bit:  # RFC 6152 §3
        return Reply.own(554, "5.6.3", "the message has 8-bit octets, and the host does not offer 8BITMIME")
    return None


def _has_utf8_header(content: bytes) -> bool:
    """Whether the header has UTF-8 beyond ASCII, RFC 6532 §3. Other 8-bit octets there are old custom, and no UTF-8."""
    header = content.partition(b"\r\n\r\n")[0]
    if header.isascii():
        return False
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True
