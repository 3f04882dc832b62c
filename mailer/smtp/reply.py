"""Replies: three digits, perhaps an enhanced code, and text (RFC 5321 §4.2, RFC 2034, RFC 3463).

`Reply` is used by everybody who says what happened to mail. `ReplyReader` is the client's ear: it takes
bytes in pieces of any size and gives replies. Strict where a mistake would put replies and commands out
of step (three digits, a separator, one code for all lines of a reply), lenient where nobody can be misled
(a bare LF ends a line, text may be missing, characters that cannot be shown become blanks or ``?``).

What is kept is bounded, not what is read: of a reply that is longer than anybody needs the beginning is kept, the rest is passed over,
and its code counts as that of any other (RFC 5321 §4.2.1). So a long farewell to a message that was taken does not make us send it
again. One that does not end at all is broken off, see `MAX_OCTETS`; its code counts too, for all its lines have the same.

What goes wrong in a session is an exception that stands here too: the other side broke the protocol, we said something impossible, or
we give up. A refused message or recipient is no exception but an answer (`mailer.smtp.transaction`).

No server should repeat what was said in AUTH, and some do: ``501 syntax error: AUTH PLAIN AGJvYgBzM2NyZXQ=``, or an hour later in
the answer to a RCPT, or in base 64 over two lines; and replies end up in logs, in records, in reports and in errors. A `Veil` hangs before
the ears of a session from its AUTH to its end, so that nothing of the secret is in any text that is kept. It knows the secret by its
value, in every form that it is sent in, and looks whatever blanks, line ends and capitals stand between.
"""

from __future__ import annotations

import json
import re
import unicodedata
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.outcome import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.mail.outcome import Phase


MAX_LINE = 4096  # octets of a line that are kept; RFC 5321 §4.5.3.1.5 allows 512, and servers exceed it
MAX_LINES = 128  # of one reply that are kept
MAX_REPLY = 8192  # octets of one reply that are kept, and each recipient has one
BRIEF = 1000  # characters of a reply that go into logs, records and reports
MAX_OCTETS = 1 << 20  # of one reply that are read; then the session is over

HIDDEN = "***"
SHORTEST = 4  # characters; a shorter secret is found everywhere
KEPT = 16  # replies that were looked through

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")  # RFC 3463 §2
_WORD = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")
_QUEUE_IDS = (
    re.compile(r"\bqueued as ([\w.:-]{4,64})", re.IGNORECASE),  # Postfix, Haraka, mailer
    re.compile(r"\bid=([\w.-]{4,64})"),  # Exim
    re.compile(r"\b(?:ok|accepted|queued),?:? +(?:id )?<?([\w.-]*\d[\w.-]{5,63})>?(?: |$)", re.IGNORECASE),  # SES, Gmail, others
)


class Reply(NamedTuple):
    """A reply: `code` 200 to 559; `enhanced` like ``5.1.1`` (RFC 3463) or empty; `lines` are the texts, without either code."""

    code: int
    enhanced: str
    lines: tuple[str, ...]
    cause: Cause | None = None  # why we wrote it ourselves; None in what came over the wire

    @classmethod
    def own(cls, code: int, enhanced: str, text: str, cause: Cause | None = None) -> Reply:
        """A reply that we write ourselves; `cause` where it stands for the one that no host gave."""
        return cls(code, enhanced, (text,), cause)

    @property
    def text(self) -> str:
        """The text, all lines as one."""
        return " ".join(self.lines)

    @property
    def brief(self) -> str:
        """The text, as much of it as is worth keeping."""
        text = " ".join(self.lines)
        return text if len(text) <= BRIEF else text[: BRIEF - 1] + "…"

    @property
    def positive(self) -> bool:
        """Whether it is accepted (2xx), or accepted so far (3xx). RFC 5321 §4.2.1"""
        return self.code < 400

    @property
    def transient(self) -> bool:
        """Whether it is refused for now (4xx)."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """Whether it is refused for good (5xx)."""
        return self.code >= 500

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


TroubleKind = Literal["refused", "tls", "no_tls", "auth", "timeout", "stalled", "lost", "protocol", "unasked", "short", "ours", "loop"]
"""What keeps a session from carrying mail.

`refused`: the host did, or the network before it. `tls`: the handshake or STARTTLS failed; `no_tls`: it is not offered. `auth`: no login.
`timeout`: the answer did not come in time; `stalled`: the message was not taken in time. `lost`: the connection broke. `protocol`: what
came is no reply; `unasked`: it is one to nothing that was said. `short`: this machine has run out of something; `ours`: a file or a
setting of ours cannot be used; `loop`: the host is this one.
"""

AnswerKind = Literal["reply", "again", "local"] | TroubleKind
"""`reply`: the server's words. `again`: its words, too, but try at once in another transaction. `local`: we refuse."""


class ProtocolError(Exception):
    """The peer sent what nobody may send at this point; the session is over. `str()` says what.

    `unasked` where that is a reply, but one to nothing that was said.
    """

    def __init__(self, text: str, *, unasked: bool = False) -> None:
        super().__init__(text)
        self.unasked = unasked


class CommandError(ValueError):
    """An argument that no command can carry (a control character, a bracket); not a byte was written."""


class SessionRefused(Exception):
    """The session will carry no mail.

    `kind` is refused, tls, no_tls or auth; `phase` the step where it happened (greeting, ehlo, starttls, auth);
    `reply` the server's words, or ours where we are the one who refuses.
    """

    def __init__(self, kind: TroubleKind, phase: Phase, reply: Reply) -> None:
        super().__init__(f"{phase}: {reply}")
        self.kind = kind
        self.phase = phase
        self.reply = reply


class ReplyReader:
    """A reader that cuts what arrives into replies. RFC 5321 §4.2"""

    __slots__ = ("_code", "_data", "_full", "_kept", "_lines", "_passed", "_size", "error")

    def __init__(self) -> None:
        self._data = b""  # the beginning of a line
        self._passed = 0  # octets behind that, of a line that is too long to be kept
        self._code = b""  # of the reply that `_lines` begin
        self._lines: list[str] = []
        self._kept = 0  # octets of `_lines`
        self._full = False  # whether no further line of this reply is kept
        self._size = 0  # octets of whole lines of this reply
        self.error: ProtocolError | None = None
        """What `feed` holds back."""

    @property
    def partial(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._data or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes.

        Raises `ProtocolError` for what is no reply. Replies before it are returned first; the error is
        then raised by the next call, so that it makes no difference in what pieces the bytes came.
        """
        if self.error is not None:
            raise self.error
        replies: list[Reply] = []
        try:
            self._read(data, replies)
        except ProtocolError as error:
            self.error = error
            if not replies:
                raise
        return replies

    def check(self) -> None:
        """Raise the error that `feed` holds back, if there is one."""
        if self.error is not None:
            raise self.error

    def break_off(self) -> Reply | None:
        """The reply that has begun and will not end, if a whole line of it has come, or as much of one as is kept: its code is known."""
        if not self._lines and not self._passed:
            return None
        lines = self._lines or [_text(self._data)]
        code = self._code if self._lines else _code(self._data)
        self._data, self._lines, self._passed = b"", [], 0
        return _reply(code, lines)

    def _read(self, data: bytes, replies: list[Reply]) -> None:
        start = 0
        if self._passed:
            start = self._pass(data, replies)
        elif self._data:
            data = self._data + data
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            start = end + 1
            if not self._lines and line[3:4] != b"-" and len(line) <= MAX_LINE:  # nearly every reply is one line
                replies.append(_single(line))
            else:
                self._add(line[:MAX_LINE], len(line), replies)
                if self._full:
                    start = self._skip(data, start)
        if self._passed:
            return
        if start == len(data) and not self._lines:  # nearly always
            self._data = b""
        else:
            self._begin(data[start : start + MAX_LINE], len(data) - start, replies)

    def _begin(self, line: bytes, length: int, replies: list[Reply]) -> None:
        """What has come of a line."""
        self._check(line, length, replies)
        self._data, self._passed = line, length - len(line)

    def _pass(self, data: bytes, replies: list[Reply]) -> int:
        """Pass over the rest of a line of which enough is kept; where the next one begins."""
        end = data.find(b"\n")
        line, length = self._data, MAX_LINE + self._passed + (len(data) if end < 0 else end)
        if end < 0:
            self._begin(line, length, replies)
            return len(data)
        self._data, self._passed = b"", 0
        self._add(line, length, replies)
        return end + 1

    def _skip(self, data: bytes, start: int) -> int:
        """Pass over whole lines that go on with a reply of which enough is kept, all at once; where the next other one begins."""
        found = _going_on(self._code).match(data, start, start + MAX_OCTETS - self._size)
        if found is None:
            return start
        self._size += found.end() - start
        return found.end()

    def _add(self, line: bytes, length: int, replies: list[Reply]) -> None:
        """One line, which had `length` octets, of a reply that has several, or one that is long."""
        self._check(line, length, replies)
        code = _code(line)
        if self._lines and code != self._code:  # RFC 5321 §4.2.1
            raise ProtocolError(f"a reply begins with {self._code.decode()} and goes on with {code.decode()}")
        self._code = code
        self._full = bool(self._lines) and (self._full or len(self._lines) >= MAX_LINES or self._kept + len(line) > MAX_REPLY)
        if not self._full:
            self._lines.append(_text(line))
            self._kept += len(line)
        self._size += length + 1
        if line[3:4] != b"-":
            replies.append(_reply(code, self._lines))
            self._lines, self._full = [], False
            self._kept = self._size = 0

    def _check(self, line: bytes, length: int, replies: list[Reply]) -> None:
        """A line that is too long begins as one has to; a reply that has become endless counts, and nothing behind it does."""
        endless = self._size + min(length, MAX_LINE) > MAX_OCTETS
        if length > MAX_LINE and not endless:
            _code(line)
            endless = self._size + length > MAX_OCTETS
        if endless:
            self._data, self._passed = line, length - len(line)
            replies += filter(None, [self.break_off()])
            raise ProtocolError(f"a reply has more than {MAX_OCTETS} octets")


@lru_cache(64)
def _going_on(code: bytes) -> re.Pattern[bytes]:
    """Lines with `code` after which another follows; nothing in it is tried twice."""
    return re.compile(rb"(?:%b-[^\n]{0,%d}+\n)++" % (code, MAX_LINE - 4))


@lru_cache(512)  # a server says "250 2.1.5 Ok" all day long
def _single(line: bytes) -> Reply:
    return _reply(_code(line), [_text(line)])


def _code(line: bytes) -> bytes:
    """The code that a line begins with."""
    line = line.removesuffix(b"\r")
    code = line[:3]
    if len(code) != 3 or not code.isdigit() or code[0] not in b"2345" or line[3:4] not in (b" ", b"-", b""):
        raise ProtocolError(f"this is no reply: {_readable(line[:60])!r}")
    return code


def _text(line: bytes) -> str:
    """What stands behind the code."""
    return _readable(line[4:].removesuffix(b"\r"))


def _readable(raw: bytes) -> str:
    """Text of one line that nothing in it can break, RFC 6531 §3.7.4.1 lets it be UTF-8."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _reply(code: bytes, lines: list[str]) -> Reply:
    """RFC 2034 §4: the enhanced code stands on every line, and its class is the first digit of the code."""
    found = _ENHANCED.match(lines[0])
    if found is None or found[1][0] != chr(code[0]):
        return Reply(int(code), "", tuple(lines))
    enhanced = found[1]
    return Reply(
        int(code), enhanced, tuple(line.removeprefix(enhanced).lstrip(" ") if line.startswith(enhanced) else line for line in lines)
    )


def queue_id(text: str) -> str:
    """The next hop's own name for a message, read from the text of its last reply; ``""`` if it names none.

    Nothing standardises it, but nearly everybody says it, and it is what one asks the other side's
    postmaster about: ``250 2.0.0 Ok: queued as 4XyZ1``, ``250 OK id=1tXyZ-0001``.
    """
    for pattern in _QUEUE_IDS:
        if match := pattern.search(text):
            return match[1].rstrip(".")
    return ""


class Veil:
    """A veil that hides `secret`, and what is added; nothing if it is empty or hardly a secret: then there are no `forms` of it."""

    __slots__ = ("_harmless", "_secret", "forms")

    def __init__(self, secret: str = "") -> None:
        self._secret = secret.encode(errors="surrogatepass")
        self.forms: set[str] = set()
        self._harmless: set[Reply] = set()  # a server says "250 2.1.5 Ok" all day long
        for form in _forms(secret) if len(secret) >= SHORTEST else ():
            self._hide(form)

    def add(self, line: bytes) -> None:
        """Hide what was said in AUTH, too: the last word of a line. RFC 4954 §4"""
        words = line.split()
        if len(words) != 2 or words[0] != b"AUTH":  # ``AUTH PLAIN`` alone is no secret
            self._hide(words[-1].rstrip(b"=").decode("latin-1") if words else "")

    def reply(self, reply: Reply) -> Reply:
        """`reply` without any of it. Where it goes over several lines, none of them is left."""
        if reply in self._harmless:
            return reply
        if not self._shows("".join(reply.lines)):
            if len(self._harmless) >= KEPT:
                self._harmless.clear()
            self._harmless.add(reply)
            return reply
        lines = tuple(map(self.text, reply.lines))
        return reply._replace(lines=(HIDDEN,) if self._shows("".join(lines)) else lines)

    def text(self, text: str) -> str:
        """`text`, one line of a reply, without any of the secret."""
        if not self._shows(text):
            return text
        text = _WORD.sub(self._word, text)
        for start, end in reversed(self._places(text)):
            text = text[:start] + HIDDEN + text[end:]
        return HIDDEN if self._shows(text) else text

    def _places(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` a form stands: from and to, in order, none within another."""
        bare = _bare(text)
        origin = [at for at, character in enumerate(text) if not character.isspace() for _ in character.casefold()]
        places: list[tuple[int, int]] = []
        for start, end in sorted((origin[at], origin[at + len(form) - 1] + 1) for form in self.forms for at in _each(form, bare)):
            if places and start < places[-1][1]:
                places[-1] = places[-1][0], max(end, places[-1][1])
            else:
                places.append((start, end))
        return places

    def _hide(self, form: str) -> None:
        form = _bare(form)
        if len(form) >= SHORTEST:
            self.forms.add(form)
            self._harmless.clear()

    def _shows(self, text: str) -> bool:
        bare = _bare(text)
        return any(form in bare for form in self.forms)

    def _word(self, found: re.Match[str]) -> str:
        return HIDDEN if self._secret in _decoded(found[0]) else found[0]


OPEN = Veil()
"""Before AUTH, and where there is none."""


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()


def _each(form: str, bare: str) -> Iterator[int]:
    """Where `form` stands in `bare`."""
    at = bare.find(form)
    while at >= 0:
        yield at
        at = bare.find(form, at + 1)


def _forms(secret: str) -> Iterator[str]:
    """As it is, as SCRAM has it (RFC 4013), as URLs and JSON have it, in hexadecimal, and in base 64 wherever in a message it stands."""
    octets = secret.encode(errors="surrogatepass")
    yield secret
    yield unicodedata.normalize("NFKC", secret)
    yield "".join(chr(octet) if chr(octet).isalnum() and octet < 128 else f"%{octet:02x}" for octet in octets)
    yield json.dumps(secret)[1:-1]
    yield octets.hex()
    for before in range(3):
        whole = b2a_base64(bytes(before) + octets, newline=False).decode()
        own = whole[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6]  # the characters that no neighbour has a part in
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _decoded(word: str) -> bytes:
    """What `word` says in base 64; a word that is none says nothing. Padding may be missing."""
    bare = word.rstrip("=")
    try:
        return a2b_base64(bare + "=" * (-len(bare) % 4))
    except Base64Error:
        return b""
