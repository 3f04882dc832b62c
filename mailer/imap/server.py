"""The server's side of IMAP (RFC 9051, RFC 3501) as a state machine: bytes in, questions out, answers in, bytes out.

A driver feeds it what arrives, asks `next` for the question that stands open, says what is to be said and gives the `answer`, and writes
what `take` returns. Nothing here waits or decides: who may say what, and when, is the table `WHEN`, and what an answer leads to is the
table `THEN` (`states`); what exists at all is the table of capabilities. Commands that come at once are obeyed one after the other.

Laws:

1. What was said before the handshake of STARTTLS does not count after it (RFC 9051 §6.2.1): bytes that came along with the command are
   thrown away, and so is what the client said of itself.
2. The list of capabilities that a client is told is the very object by which its commands are found to exist.
3. Nobody is let in by a greeting: there is no PREAUTH.
4. What the bounds of `reader` refuse is never held, and never read as something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from mailer.sasl.exchange import AuthExchange, BadResponse, Credentials

from . import command as said
from . import questions as ask
from . import response
from .answer import Answer, BadCharset, BadCommand, RefusedCommand
from .appending import target
from .capability import ENABLED, NEEDED, ImapSettings
from .grammar import COMMANDS, opened, verb
from .lexer import Tokens
from .needs import check_needs
from .patience import ImapPatience
from .reader import MESSAGES, Announced, CommandReader, RawCommand, ReadBounds, head, unasked
from .states import THEN, WHEN, WHY, ImapState, enables_condstore

if TYPE_CHECKING:
    from .command import Command
    from .view import FolderView

__all__ = ["ImapServer", "ImapSettings", "ImapState"]

BEFORE: Final = ReadBounds(8192, 8192, 8192)  # of somebody who has not logged in
MAX_TEXT: Final = 65536
MAX_LITERALS: Final = 65536
MAX_RESPONSE: Final = 12288  # octets of a line within AUTHENTICATE, RFC 4954 §4

# What a browser says that was led to our port, or a proxy that nobody listed. To go on reading would let its page speak IMAP.
_FOREIGN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "HOST:", "USER-AGENT:", "PROXY"})
_HANDSHAKE = 0x16  # the first octet of TLS

_NOT_LET_IN = Answer("NO", "the name or the password is wrong", "AUTHENTICATIONFAILED")
_GUESSED = frozenset({"", "AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED"})  # codes of who was wrong, and not we


class ImapServer:
    """One session. A driver may read the public attributes, and sets `view` before it answers SELECT with OK, and `user` when it has let
    somebody in who has another name than he said.

    `enabled` has the words of ENABLE in capitals; CONDSTORE as well where the client has shown that it knows of it (RFC 7162 §3.1).
    `client` is what the client says of itself by ID.
    """

    __slots__ = (
        "_asked", "_exchange", "_out", "_patience", "_reader", "_size", "_tag", "_verb", "client", "discarded", "enabled", "settings",
        "state", "tls", "user", "view",
    )  # fmt: skip

    def __init__(self, settings: ImapSettings, tls: str = "") -> None:
        """`tls` is the version where TLS came first (port 993), else empty."""
        self.settings = settings
        self.tls = tls
        self.state = ImapState.CONNECTED
        self.user = ""
        self.enabled: set[str] = set()
        self.client: Mapping[str, str] = {}
        self.view: FolderView | None = None
        self.discarded = 0  # octets that came before a handshake, see law 1
        self._reader = CommandReader()
        self._out: list[bytes] = []
        self._asked: ask.ImapQuestion | None = None
        self._exchange: AuthExchange | None = None
        self._tag = ""  # of the command that is being obeyed
        self._verb = ""
        self._size = 0  # of the message that is announced
        self._patience = ImapPatience(settings)

    # -- what a driver calls

    def feed(self, data: bytes) -> None:
        """Take bytes that have arrived."""
        if self.state is ImapState.HANDSHAKE:
            self.discarded += len(data)
        elif self.state is not ImapState.CLOSED:
            self._reader.feed(data)

    @property
    def waiting(self) -> int:
        """How many octets have arrived and are not read: what a driver limits while it thinks about an answer."""
        return self._reader.waiting

    @property
    def begun(self) -> bool:
        """Whether a command has begun and is not whole."""
        return self._reader.begun

    @property
    def arriving(self) -> int:
        """How many octets have come of the literals of the command that is under way."""
        return self._reader.arriving

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the client is told that there is now, and is obeyed by."""
        return self.settings.told(tls=bool(self.tls), user=bool(self.user))

    @property
    def utf8(self) -> bool:
        """Whether names and quoted strings are in UTF-8. RFC 6855 §3, RFC 9051 §5.1"""
        return not self.enabled.isdisjoint({"UTF8=ACCEPT", "IMAP4REV2"})

    @property
    def rev2(self) -> bool:
        """Whether IMAP4rev2 is spoken, without what it has dropped: RECENT, the old answer to SEARCH. RFC 9051 §6.3.1"""
        return "IMAP4REV2" in self.enabled

    @property
    def tag(self) -> str:
        """The tag of the command that stands open, which ESEARCH repeats. RFC 9051 §7.3.4"""
        return self._tag

    @property
    def by_uid(self) -> bool:
        """Whether the command that stands open is by UID, so that every FETCH has one. RFC 9051 §6.4.9"""
        return self._verb.startswith("UID ")

    @property
    def condstore(self) -> bool:
        """Whether flags are told with their MODSEQ. RFC 7162 §3.1"""
        return "CONDSTORE" in self.enabled

    @property
    def qresync(self) -> bool:
        """Whether VANISHED is told for EXPUNGE. RFC 7162 §3.2.3"""
        return "QRESYNC" in self.enabled

    def next(self) -> ask.ImapQuestion | None:
        """The question that stands open, or None where more bytes must come first."""
        if self.state is ImapState.CONNECTED and not self._asked:
            self._asked = ask.ImapGreeting()
        while not self._asked and self.state not in (ImapState.CONNECTED, ImapState.HANDSHAKE, ImapState.CLOSED):
            if not _READ.get(self.state, ImapServer._read_command)(self):
                break
        return self._asked

    def answer(self, answer: Answer | None = None) -> None:
        """Answer the open question; None gives the usual answer. Raises `RuntimeError` if none is open."""
        question, self._asked = self._asked, None
        if question is None:
            raise RuntimeError("no question stands open")
        _ANSWERED[type(question)](self, question, answer)

    def say(self, line: bytes) -> None:
        """Say an untagged line, given without ``* `` and CRLF."""
        self._out.append(b"* %b\r\n" % line)

    def say_raw(self, octets: bytes) -> None:
        """Say octets as they are: a part of an untagged answer that is made in several."""
        self._out.append(octets)

    def take(self) -> bytes:
        """The bytes that are to be written now; they are handed out once."""
        out, self._out = b"".join(self._out), []
        return out

    def secured(self, version: str) -> None:
        """Go on behind the handshake of TLS: the client is a stranger again. RFC 9051 §6.2.1"""
        self.tls = version
        self.state = ImapState.STRANGER

    def hang_up(self, text: str, code: str = "") -> None:
        """End the session for a reason of the driver's own (a timeout, a shutdown), whatever stands open."""
        self._asked = self._exchange = None
        if self.state is not ImapState.CLOSED:
            self._bye(text, code)

    def deselect(self) -> None:
        """No folder is selected any more: it is gone. The client is told (RFC 9051 §7.1, CLOSED)."""
        if self.view is not None:
            self.view = None
            self.say(response.closed())
        if self.state is ImapState.SELECTED:
            self.state = ImapState.AUTHENTICATED

    # -- what is said

    def _end(self, answer: Answer) -> None:
        """End the command with its tagged line."""
        self._out.append(response.tagged(self._tag, answer) + b"\r\n")

    def _bye(self, text: str, code: str = "") -> None:
        self.say(response.status("BYE", text, code))
        self._close()

    def _close(self) -> None:
        self.state = ImapState.CLOSED
        self.view = None
        self._reader.forget()

    def _mistake(self, answer: Answer) -> None:
        """Refuse a command, and lose patience with those who earn that often."""
        self._end(answer)
        if over := self._patience.mistake():
            self._bye(over)

    def _greet(self, _: ask.ImapGreeting, answer: Answer | None) -> None:
        answer = answer or Answer("OK", f"{self.settings.name} is ready")
        if answer.kind != "OK":
            self._bye(answer.text, answer.code)
            return
        self.say(response.status("OK", answer.text, self._told()))
        self.state = ImapState.STRANGER

    def _told(self) -> str:
        return response.capability(self.capabilities).decode("ascii")

    # -- reading

    def _bounds(self) -> ReadBounds:
        return ReadBounds(MAX_TEXT, MAX_LITERALS, max(MAX_LITERALS, self.settings.max_size)) if self.user else BEFORE

    def _read_command(self) -> bool:
        """Read a command, or as much of one as has to be answered; whether there was so much."""
        if not self.user and self._reader.begins() == _HANDSHAKE:
            self._bye("TLS is not what is spoken here at first")
            return True
        found = self._reader.read(self._bounds())
        if found is None:
            return False
        self._tag = found.tag
        try:
            self._asked = self._announced(found) if isinstance(found, Announced) else self._obeyed(found)
        except BadCommand as bad:
            if isinstance(bad, BadCharset) and bad.saves and self.view is not None:
                self.view.saved = ()  # RFC 9051 §6.4.4.1: NO to a search that was to be saved
            if isinstance(found, Announced):
                self._reader.refuse(bad.answer)
            self._mistake(bad.answer)
        return True

    def _announced(self, found: Announced) -> ask.ImapQuestion | None:
        """A literal is announced: a command that cannot be obeyed is refused before it comes."""
        first, *more = found.parts
        tokens = Tokens((first[len(found.tag) :], *more, b"", b""), utf8=self.utf8)
        name, uid = verb(tokens)
        self._check(name, uid=uid)
        if name == "LOGIN":
            self._check_privacy()
        if name in MESSAGES and (folder := target(tokens, name)) is not None:
            self._size = found.size
            return ask.ImapAnnounced(found.tag, folder, found.octets, name == "REPLACE")
        if found.octets > MAX_LITERALS:
            raise BadCommand("a literal is too large")
        self._go_on(found.size)
        return None

    def _go_on(self, size: int) -> None:
        self._out.append(b"+ OK\r\n")
        self._reader.accept(size)

    def _welcome(self, _: ask.ImapAnnounced, answer: Answer | None) -> None:
        """Whether the message may come."""
        if answer is None or answer.kind == "OK":
            self._go_on(self._size)
        else:
            self._reader.refuse(answer)
            self._end(answer)

    def _obeyed(self, raw: RawCommand) -> ask.ImapQuestion | None:
        """The question that a command is, or None where it is answered."""
        if raw.tag.upper() in _FOREIGN and head(raw.parts[0])[1] not in COMMANDS:
            self._bye("only IMAP is spoken here")
            return None
        if raw.refusal is not None:
            self._refused(raw.refusal, last=raw.last)
            return None
        if not self.user and (over := self._patience.idle()):
            self._bye(over)
            return None
        if raw.tag == "*":
            raise BadCommand("a command begins with a tag, and a space")
        tokens = opened(raw, utf8=self.utf8, charset="UTF8=ACCEPT" not in self.enabled)
        name, uid = verb(tokens)
        self._check(name, uid=uid)
        self._verb = f"UID {name}" if uid else name
        command = COMMANDS[name](tokens, uid)
        check_needs(command, self.capabilities, self.enabled)
        return _OBEYED.get(type(command), ImapServer._ask)(self, command)

    def _refused(self, answer: Answer, *, last: bool) -> None:
        """Refuse what cannot be read; where nobody knows what follows it, the session ends."""
        if last:
            self._end(answer)
            self._bye(answer.text, answer.code)
        else:
            self._mistake(answer)

    def _check(self, name: str, *, uid: bool) -> None:
        """Whether there is such a command, and now. Raises `BadCommand`."""
        needed = NEEDED.get(f"UID {name}" if uid else name) or NEEDED.get(name)
        if name not in COMMANDS or (needed and needed not in self.capabilities):
            raise BadCommand(f"there is no command {name[:30]}")
        if name not in WHEN[self.state]:
            raise BadCommand(f"{name} is out of order: {WHY[self.state]}")

    def _check_privacy(self) -> None:
        if "LOGINDISABLED" in self.capabilities:
            raise RefusedCommand("passwords are sent within TLS", "PRIVACYREQUIRED")  # RFC 5530 §3

    def _read_done(self) -> bool:
        """Within IDLE, a line ends it; another than DONE with BAD. RFC 9051 §6.3.13"""
        line = self._reader.line(MAX_RESPONSE)
        if line is None:
            return False
        if line.text.upper() == b"DONE" and line.refusal is None:
            self._asked = ask.ImapDone(self._tag)
            return True
        self._awake()
        self._refused(line.refusal or Answer("BAD", "DONE is what ends IDLE"), last=line.last or unasked(line.text))
        return True

    def _awake(self) -> None:
        self.state = ImapState.AUTHENTICATED if self.view is None else ImapState.SELECTED

    def _done(self, _: ask.ImapDone, answer: Answer | None) -> None:
        self._awake()
        self._end(answer or Answer("OK", "IDLE completed"))

    # -- who somebody is

    def _login(self, command: said.LogIn) -> ask.ImapQuestion:
        self._check_privacy()
        return ask.ImapAuth(self._tag, Credentials("LOGIN", command.username, command.password))

    def _authenticate(self, command: said.Authenticate) -> ask.ImapQuestion | None:
        usable = self.settings.usable(bool(self.tls))
        if command.mechanism not in usable:
            self._check_privacy()
            raise RefusedCommand("this mechanism is not offered")
        known = self.settings.known
        exchange = AuthExchange(command.mechanism, known if "SCRAM-SHA-256-PLUS" in usable else known.unbound())
        if command.initial is not None:
            if exchange.challenge and command.mechanism != "LOGIN":  # RFC 9051 §6.2.2; clients say the name for LOGIN, in no standard
                raise BadCommand("this mechanism begins with a question of the server")
            return self._proceed(exchange, command.initial)
        self._challenge(exchange)
        return None

    def _challenge(self, exchange: AuthExchange) -> None:
        self._exchange, self.state = exchange, ImapState.EXCHANGE
        self._out.append(b"+ %b\r\n" % exchange.challenge)

    def _proceed(self, exchange: AuthExchange, response: bytes) -> ask.ImapQuestion | None:
        try:
            credentials = exchange.respond(response)
        except BadResponse as bad:
            raise BadCommand(str(bad)) from None
        if credentials is None:
            self._challenge(exchange)
            return None
        return ask.ImapAuth(self._tag, credentials)

    def _read_response(self) -> bool:
        line = self._reader.line(MAX_RESPONSE)
        if line is None:
            return False
        exchange, self._exchange, self.state = self._exchange, None, ImapState.STRANGER
        assert exchange is not None
        try:
            if line.refusal is None:
                self._asked = self._proceed(exchange, line.text)
            else:
                self._refused(line.refusal, last=line.last or unasked(line.text))
        except BadCommand as bad:
            self._refused(bad.answer, last=unasked(line.text))
        return True

    def _let_in(self, question: ask.ImapAuth, answer: Answer | None) -> None:
        answer = answer or _NOT_LET_IN
        if answer.kind == "OK":
            self.user = self.user or question.credentials.username
            self.state = ImapState.AUTHENTICATED
            self._patience.progress()
            self._end(answer if answer.code else answer._replace(code=self._told()))
            return
        self.state = ImapState.STRANGER
        self._end(answer)
        if answer.code in _GUESSED and (over := self._patience.guessed()):
            self._bye(over)

    def _start_tls(self, _: said.BeginTls) -> ask.ImapQuestion:
        return ask.ImapStartTls(self._tag)

    def _shake_hands(self, _: ask.ImapStartTls, answer: Answer | None) -> None:
        """Law 1."""
        answer = answer or Answer("OK", "begin")
        self._end(answer)
        if answer.kind == "OK":
            self.discarded = self._reader.forget()
            self.client, self.enabled = {}, set()
            self.state = ImapState.HANDSHAKE

    # -- what the machine answers itself

    def _capability(self, _: said.Capability) -> None:
        self.say(response.capability(self.capabilities))
        self._end(Answer("OK", "CAPABILITY completed"))

    def _noop(self, command: said.NoOperation) -> ask.ImapQuestion | None:
        if self.user:
            return self._ask(command)
        self._end(Answer("OK", "NOOP completed"))
        return None

    def _logout(self, _: said.Logout) -> None:
        self.say(response.status("BYE", "until next time"))
        self._end(Answer("OK", "LOGOUT completed"))
        self._close()

    def _namespace(self, _: said.Namespace) -> None:
        self.say(response.namespace())
        self._end(Answer("OK", "NAMESPACE completed"))

    def _enable(self, command: said.Enable) -> None:
        told = {word.upper() for word in self.capabilities}
        found = [name for name in dict.fromkeys(command.names) if name in ENABLED and name in told]
        self._know_modseq(command)
        self.enabled.update(found)
        if self.rev2 and self.view is not None:
            self.view.recent.clear()  # RFC 9051 appendix E: nothing is
        self.say(response.enabled([ENABLED[name] for name in found]))
        self._end(Answer("OK", "ENABLE completed"))

    def _know_modseq(self, command: Command) -> None:
        """From the first command that has to do with MODSEQ on, the client hears them, and that of its folder at once. RFC 7162 §3.1"""
        if "CONDSTORE" in self.enabled or "CONDSTORE" not in self.capabilities or not enables_condstore(command):
            return
        self.enabled.add("CONDSTORE")
        if self.view is not None and not isinstance(command, said.Select):
            self.say(response.code("HIGHESTMODSEQ", self.view.modseq))

    # -- what others answer

    def _ask(self, command: Command) -> ask.ImapQuestion:
        self._know_modseq(command)
        return ask.ImapAsked(self._tag, command)

    def _select(self, command: said.Select) -> ask.ImapQuestion:
        """Whatever becomes of it, what was selected is not selected any more. RFC 9051 §6.3.2"""
        self.deselect()
        return self._ask(command)

    def _settle(self, question: ask.ImapAsked, answer: Answer | None) -> None:
        command = question.command
        answer = answer or Answer("OK", f"{self._verb} completed")
        if answer.kind == "OK":
            self._patience.progress() if self.user else None
            if isinstance(command, said.Idle):
                self.state = ImapState.IDLE
                self._out.append(b"+ idling\r\n")
                return
            answer = self._told_besides(command, answer)
        self.state = THEN.get((type(command), answer.kind), self.state)
        if self.state is ImapState.AUTHENTICATED:
            self.view = None
        self._end(answer)

    def _told_besides(self, command: Command, answer: Answer) -> Answer:
        if isinstance(command, said.Identify):
            self.client = command.fields
            self.say(response.identity(self.settings.identity))
        if isinstance(command, said.Select) and not answer.code:
            return answer._replace(code="READ-ONLY" if command.readonly else "READ-WRITE")  # RFC 9051 §6.3.2
        return answer


_READ: dict[ImapState, Callable[[ImapServer], bool]] = {
    ImapState.EXCHANGE: ImapServer._read_response,
    ImapState.IDLE: ImapServer._read_done,
}
"""How what arrives is read, where it is no command."""

_OBEYED: dict[type, Callable[[ImapServer, Any], ask.ImapQuestion | None]] = {
    said.Capability: ImapServer._capability,
    said.NoOperation: ImapServer._noop,
    said.Logout: ImapServer._logout,
    said.Namespace: ImapServer._namespace,
    said.Enable: ImapServer._enable,
    said.LogIn: ImapServer._login,
    said.Authenticate: ImapServer._authenticate,
    said.BeginTls: ImapServer._start_tls,
    said.Select: ImapServer._select,
}
"""Commands that are not asked about as they are."""

_ANSWERED: dict[type, Callable[[ImapServer, Any, Answer | None], None]] = {
    ask.ImapGreeting: ImapServer._greet,
    ask.ImapAuth: ImapServer._let_in,
    ask.ImapStartTls: ImapServer._shake_hands,
    ask.ImapAnnounced: ImapServer._welcome,
    ask.ImapDone: ImapServer._done,
    ask.ImapAsked: ImapServer._settle,
}
"""What an answer leads to."""
