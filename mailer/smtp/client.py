"""The sending side of SMTP as a state machine: who may say what, and when.

`send` takes commands and returns the bytes to write; `feed` takes bytes and returns replies, each with
the command that it answers. Two tables are the protocol: `WHEN`, which command may be said in which
state, and `THEN`, which state follows which reply. A missing cell is the error: ours in `WHEN` (a bug,
`RuntimeError`), the peer's in `THEN` (`ProtocolError`). Nothing here waits, and nothing here decides what
to say: `handshake` and `transaction` do.

With PIPELINING, commands are said before earlier ones are answered. What may be said then is looked up
in the state that follows if all of them are accepted.

Laws:

1. A reply is born paired with its command: `_pending` holds what has been said and not been answered. A reply
   that nobody asked for ends the session, for from then on every reply might belong to something else.
2. What was said before the handshake of STARTTLS does not count after it, RFC 3207 §4.2; bytes that came behind
   the 220 were not protected by it and end the session (CVE-2011-0411).
3. After 421 the server is gone, whatever it was the answer to, RFC 5321 §3.8.
4. In LMTP the end of a message has one reply for each recipient that was accepted, RFC 2033 §4.2. All but the last are
   paired with `PARTIAL`; so whoever waits for the end of the message waits for all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .command import CONNECT, Command
from .extension import NONE, Extensions
from .reply import OPEN, ProtocolError, Reply, ReplyReader

if TYPE_CHECKING:
    from mailer.mail.outcome import Phase


class ClientState(StrEnum):
    """The states of a session, as far as replies have told."""

    CONNECTED = "connected"  # the greeting is on its way
    UNWELCOME = "unwelcome"  # greeted with a refusal
    GREETED = "greeted"  # EHLO comes next
    READY = "ready"  # no transaction
    SENDER = "sender"  # a transaction without recipients
    RECIPIENTS = "recipients"  # a transaction with at least one
    CHUNKS = "chunks"  # part of the message was taken, with BDAT
    CONTENT = "content"  # the server waits for the message
    EXCHANGE = "exchange"  # within AUTH, our turn
    HANDSHAKE = "handshake"  # TLS begins now
    CLOSED = "closed"


_ALWAYS = frozenset({"RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT"})  # RFC 5321 §4.1.4

WHEN: dict[ClientState, frozenset[str]] = {
    ClientState.CONNECTED: frozenset(),
    ClientState.UNWELCOME: frozenset({"QUIT"}),  # RFC 5321 §3.1
    ClientState.GREETED: frozenset({"EHLO", "LHLO", "HELO", "QUIT"}),
    ClientState.READY: _ALWAYS | {"MAIL", "STARTTLS", "AUTH", "EHLO", "LHLO"},
    ClientState.SENDER: _ALWAYS | {"RCPT", "DATA", "BDAT", "BDAT LAST"},  # DATA, BDAT: the RCPTs may still be accepted
    ClientState.RECIPIENTS: _ALWAYS | {"RCPT", "DATA", "BDAT", "BDAT LAST"},
    ClientState.CHUNKS: _ALWAYS | {"BDAT", "BDAT LAST"},  # RFC 3030 §2: and never DATA
    ClientState.CONTENT: frozenset({"BLOCK", "CONTENT"}),
    ClientState.EXCHANGE: frozenset({"RESPONSE"}),
    ClientState.HANDSHAKE: frozenset(),
    ClientState.CLOSED: frozenset(),
}
"""State → what may be said in it."""

THEN: dict[tuple[str, int], ClientState | None] = {
    ("CONNECT", 2): ClientState.GREETED,
    ("CONNECT", 4): ClientState.UNWELCOME,
    ("CONNECT", 5): ClientState.UNWELCOME,
    ("EHLO", 2): ClientState.READY,
    ("EHLO", 4): ClientState.GREETED,
    ("EHLO", 5): ClientState.GREETED,
    ("LHLO", 2): ClientState.READY,
    ("LHLO", 4): ClientState.GREETED,
    ("LHLO", 5): ClientState.GREETED,
    ("HELO", 2): ClientState.READY,
    ("HELO", 4): ClientState.GREETED,
    ("HELO", 5): ClientState.GREETED,
    ("STARTTLS", 2): ClientState.HANDSHAKE,
    ("STARTTLS", 4): None,
    ("STARTTLS", 5): None,
    ("AUTH", 2): ClientState.READY,
    ("AUTH", 3): ClientState.EXCHANGE,
    ("AUTH", 4): None,
    ("AUTH", 5): None,
    ("RESPONSE", 2): ClientState.READY,
    ("RESPONSE", 3): ClientState.EXCHANGE,
    ("RESPONSE", 4): ClientState.READY,
    ("RESPONSE", 5): ClientState.READY,
    ("MAIL", 2): ClientState.SENDER,
    ("MAIL", 4): None,
    ("MAIL", 5): None,
    ("RCPT", 2): ClientState.RECIPIENTS,
    ("RCPT", 4): None,
    ("RCPT", 5): None,
    ("DATA", 3): ClientState.CONTENT,
    ("DATA", 4): None,  # the transaction stays open, RFC 5321 §4.1.1.4
    ("DATA", 5): None,
    ("BDAT", 2): ClientState.CHUNKS,
    ("BDAT", 4): ClientState.CHUNKS,  # only RSET helps, RFC 3030 §2
    ("BDAT", 5): ClientState.CHUNKS,
    ("BDAT LAST", 2): ClientState.READY,
    ("BDAT LAST", 4): None,  # whether the transaction is over depends on the reason; RSET makes sure
    ("BDAT LAST", 5): None,
    ("CONTENT", 2): ClientState.READY,
    ("CONTENT", 4): ClientState.READY,
    ("CONTENT", 5): ClientState.READY,
    ("RSET", 2): ClientState.READY,
    ("NOOP", 2): None,
    ("NOOP", 4): None,
    ("NOOP", 5): None,
    ("VRFY", 2): None,
    ("VRFY", 4): None,
    ("VRFY", 5): None,
    ("EXPN", 2): None,
    ("EXPN", 4): None,
    ("EXPN", 5): None,
    ("HELP", 2): None,
    ("HELP", 4): None,
    ("HELP", 5): None,
    ("QUIT", 2): ClientState.CLOSED,
    ("QUIT", 4): ClientState.CLOSED,
    ("QUIT", 5): ClientState.CLOSED,
}
"""(command, first digit of its reply) → the state that follows; None leaves it as it is."""

LAST = frozenset({"EHLO", "LHLO", "HELO", "STARTTLS", "AUTH", "RESPONSE", "DATA", "NOOP", "VRFY", "EXPN", "HELP", "QUIT"})
"""What must be answered before anything else is said, with PIPELINING too, RFC 2920 §3.1."""

PHASE: dict[str, Phase] = {
    "CONNECT": "greeting",
    "EHLO": "ehlo",
    "LHLO": "ehlo",
    "HELO": "ehlo",
    "STARTTLS": "starttls",
    "AUTH": "auth",
    "RESPONSE": "auth",
    "RSET": "mail",  # it is said in front of a MAIL
    "MAIL": "mail",
    "RCPT": "rcpt",
    "DATA": "data",
    "BLOCK": "body",
    "CONTENT": "body",
    "BDAT": "body",
    "BDAT LAST": "body",
    "NOOP": "noop",
    "VRFY": "noop",
    "EXPN": "noop",
    "HELP": "noop",
    "QUIT": "quit",
}
"""Command → what `Outcome.phase` calls the time until it is answered."""

_CLOSED, _CONTENT = ClientState.CLOSED, ClientState.CONTENT
"""A member that is looked up in its class is asked for by way of its metaclass, each time."""

_HOPED = {verb: state for (verb, digit), state in THEN.items() if digit == (3 if verb == "DATA" else 2)}
"""Command → the state that follows if it is accepted."""


PARTIAL = Command("PARTIAL", b"")
"""What the replies to the end of a message answer in LMTP, all but the last."""

_ENDS = frozenset({"CONTENT", "BDAT LAST"})
_BEGINS = frozenset({"EHLO", "LHLO", "HELO", "MAIL", "RSET"})


class Answered(NamedTuple):
    """A command and its reply."""

    command: Command
    reply: Reply


class Client:
    """One session. Read `state`, `extensions`, `secure` and `unanswered`; set nothing but `veil`."""

    __slots__ = (
        "_accepted",
        "_ahead",
        "_error",
        "_last",
        "_partial",
        "_reader",
        "binding",
        "extensions",
        "lmtp",
        "secure",
        "state",
        "unanswered",
        "veil",
    )

    def __init__(self, *, secure: bool = False, lmtp: bool = False, binding: bytes = b"") -> None:
        """`secure`: TLS came before the greeting (port 465, RFC 8314 §3.3); `lmtp`: LMTP is spoken, RFC 2033.

        `binding` is what binds a mechanism of AUTH to that TLS, see `mailer.sasl.mechanism`.
        """
        self.state = ClientState.CONNECTED
        self.extensions: Extensions = NONE
        self.secure = secure
        self.lmtp = lmtp
        self.binding = binding
        self.veil = OPEN  # what replies are not to repeat, from AUTH on
        self._accepted = 0  # recipients of this transaction
        self._partial = 0  # replies to the end of its message so far
        self._ahead = ClientState.CONNECTED  # the state if all that is pending is accepted
        self.unanswered: deque[Command] = deque((CONNECT,))
        """The commands that have been said and not been answered, in order."""
        self._last = "CONNECT"
        self._reader = ReplyReader()
        self._error: ProtocolError | None = None

    @property
    def verb(self) -> str:
        """The verb that waits for its reply; with nothing unanswered, the one that was said last. `PHASE` translates it."""
        return self.unanswered[0].verb if self.unanswered else self._last

    @property
    def over(self) -> bool:
        """Whether nothing can be said any more."""
        return self.state is _CLOSED

    @property
    def ahead(self) -> ClientState:
        """The state that follows if all that is pending is accepted."""
        return self._ahead if self.unanswered else self.state

    def may(self, verb: str) -> bool:
        """Whether `verb` can be said now, with nothing unanswered before it."""
        return not self.unanswered and verb in WHEN[self.state]

    def send(self, commands: Iterable[Command]) -> bytes:
        """The bytes that say `commands`, in one piece. Raises `RuntimeError` for what may not be said now."""
        lines = []
        pending = self.unanswered
        ahead = self._ahead if pending else self.state
        for command in commands:
            verb = command.verb
            if pending:
                before = pending[-1].verb
                if before in LAST or before == "CONNECT" or not self.extensions.pipelining:
                    raise RuntimeError(f"{verb} may not be said before {before} is answered")
            if verb not in WHEN[ahead]:
                raise RuntimeError(f"{verb} may not be said in the state {ahead}")
            lines.append(command.line)
            self._last = verb
            if verb != "BLOCK":
                pending.append(command)
                self._ahead = ahead = _HOPED[verb] or ahead
        return b"".join(lines)

    def feed(self, data: bytes) -> list[Answered]:
        """What the bytes answer, in order.

        Raises `ProtocolError`; as with `ReplyReader`, what was answered before the offence is returned
        first, and the state is CLOSED at once.
        """
        if self._error is not None:
            raise self._error
        if self.state is _CLOSED:
            return []  # the server is gone; what it still said changes nothing
        answered: list[Answered] = []
        try:
            self._pair(self._reader.feed(data), answered)
            if self.state is _CLOSED:
                self.unanswered.clear()
                return answered
            if self._reader.error is not None:
                raise self._reader.error
            if not self.unanswered and self._reader.partial and self.state is not _CONTENT:
                raise ProtocolError("bytes came that nobody asked for", unasked=True)
        except ProtocolError as error:
            self.state = ClientState.CLOSED
            self._error = ProtocolError(self.veil.text(str(error)), unasked=error.unasked)
            if not answered:
                raise self._error from None
        return answered

    def check(self) -> None:
        """Raise the error that `feed` holds back, if there is one."""
        if self._error is not None:
            raise self._error

    def break_off(self) -> Answered | None:
        """What the reply answers that has begun and will not end: the peer is gone, or takes for ever. The session is over.

        None where no code is known, or nobody asked. All lines of a reply have one code, RFC 5321 §4.2.1, so it has been said.
        """
        reply = None if self.over else self._reader.break_off()
        answered: list[Answered] = []
        try:
            if reply is not None and self.unanswered:
                self._pair((reply,), answered)
            return answered[0] if answered else None
        except ProtocolError:
            return None
        finally:
            self.state = ClientState.CLOSED

    def secured(self, binding: bytes = b"") -> None:
        """Go on behind the handshake: say EHLO again, nothing from before counts (RFC 3207 §4.2). Raises `RuntimeError` without one."""
        if self.state is not ClientState.HANDSHAKE:
            raise RuntimeError(f"no handshake in the state {self.state}")
        self.state = ClientState.GREETED
        self.extensions = NONE
        self.secure = True
        self.binding = binding

    def _veiled(self, reply: Reply) -> Reply:
        """A challenge has to be read as it is."""
        challenge = reply.code == 334 and self.unanswered and self.unanswered[0].verb in ("AUTH", "RESPONSE")  # RFC 4954 §4
        return reply if challenge else self.veil.reply(reply)

    def _pair(self, replies: Iterable[Reply], answered: list[Answered]) -> None:
        """Give each reply to the oldest command without one, and go where it leads, up to the end; what is answered is added."""
        unanswered = self.unanswered
        for heard in replies:
            reply = self._veiled(heard) if self.veil.forms else heard
            if not unanswered:
                answered.append(Answered(self._early(reply), reply))
            elif self.lmtp and self._is_partial(unanswered[0], reply):
                answered.append(Answered(PARTIAL, reply))
            elif reply.code == 421:
                self.state = _CLOSED
                answered.append(Answered(unanswered.popleft(), reply))
            else:
                verb = unanswered[0].verb
                if (key := (verb, reply.code // 100)) not in THEN:
                    raise ProtocolError(f"{reply.code} is no answer to {verb}", unasked=True)
                self.state = THEN[key] or self.state
                if verb == "RCPT":
                    self._accepted += reply.code < 400
                elif verb in _BEGINS:
                    self._begin(verb, reply)
                answered.append(Answered(unanswered.popleft(), reply))
            if self.state is _CLOSED:
                return

    def _is_partial(self, command: Command, reply: Reply) -> bool:
        """Law 4. A message for nobody has one reply."""
        if command.verb not in _ENDS or reply.code == 421:
            return False
        if reply.code // 100 == 3:
            raise ProtocolError(f"{reply.code} is no answer to {command.verb}", unasked=True)
        self._partial += 1
        return self._partial < self._accepted

    def _begin(self, verb: str, reply: Reply) -> None:
        """Note what holds from a greeting on, or in a new transaction."""
        if verb in ("MAIL", "RSET"):
            self._accepted = self._partial = 0
        elif reply.positive:
            self.extensions = NONE if verb == "HELO" else Extensions.parse(reply)

    def _early(self, reply: Reply) -> Command:
        """A reply that came unasked: a refusal in the middle of the message is one to the message, all else is none.

        The message is cut off there, so the session ends either way. A 2xx before the end would mean that
        the server and we disagree about where the end is: nothing was delivered.
        """
        if self.state is ClientState.CONTENT and not reply.positive:
            self.state = ClientState.CLOSED
            return Command("CONTENT", b"")
        raise ProtocolError(f"a reply came that nobody asked for: {reply}", unasked=True)
