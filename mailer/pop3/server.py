"""The server's side of POP3 (RFC 1939) as a state machine: bytes in, questions out, answers in, bytes out.

A driver feeds it what arrives, asks `next` for the question that stands open, answers it, and writes what `take` returns. Nothing here
waits, or knows a mailbox: what somebody has who logs in is a `Maildrop`, given with `admit`; of that STAT, LIST, UIDL, DELE and RSET are
answered here, and a message that is asked for is given piece by piece with `send`. Who may say what, and when, are the tables of `states`.
Pipelining (RFC 2449 §6.6) needs no code: commands are read one after the other from whatever has arrived, and the answers queue up.

Three laws:

1. Only CRLF ends a command. One that ends in a bare LF is refused and the session closed, so that nobody waits for a CR that never comes.
2. What was said before the handshake of STLS does not count after it (RFC 2595 §4): bytes that came along with the command are thrown
   away, and so is the name that USER has said.
3. Nothing is removed but by QUIT of one who is logged in (RFC 1939 §6): a session that ends otherwise leaves everything as it was.

What is to be said is never much more than `FULL` octets: a long list is made as it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mailer.sasl.exchange import AuthExchange, BadResponse, Credentials

from . import commands
from .commands import LONGEST_LINE, LONGEST_RESPONSE, PopRefused
from .content import END, Sending
from .maildrop import Maildrop
from .questions import PopGreeting, PopLogin, PopQuit, PopReply, PopRetrieve, PopStartTls
from .states import NEEDS, VERBS, WHEN, WHY, PopSettings, PopState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .questions import PopQuestion

__all__ = ["PopServer", "PopSettings", "PopState"]

FULL: Final = 65536  # octets that are to be said, beyond which nothing more is read before they are taken

# What a browser says that was led to our port, or a proxy that nobody listed. To go on reading would let its page speak POP3.
_FOREIGN: Final = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "HOST:", "USER-AGENT:", "PROXY", "EHLO", "HELO"})

_READING: Final = frozenset({PopState.AUTHORIZATION, PopState.EXCHANGE, PopState.TRANSACTION})


class PopServer:
    """One session. A driver may read the public attributes, and sets `deaf` where nobody hears what is said: lists are left out."""

    __slots__ = (
        "_asked", "_at", "_before", "_exchange", "_guesses", "_in", "_listing", "_mistakes", "_name", "_out", "_owed", "_sending",
        "_skipping", "_told", "deaf", "discarded", "drop", "settings", "stalled", "state", "tls", "user",
    )  # fmt: skip

    def __init__(self, settings: PopSettings, tls: str = "") -> None:
        """`tls` is the version where TLS came first (port 995), else empty."""
        self.settings = settings
        self.state = PopState.CONNECTED
        self.tls = tls
        self.user = ""
        self.drop = Maildrop()
        self.discarded = 0  # octets that came before a handshake, see law 2
        self.stalled = False  # whether `next` would go on, had `take` been called
        self.deaf = False
        self._told = settings.told(tls=bool(tls), user=False)
        self._in = b""
        self._at = 0  # how much of it has been read
        self._out: list[bytes] = []
        self._owed = 0  # octets of that
        self._asked: PopQuestion | None = None
        self._exchange: AuthExchange | None = None
        self._listing: Iterator[bytes] | None = None  # what is left of a list
        self._sending: Sending | None = None
        self._name = ""  # of USER
        self._skipping = False  # within a line that is too long
        self._mistakes = self._guesses = self._before = 0

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        if self.state is PopState.HANDSHAKE:
            self.discarded += len(data)
        elif self.state is not PopState.CLOSED:
            self._in = self._in[self._at :] + data
            self._at = 0

    @property
    def waiting(self) -> int:
        """How many octets have arrived and not been read."""
        return len(self._in) - self._at

    @property
    def over(self) -> bool:
        """Whether nothing more is read or said."""
        return self.state is PopState.CLOSED

    def next(self) -> PopQuestion | None:
        """The question that stands open, or None where more bytes must come first, or, if `stalled`, some be taken."""
        if self.state is PopState.CONNECTED and self._asked is None:
            self._asked = PopGreeting()
        goes_on = True
        while goes_on and self._asked is None and self.state in _READING and self._owed < FULL:
            goes_on = self._list() if self._listing is not None else self._read_line()
        self.stalled = goes_on and self._asked is None and self.state in _READING
        return self._asked

    def take(self) -> bytes:
        """The bytes that are to be written now; they are handed out once."""
        out, self._out, self._owed = b"".join(self._out), [], 0
        return out

    # -- answers

    def answer(self, refusal: PopReply | None = None) -> None:
        """Answer the open question: with a refusal, or as one that has nothing against it. Raises `RuntimeError` if none is open, and
        for a login or a message, which nobody can let pass so."""
        question, self._asked = self._asked, None
        if question is None or (refusal is None and isinstance(question, (PopLogin, PopRetrieve))):
            raise RuntimeError(f"that is no answer to {question}")
        if refusal is not None:
            self._guesses += isinstance(question, PopLogin) and refusal.code == "AUTH"
            self._refuse(refusal)
            if isinstance(question, (PopGreeting, PopQuit)):
                self.state = PopState.CLOSED
        elif isinstance(question, PopGreeting):
            self._ok(f"{self.settings.name} POP3 ready")  # no "<": APOP is not offered, RFC 1939 §7
            self.state = PopState.AUTHORIZATION
        elif isinstance(question, PopStartTls):
            self._ok("begin with TLS")
            self.discarded, self._in, self._at = self.waiting, b"", 0  # law 2
            self.state = PopState.HANDSHAKE
        elif isinstance(question, PopQuit):
            self._goodbye(len(question.uids))

    def admit(self, user: str, drop: Maildrop) -> None:
        """Answer a login: `user` is let in, and `drop` is what he has. Raises `RuntimeError` where no login is asked about."""
        if not isinstance(self._asked, PopLogin):
            raise RuntimeError("nobody asks to log in")
        self._asked = None
        self.user, self.drop, self.state = user, drop, PopState.TRANSACTION
        self._told = self.settings.told(tls=bool(self.tls), user=True)
        self._name, self._mistakes = "", 0
        self._ok(f"logged in, {self._summary()}")

    def send(self, piece: bytes, size: int = -1) -> bool:
        """Answer RETR or TOP with the next piece of the message as it is kept, which has `size` octets; whether more of it is wanted. If
        as many go out, all its lines end in CRLF. Raises `RuntimeError`."""
        if self._sending is None:
            if not isinstance(question := self._asked, PopRetrieve):
                raise RuntimeError("no message is asked for")
            octets = self.drop.octets[question.place]
            self._sending, self.state = Sending(question.lines, even=octets == size), PopState.SENDING
            self._ok(f"{octets} octets" if question.lines is None else "the top follows")
        self._say(self._sending.feed(piece))
        return not self._sending.enough

    def sent(self) -> None:
        """The message is sent as far as it was wanted. Raises `RuntimeError` where none was."""
        if self._sending is None:
            raise RuntimeError("no message was sent")
        self._say(self._sending.end())
        self._sending, self._asked, self.state = None, None, PopState.TRANSACTION

    def secured(self, version: str) -> None:
        """Go on behind the handshake of TLS: nothing is known of the client. RFC 2595 §4"""
        self.tls = version
        self._told = self.settings.told(tls=True, user=False)
        self._name = ""
        self.state = PopState.AUTHORIZATION

    def hang_up(self, reply: PopReply) -> None:
        """End the session for a reason of the driver's own (a timeout, a shutdown); within a message without a word, which would be part
        of it. One that is over stays so."""
        if self.state is PopState.CLOSED:
            return
        self._asked = self._listing = None
        if self._sending is None and self.state is not PopState.HANDSHAKE:
            self._refuse(reply)
        self.state = PopState.CLOSED

    # -- saying

    def _ok(self, text: str) -> None:
        self._say(f"+OK {text}\r\n".encode())

    def _say(self, data: bytes) -> None:
        self._out.append(data)
        self._owed += len(data)

    def _refuse(self, reply: PopReply) -> None:
        code = f"[{reply.code}] " if reply.code else ""
        self._say(f"-ERR {code}{reply.text}\r\n".encode("ascii", "replace"))
        if reply.last:
            self.state = PopState.CLOSED

    def _summary(self) -> str:
        count = self.drop.count
        return f"{count} message{'s' * (count != 1)} ({self.drop.size} octets)"

    def _goodbye(self, removed: int) -> None:
        self._ok(f"bye, {removed} removed" if removed else "bye")
        self.state = PopState.CLOSED

    def _begin_list(self, first: str, lines: Iterator[bytes]) -> None:
        self._ok(first)
        self._listing = lines

    def _list(self) -> bool:
        """Say more of the list; there is always more to do behind it."""
        assert self._listing is not None
        lines = None if self.deaf else next(self._listing, None)
        if lines is None:
            self._listing, lines = None, END
        self._say(lines)
        return True

    # -- reading

    def _read_line(self) -> bool:
        """Read one line if it is complete; whether it was."""
        end = self._in.find(b"\n", self._at)
        if end < 0:
            if self.waiting > LONGEST_RESPONSE:  # the rest of it is dropped as it comes; the refusal waits for its end
                self._skipping = True
                self._in, self._at = self._in[-1:], 0
            return False
        line = self._in[self._at : end + 1]
        self._at = end + 1
        if self._at == len(self._in):
            self._in, self._at = b"", 0
        too_long, self._skipping = self._skipping or len(line) > self._limit(line), False
        try:
            self._obey(line, too_long=too_long)
        except PopRefused as refused:
            self._mistake(PopReply(str(refused), refused.code, refused.last))
        return True

    def _limit(self, line: bytes) -> int:
        return LONGEST_RESPONSE if self._exchange or line[:5].upper() == b"AUTH " else LONGEST_LINE

    def _mistake(self, reply: PopReply) -> None:
        """Refuse a command, and lose patience with those who earn many refusals."""
        self._mistakes += 1
        if 0 < self.settings.max_mistakes < self._mistakes:
            reply = PopReply("too many mistakes", last=True)
        self._refuse(reply)

    def _obey(self, line: bytes, *, too_long: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange:
            self.state = PopState.AUTHORIZATION
        if too_long:
            raise PopRefused("the line is too long")
        if not line.endswith(b"\r\n"):
            raise PopRefused("a line must end in CRLF, and this one ended in LF", last=True)
        if exchange:
            self._proceed(exchange, line[:-2])
            return
        verb, rest = commands.verb_and_rest(line[:-2])
        self._check(verb)
        _COMMANDS[verb](self, rest)

    def _check(self, verb: str) -> None:
        """Whether the command may be said now. Raises `PopRefused`."""
        if verb in _FOREIGN:
            raise PopRefused("only POP3 is spoken here", last=True)
        if self.state is PopState.AUTHORIZATION:
            self._before += 1
            if 0 < self.settings.max_before < self._before:
                raise PopRefused("too many commands without a login", last=True)
        if verb not in VERBS:
            raise PopRefused("there is no such command")
        if verb not in WHEN[self.state]:
            raise PopRefused(f"{verb} is out of order: {WHY[self.state]}")
        if (needed := NEEDS.get(verb)) and needed not in self._told:
            raise PopRefused(self._why_not(verb))

    def _why_not(self, verb: str) -> str:
        if verb == "STLS":
            return "TLS is spoken already" if self.tls else "STLS is not offered"
        if not (self.tls or self.settings.clear):
            return "nobody logs in without TLS here" + (": say STLS first" if self.settings.starttls else "")
        return f"{verb} is not offered"

    # -- the commands, each given what follows its verb

    def _capa(self, rest: str) -> None:
        commands.alone("CAPA", rest)
        lines = "".join(f"{word} {more}".rstrip() + "\r\n" for word, more in self._told.items())
        self._begin_list("what can be asked for", iter([lines.encode()]))

    def _stls(self, rest: str) -> None:
        commands.alone("STLS", rest)
        self._asked = PopStartTls()

    def _take_name(self, rest: str) -> None:
        self._check_guesses()
        if not rest:
            raise PopRefused("USER is followed by a name")
        self._name = rest
        self._ok("and the password")  # whoever that is: who lives here is nobody's business

    def _pass(self, rest: str) -> None:
        name, self._name = self._name, ""
        if not name:
            raise PopRefused("USER comes first")
        self._check_guesses()
        if not rest:
            raise PopRefused("PASS is followed by a password")
        self._asked = PopLogin(Credentials("USER", name, rest))

    def _check_guesses(self) -> None:
        if 0 < self.settings.max_guesses <= self._guesses:
            raise PopRefused("too many wrong passwords", "AUTH", last=True)

    def _auth(self, rest: str) -> None:
        """RFC 5034 §4; alone it asks which mechanisms there are, as old clients do."""
        word, _, initial = rest.partition(" ")
        usable, mechanism = self.settings.usable(tls=bool(self.tls)), word.upper()
        if not rest:
            self._begin_list("the mechanisms", iter(["".join(f"{name}\r\n" for name in usable).encode()]))
            return
        if mechanism not in usable:
            raise PopRefused("this mechanism is not offered")
        self._check_guesses()
        known = self.settings.known
        exchange = AuthExchange(mechanism, known if "SCRAM-SHA-256-PLUS" in usable else known.unbound())
        if initial:
            self._proceed(exchange, b"" if initial == "=" else initial.encode())
        else:
            self._challenge(exchange)

    def _proceed(self, exchange: AuthExchange, response: bytes) -> None:
        try:
            credentials = exchange.respond(response)
        except BadResponse as bad:
            raise PopRefused("cancelled as you asked" if bad.cancelled else "the response cannot be read") from None
        if credentials is None:
            self._challenge(exchange)
        else:
            self._asked = PopLogin(credentials)

    def _challenge(self, exchange: AuthExchange) -> None:
        self._exchange, self.state = exchange, PopState.EXCHANGE
        self._say(b"+ " + exchange.challenge + b"\r\n")

    def _quit(self, rest: str) -> None:
        commands.alone("QUIT", rest)
        if self.state is PopState.TRANSACTION:
            self._asked = PopQuit(self.drop.marked)
        else:
            self._goodbye(0)

    def _stat(self, rest: str) -> None:
        commands.alone("STAT", rest)
        self._ok(f"{self.drop.count} {self.drop.size}")

    def _list_sizes(self, rest: str) -> None:
        if not rest:
            self._begin_list(self._summary(), self.drop.sizes())
            return
        place = self.drop.place(commands.number("LIST", rest))
        self._ok(f"{place + 1} {self.drop.octets[place]}")

    def _list_names(self, rest: str) -> None:
        if not rest:
            self._begin_list("the names follow", self.drop.names())
            return
        place = self.drop.place(commands.number("UIDL", rest))
        self._ok(f"{place + 1} {self.drop.name(place)}")

    def _retrieve(self, rest: str) -> None:
        place = self.drop.place(commands.number("RETR", rest))
        self._asked = PopRetrieve(place, self.drop.uids[place])

    def _top(self, rest: str) -> None:
        number, lines = commands.two_numbers("TOP", rest)
        place = self.drop.place(number)
        self._asked = PopRetrieve(place, self.drop.uids[place], lines)

    def _delete(self, rest: str) -> None:
        number = commands.number("DELE", rest)
        self.drop.mark(number)
        self._ok(f"message {number} will be removed at QUIT")

    def _noop(self, rest: str) -> None:
        commands.alone("NOOP", rest)
        self._ok("still here")

    def _reset(self, rest: str) -> None:
        commands.alone("RSET", rest)
        self.drop.unmark()
        self._ok(self._summary())


_COMMANDS: Final[dict[str, Callable[[PopServer, str], None]]] = {
    "CAPA": PopServer._capa,
    "STLS": PopServer._stls,
    "USER": PopServer._take_name,
    "PASS": PopServer._pass,
    "AUTH": PopServer._auth,
    "QUIT": PopServer._quit,
    "STAT": PopServer._stat,
    "LIST": PopServer._list_sizes,
    "UIDL": PopServer._list_names,
    "RETR": PopServer._retrieve,
    "TOP": PopServer._top,
    "DELE": PopServer._delete,
    "NOOP": PopServer._noop,
    "RSET": PopServer._reset,
}
