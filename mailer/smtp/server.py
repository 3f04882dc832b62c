"""The receiving side of SMTP (RFC 5321) as a state machine: bytes in, questions out, replies in, bytes out.

A driver feeds it what arrives, asks `next` for the question that stands open, gives the `answer`, and
writes what `take` returns. Nothing here waits or decides: who may say what, and when, is the table
`WHEN`; what an answer leads to is the table `THEN`; all else is a policy's to answer. Pipelining needs
no code: commands are read one after the other from whatever has arrived, and the answers queue up.

Two laws:

1. Only CRLF.CRLF ends a message, and only CRLF ends a command. A message with a bare CR, a bare LF or a
   NUL is taken to its real end and then refused with 554 as a whole (or handed on as it came, if the service says
   `verbatim`); what follows a look-alike of the end is never read as a command. This is the
   receiver's half of the answer to SMTP smuggling (CVE-2023-51764 and its kin). A command that ends in a
   bare LF is refused with 521 and the session closed, so that nobody waits for a CR that never comes.
2. What was said before the handshake of STARTTLS does not count after it (RFC 3207 §4.2): bytes that came
   along with the command are thrown away, and so are EHLO, AUTH and any transaction.

A message is held in memory until it is answered, at most `ServerSettings.max_size` octets of it. Once it is complete no transaction is
open, whatever the answer to it is; nor is one behind a chunk that was refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mailer.sasl.exchange import AuthExchange, BadResponse

from . import server_events as ask
from .reply import Reply
from .server_commands import MAIL_PARAMETERS, RCPT_PARAMETERS, CommandRefused, ascii_only, check_offers, chunk, parameters, path, words
from .server_message import Arriving, too_large
from .server_patience import TOO_MANY_CHUNKS, Patience
from .server_state import THEN, USUAL, WHEN, WHY, ServerSettings, ServerState

__all__ = ["Server", "ServerSettings", "ServerState"]

MAX_COMMAND = 2048  # octets: the 512 of RFC 5321 §4.5.3.1.4, and what the parameters of extensions add
MAX_RESPONSE = 12288  # octets of a line within AUTH, RFC 4954 §4

# What a browser says that was led to our port, or a proxy that nobody listed. To go on reading would let its page speak SMTP.
_FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:", "PROXY"})

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LAST = frozenset({"EHLO", "HELO", "LHLO", "DATA", "AUTH", "STARTTLS"})  # what nobody may say more behind, before it is answered


class Server:
    """One session. A driver may read the public attributes and sets none."""

    __slots__ = (
        "_arriving", "_asked", "_at", "_bodies", "_exchange", "_in", "_last", "_left", "_offered", "_out", "_parameters", "_patience",
        "_skipping", "_verb", "discarded", "hasty", "hello", "recipients", "sender", "service", "state", "tls", "user",
    )  # fmt: skip

    def __init__(self, service: ServerSettings, tls: str = "") -> None:
        """`tls` is the version where TLS came first (port 465), else empty."""
        self.service = service
        self.state = ServerState.CONNECTED
        self.hello = ""
        self.tls = tls
        self.user = ""
        self.discarded = 0  # octets that came before a handshake, see law 2
        self.hasty = ""  # the command behind which the client went on before it was answered, and should not have, RFC 2920 §3.1
        self.sender = ""
        self.recipients: list[str] = []
        self._parameters: Mapping[str, str] = {}
        self._offered: Mapping[str, str] = {}  # what EHLO showed, keyword → parameters
        self._in = b""
        self._at = 0  # how much of it has been read
        self._out: list[bytes] = []
        self._asked: ask.Question | None = None
        self._exchange: AuthExchange | None = None
        self._arriving: Arriving | None = None  # the message of the transaction
        self._left = 0  # octets of the chunk that is arriving
        self._last = False  # whether it is the last
        self._bodies: list[ask.Body] = []  # the message, once for each recipient in LMTP, the last one first
        self._verb = ""  # the command that is being read
        self._skipping = False  # within a line that is too long
        self._patience = Patience(service)

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        if self.state is ServerState.HANDSHAKE:
            self.discarded += len(data)
        elif self.state is not ServerState.CLOSED:
            self._in = self._in[self._at :] + data
            self._at = 0

    @property
    def waiting(self) -> int:
        """How many octets have arrived and not been read: what a driver limits while it thinks about an answer."""
        return len(self._in) - self._at

    @property
    def arriving(self) -> int:
        """How many octets have come of the message that is under way."""
        return self._arriving.size if self._arriving is not None else 0

    @property
    def pending(self) -> bool:
        """Whether more is to be asked about the message that has come: in LMTP, of the next recipient."""
        return bool(self._bodies)

    def forgo(self, reply: Reply) -> None:
        """Keep nothing more of the message that is under way, and say `reply` at its end, whatever else there is to say of it."""
        if self._arriving is not None:
            self._arriving.drop(reply)

    def next(self) -> ask.Question | None:
        """The question that stands open, or None where more bytes must come first."""
        if self.state is ServerState.CONNECTED and not self._asked:
            self._asked = ask.Greeting()
        while not self._asked and self.state not in (ServerState.CONNECTED, ServerState.HANDSHAKE, ServerState.CLOSED):
            if self._bodies:
                self._asked = self._bodies.pop()
            elif not _READ.get(self.state, Server._read_line)(self):
                break
        return self._asked

    def answer(self, reply: Reply | None = None) -> None:
        """Answer the open question; None gives the usual answer. Raises `RuntimeError` if none is open."""
        question, self._asked = self._asked, None
        if question is None:
            raise RuntimeError("no question stands open")
        reply = reply or self.usual(question)
        self._say(question, reply)
        kind = reply.code // 100
        if kind == 5 and isinstance(question, ask.Auth):
            self._patience.guessed()
        self.state = THEN.get((question.phase, kind), self.state)
        if kind == 2 and question.phase in _EFFECTS:
            _EFFECTS[question.phase](self, question)
        if reply.code in (421, 521):  # RFC 5321 §3.8, RFC 7504 §3
            self.state = ServerState.CLOSED

    def usual(self, question: ask.Question) -> Reply:
        """The answer of a server that has nothing against it."""
        if isinstance(question, ask.Violation):
            return question.reply
        if isinstance(question, ask.Greeting):
            return Reply.own(220, "", f"{self.service.name} {'LMTP' if self.service.lmtp else 'ESMTP'}")
        if isinstance(question, ask.OldHello):
            return Reply.own(250, "", self.service.name)
        if isinstance(question, ask.Hello):
            return Reply(250, "", (self.service.name, *(f"{word} {more}".rstrip() for word, more in self._offers().items())))
        return USUAL[question.phase]

    def secured(self, version: str) -> None:
        """Go on behind the handshake of TLS: the client is a stranger again. RFC 3207 §4.2"""
        self.tls = version
        self.state = ServerState.STRANGER

    def hang_up(self, reply: Reply) -> None:
        """End the session for a reason of the driver's own (a timeout, a shutdown), whatever stands open."""
        self._asked = self._arriving = None
        self._bodies.clear()
        self._say(ask.Violation("", reply), reply)
        self.state = ServerState.CLOSED

    def take(self) -> bytes:
        """The bytes that are to be written now; they are handed out once."""
        out, self._out = b"".join(self._out), []
        return out

    def _say(self, question: ask.Question, reply: Reply) -> None:
        """Write `reply`; RFC 2034 §4 wants its enhanced code on every line, but not on greetings.

        A control character in it, which somebody else may have written, does not begin another line.
        """
        enhanced = reply.enhanced and not isinstance(question, (ask.Greeting, ask.Hello)) and "ENHANCEDSTATUSCODES" not in self.service.hide
        prefix = f"{reply.enhanced} " if enhanced else ""
        *more, last = (line if line.isprintable() else _UNPRINTABLE.sub("?", line) for line in reply.lines or ("",))
        lines = [f"{reply.code}-{prefix}{line}\r\n" for line in more]
        self._out.append("".join((*lines, f"{reply.code} {prefix}{last}\r\n")).encode(errors="replace"))

    # -- reading

    def _read_line(self) -> bool:
        """Read one line if it is complete; whether it was."""
        end = self._in.find(b"\n", self._at)
        limit = MAX_RESPONSE if self._exchange else MAX_COMMAND
        if end < 0:
            if self.waiting > limit:  # the rest of it is dropped as it comes; the refusal waits for its end
                self._skipping = True
                self._in, self._at = self._in[-1:], 0
            return False
        line = self._taken(end + 1 - self._at)
        too_long, self._skipping = self._skipping or len(line) > limit, False
        self._verb = ""
        try:
            self._asked = self._obey(line, too_long)
        except CommandRefused as refused:
            self._mistake(refused.reply)
        return True

    def _taken(self, octets: int) -> bytes:
        """The next `octets` of what has arrived, or all of it. None of it is kept for a client that says nothing more."""
        data = self._in[self._at : self._at + octets]
        self._at += len(data)
        if self._at == len(self._in):
            self._in, self._at = b"", 0
        return data

    def _obey(self, line: bytes, too_long: bool) -> ask.Question | None:
        exchange, self._exchange = self._exchange, None
        if exchange:
            self._verb, self.state = "AUTH", ServerState.READY
        if too_long:
            raise CommandRefused(500, "5.5.6" if exchange else "5.5.2", "the line is too long")
        if not line.endswith(b"\r\n"):
            raise CommandRefused(521, "5.5.2", "a line must end in CRLF, and this one ended in LF")
        if exchange:
            return self._proceed(exchange, line[:-2])
        verb, rest = words(line[:-2])
        if self.waiting and not self.hasty and (verb in _LAST or "PIPELINING" not in self._offered):
            self.hasty = verb
        if verb in _FOREIGN:
            raise CommandRefused(421, "4.7.0", "only SMTP is spoken here")
        if verb not in _COMMANDS:
            raise CommandRefused(500, "5.5.1", "there is no such command")
        self._verb = verb
        if verb not in WHEN[self.state]:
            raise self._out_of_order()
        if (over := self._patience.idle(verb)) is not None:
            return ask.Violation(verb, over)
        return _COMMANDS[verb](self, rest)

    def _out_of_order(self) -> CommandRefused:
        if self._verb == "DATA" and self.state is ServerState.SENDER:  # RFC 5321 §3.3
            return CommandRefused(554, "5.5.1", "no valid recipients")
        return CommandRefused(503, "5.5.1", f"{self._verb} is out of order: {WHY[self.state]}")

    def _mistake(self, reply: Reply) -> None:
        """Put a refusal of our own as a question, and lose patience with those who earn many."""
        self._asked = ask.Violation(self._verb or "?", self._patience.mistake(self._verb, reply))

    def _read_body(self) -> bool:
        """Take what has arrived of the message; whether it is complete."""
        assert self._arriving is not None
        rest = self._arriving.feed(self._in[self._at :])
        self._in, self._at = rest or b"", 0
        if rest is None:
            return False
        self._put(self._arriving)
        return True

    def _read_chunk(self) -> bool:
        """Take what has arrived of the chunk; whether it is complete. Where there is no transaction, it was refused."""
        data = self._taken(self._left)
        self._left -= len(data)
        arriving = self._arriving
        if arriving is not None:
            arriving.add(data)
        if self._left:
            return False
        if arriving is None:
            self._forget()
        elif self._last:
            self._put(arriving)
        elif arriving.refusal is not None:
            self._refuse(arriving.refusal)
        else:
            self.state = ServerState.CHUNKS
            self._out.append(b"250 2.0.0 go on\r\n")
        return True

    def _put(self, arrived: Arriving) -> None:
        """The message is complete: ask what becomes of it."""
        untouched = self.service.verbatim or self._parameters.get("BODY") == "BINARYMIME"
        content = arrived.raw() if untouched else arrived.strict()
        if arrived.refusal is not None:
            self._refuse(arrived.refusal)
            return
        everybody = tuple(self.recipients)
        each = [(one,) for one in everybody] if self.service.lmtp else [everybody]  # RFC 2033 §4.2
        self._bodies += (ask.Body(self.sender, to, content, self._parameters, arrived.normal) for to in reversed(each))
        self._patience.progress()
        self._forget()

    def _refuse(self, reply: Reply) -> None:
        """Refuse the message, or what has come of it."""
        self._forget()
        self._verb = "body"
        self._mistake(reply)

    # -- the commands, each given what follows its verb

    def _bdat(self, rest: str) -> None:
        """What follows are octets, whatever we think of them: of a chunk that is refused, they are thrown away as they come."""
        try:
            size, self._last = chunk(rest)
        except CommandRefused:  # where it ends nobody knows
            self._forget()
            raise
        refusal = self._chunk_refusal(size)
        self._left = size
        if refusal is not None:
            over = self._patience.useless_chunk()
            self._forget()
            self.state = ServerState.CHUNK
            raise CommandRefused.of(over or refusal)
        self.state = ServerState.CHUNK

    def _chunk_refusal(self, size: int) -> Reply | None:
        if "CHUNKING" not in self._offered:
            return Reply.own(502, "5.5.1", "BDAT is not offered")
        if self.state not in (ServerState.RECIPIENTS, ServerState.CHUNKS):
            return self._out_of_order().reply
        assert self._arriving is not None
        if not self._arriving.begin_chunk(size):
            return TOO_MANY_CHUNKS
        return None if self._arriving.has_room(size) else too_large(self.service.max_size)

    def _hello(self, rest: str) -> ask.Hello:
        """EHLO and HELO in SMTP, LHLO in LMTP, and neither in the other, RFC 2033 §4.1."""
        if (self._verb == "LHLO") is not self.service.lmtp:
            raise CommandRefused(500, "5.5.1", f"{self._verb} is not what is spoken here")
        return (ask.OldHello if self._verb == "HELO" else ask.Hello)(self._name(rest))

    def _name(self, rest: str) -> str:
        if not rest or " " in rest:
            raise CommandRefused(501, "5.5.4", f"{self._verb} is followed by the name of your host")
        return rest

    def _starttls(self, rest: str) -> ask.Question:
        if self.tls or self.user:
            raise CommandRefused(503, "5.5.1", "it is too late for STARTTLS")
        if "STARTTLS" not in self._offered:
            raise CommandRefused(502, "5.5.1", "STARTTLS is not offered")
        return self._alone(rest)

    def _auth(self, rest: str) -> ask.Question | None:
        mechanism, _, initial = rest.partition(" ")
        if self.user:
            raise CommandRefused(503, "5.5.1", "you have authenticated already")
        if "AUTH" not in self._offered:
            if self.service.mechanisms and not self.tls:
                raise CommandRefused(538, "5.7.11", "AUTH needs TLS here")
            raise CommandRefused(502, "5.5.1", "AUTH is not offered")
        usable = self.service.usable(bool(self.tls))
        if mechanism.upper() not in usable:
            raise CommandRefused(504, "5.5.4", "this mechanism is not offered")
        if (over := self._patience.another_guess()) is not None:
            raise CommandRefused.of(over)
        known = self.service.known
        exchange = AuthExchange(mechanism.upper(), known if "SCRAM-SHA-256-PLUS" in usable else known.unbound())
        if initial:
            return self._proceed(exchange, b"" if initial == "=" else initial.encode())  # RFC 4954 §4
        self._challenge(exchange)
        return None

    def _proceed(self, exchange: AuthExchange, response: bytes) -> ask.Auth | None:
        try:
            credentials = exchange.respond(response)
        except BadResponse as bad:  # RFC 4954 §4
            raise CommandRefused(501, "5.0.0" if bad.cancelled else "5.5.2", str(bad)) from None
        if credentials is None:
            self._challenge(exchange)
            return None
        return ask.Auth(credentials)

    def _challenge(self, exchange: AuthExchange) -> None:
        self._exchange, self.state = exchange, ServerState.EXCHANGE
        self._out.append(b"334 " + exchange.challenge + b"\r\n")

    def _mail(self, rest: str) -> ask.Question:
        self._check_required()
        if (over := self._patience.another_message()) is not None:
            raise CommandRefused.of(over)
        sender, text = path(rest, "FROM", self.service.name)
        found = parameters(text, MAIL_PARAMETERS, self._offered)
        check_offers(found, self._offered)
        if "SMTPUTF8" not in found:
            ascii_only(sender)
        if found.get("BODY") == "BINARYMIME" and "BINARYMIME" not in self._offered:
            raise CommandRefused(501, "5.5.4", "the value of BODY is not valid")
        if 0 < self.service.max_size < int(found.get("SIZE", 0)):
            raise CommandRefused.of(too_large(self.service.max_size))
        return ask.MailFrom(sender, found)

    def _check_required(self) -> None:
        if "tls" in self.service.require and not self.tls:
            raise CommandRefused(530, "5.7.0", "STARTTLS comes first")  # RFC 3207 §4
        if "auth" in self.service.require and not self.user:
            raise CommandRefused(530, "5.7.0", "AUTH comes first")  # RFC 4954 §6

    def _rcpt(self, rest: str) -> ask.Question:
        address, text = path(rest, "TO", self.service.name)
        if not address:
            raise CommandRefused(501, "5.1.3", "a recipient is never empty")
        if "SMTPUTF8" not in self._parameters:
            ascii_only(address)
        found = parameters(text, RCPT_PARAMETERS, self._offered)
        if 0 < self.service.max_recipients <= len(self.recipients):
            raise CommandRefused(452, "4.5.3", "too many recipients for one transaction")  # RFC 5321 §4.5.3.1.10
        return ask.Rcpt(address, found)

    def _alone(self, rest: str) -> ask.Question:
        if rest:
            raise CommandRefused(501, "5.5.4", f"{self._verb} stands alone")
        if self._verb == "DATA" and self._parameters.get("BODY") == "BINARYMIME":  # RFC 3030 §3
            raise CommandRefused(503, "5.5.1", "a binary message comes with BDAT")
        return _ALONE[self._verb]()

    # -- what an accepted command changes

    def _met(self, question: ask.Hello) -> None:
        self.hello = question.name
        self._forget()
        self._offered = {} if isinstance(question, ask.OldHello) else self._offers()

    def _offers(self) -> dict[str, str]:
        return self.service.offered(bool(self.tls), bool(self.user))

    def _forget(self) -> None:
        """No transaction is open any more, nor what has come of its message."""
        self._arriving = None
        self.sender, self.recipients, self._parameters = "", [], {}
        self.state = ServerState.READY if self.hello else ServerState.STRANGER

    def _discard(self, _: ask.StartTls) -> None:
        """Law 2."""
        self.discarded, self._in, self._at = self.waiting, b"", 0
        self._forget()
        self.hello, self._offered = "", {}
        self.state = ServerState.HANDSHAKE

    def _let_in(self, question: ask.Auth) -> None:
        self.user = question.credentials.username

    def _open(self, question: ask.MailFrom) -> None:
        self.sender, self._parameters = question.sender, question.parameters
        self._arriving = Arriving(self.service.max_size)
        self._patience.begun()

    def _add(self, question: ask.Rcpt) -> None:
        self.recipients.append(question.address)
        self._patience.progress()

    def _reset(self, _: ask.Reset) -> None:
        self._forget()


_READ: dict[ServerState, Callable[[Server], bool]] = {ServerState.BODY: Server._read_body, ServerState.CHUNK: Server._read_chunk}
"""How what arrives is read, where it is no line."""

_ALONE: dict[str, Callable[[], ask.Question]] = {"STARTTLS": ask.StartTls, "DATA": ask.Data, "RSET": ask.Reset, "QUIT": ask.Quit}

_COMMANDS: dict[str, Callable[[Server, str], ask.Question | None]] = {
    "EHLO": Server._hello,
    "LHLO": Server._hello,
    "HELO": Server._hello,
    "BDAT": Server._bdat,
    "STARTTLS": Server._starttls,
    "AUTH": Server._auth,
    "MAIL": Server._mail,
    "RCPT": Server._rcpt,
    "DATA": Server._alone,
    "RSET": Server._alone,
    "QUIT": Server._alone,
    "NOOP": lambda _, __: ask.Noop(),
    "VRFY": lambda _, rest: ask.Verify(rest),
    "HELP": lambda _, __: ask.Help(),
}

_EFFECTS: dict[str, Callable[[Server, Any], None]] = {
    "ehlo": Server._met,
    "helo": Server._met,
    "starttls": Server._discard,
    "auth": Server._let_in,
    "mail": Server._open,
    "rcpt": Server._add,
    "rset": Server._reset,
}
