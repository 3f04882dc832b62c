"""The client's side of one session, from the greeting to QUIT. It neither waits nor reads a clock: a driver does.

    client = Pop3Client()
    client.feed(await stream.read())
    greeting = client.next()                 # None while more bytes have to come
    stream.write(client.send("RETR 1", most=10_000_000))

One command at a time is under way, and its answer is paired with it. Which command may come when is `WHEN`, and which has an answer of
several lines is `LINES`.

What a server can make long is bounded in octets: the first line of an answer (`LONGEST`), and all that follows it (`most`, said with the
command). A line of a message may be as long as the message: servers hand on what they were given (RFC 1939 §3 bounds only their own).
What is more, or no answer at all, raises `Pop3Violation`, and then the session is to be given up. Each octet is looked at once, however
the network cuts what comes.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

LONGEST = 4096  # octets of the first line of an answer; RFC 2449 §4 allows 512
LISTED = 4 << 20  # octets of a list, which has about twenty for each message

_END = b"\r\n.\r\n"


class Pop3Violation(Exception):
    """The server breaks the protocol, or a bound. What it said is in no text of ours."""


class Pop3State(Enum):
    """The states of a session. RFC 1939 §3"""

    GREETING = "the server has not greeted yet"
    AUTHORIZATION = "it does not know who we are"
    TRANSACTION = "the mailbox is open"
    CLOSED = "over"


class Pop3Answer(NamedTuple):
    """An answer: whether it is ``+OK``, the rest of its first line, and what follows that, up to the dot alone.

    `more` says that the server waits for a line of AUTH (``+``).
    """

    ok: bool
    text: str
    stuffed: bytes = b""
    more: bool = False

    @property
    def content(self) -> bytes:
        """What follows, without the dots that were put in for the way (RFC 1939 §3). It ends in CRLF, or is empty.

        Worked out when it is asked for: of ten megabytes that takes a moment, which a driver may spend beside its loop.
        """
        return self.stuffed[self.stuffed.startswith(b".") :].replace(b"\r\n..", b"\r\n.")


WHEN: dict[Pop3State, frozenset[str]] = {
    Pop3State.AUTHORIZATION: frozenset({"CAPA", "STLS", "USER", "PASS", "AUTH", "QUIT"}),
    Pop3State.TRANSACTION: frozenset({"CAPA", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "NOOP", "RSET", "QUIT"}),
}
"""Which command in which state. A missing cell is a bug of the driver."""

THEN: dict[str, Pop3State] = {"PASS": Pop3State.TRANSACTION, "AUTH": Pop3State.TRANSACTION, "QUIT": Pop3State.CLOSED}
"""The state after a command that was answered with ``+OK``; the others leave it as it is."""

LINES = frozenset({"CAPA", "LIST", "UIDL", "RETR", "TOP"})
"""The commands whose ``+OK`` is followed by lines up to a dot; LIST and UIDL without a number."""


class Pop3Client:
    """One session."""

    def __init__(self) -> None:
        self.state = Pop3State.GREETING
        self._in = bytearray()
        self._verb = ""
        self._lines = False
        self._most = 0
        self._more = False  # whether a line of AUTH is waited for
        self._first: tuple[str, int] | None = None  # the text of the first line, and where what follows it begins
        self._seen = 0  # how much was looked through for the end

    def send(self, line: str, most: int = LISTED) -> bytes:
        """The octets of the command `line`, whose answer may have `most` octets behind its first line.

        Raises `ValueError` for a line that would be several, and `RuntimeError` for one that is out of order.
        """
        if not line.isprintable() or len(line) > LONGEST:
            raise ValueError("a command is one line")
        verb = line.partition(" ")[0].upper()
        if self._verb or verb not in WHEN.get(self.state, ()):
            raise RuntimeError(f"{verb} is out of order: {self._verb or self.state.value}")
        self._verb, self._most = verb, most
        self._lines = verb in LINES and (verb not in ("LIST", "UIDL") or " " not in line)
        return f"{line}\r\n".encode()

    def respond(self, line: bytes) -> bytes:
        """The octets of a line within AUTH, in base64, behind an answer with `more`. Raises `RuntimeError` elsewhere."""
        if self._verb != "AUTH":
            raise RuntimeError("nobody waits for a line of AUTH")
        return line + b"\r\n"

    def feed(self, data: bytes) -> None:
        """Take octets that have come. Raises `Pop3Violation` for what nobody has asked for."""
        if not self._verb and self.state is not Pop3State.GREETING and data:
            raise Pop3Violation("the server said something without being asked")
        self._in += data

    @property
    def unread(self) -> bool:
        """Whether octets have come that belong to no answer: behind STLS these would be read as if TLS had brought them."""
        return bool(self._in)

    def secured(self) -> None:
        """Go on behind the handshake that follows STLS. Raises `Pop3Violation` where words came before it. RFC 2595 §4"""
        if self._in:
            raise Pop3Violation("the server said something where the handshake of TLS begins")

    def next(self) -> Pop3Answer | None:
        """The answer, or None where more octets have to come. Raises `Pop3Violation`."""
        if not self._verb and self.state is not Pop3State.GREETING:
            return None
        if self._first is None and not self._read_first():
            return None
        assert self._first is not None
        text, start = self._first
        if self._in[:1] == b"-" or not self._lines:
            return self._done(start, b"", text)
        if (end := self._end(start)) < 0:
            if len(self._in) - start > self._most:
                raise Pop3Violation(f"an answer to {self._verb} is longer than {self._most} octets")
            return None
        if end - start > self._most:
            raise Pop3Violation(f"an answer to {self._verb} is longer than {self._most} octets")
        with memoryview(self._in) as view:
            stuffed = bytes(view[start:end])
        return self._done(end + 3, stuffed, text)

    def _read_first(self) -> bool:
        """Read the first line, if it is whole; whether it was."""
        end = self._in.find(b"\n", 0, LONGEST + 1)
        if end < 0:
            if len(self._in) > LONGEST:
                raise Pop3Violation(f"the first line of an answer is longer than {LONGEST} octets")
            return False
        line = bytes(self._in[:end]).rstrip(b"\r")
        word = line.split(b" ", 1)[0]
        if word not in (b"+OK", b"-ERR") and not (word == b"+" and self._verb == "AUTH"):
            raise Pop3Violation("what the server says is no POP3")
        self._first = line[len(word) :].strip().decode("utf-8", "replace"), end + 1
        self._more = word == b"+"
        self._seen = end - 1 if end and self._in[end - 1 : end] == b"\r" else end
        return True

    def _end(self, start: int) -> int:
        """Where the dot is that ends the lines; -1 if it has not come."""
        if self._in.startswith(b".\r\n", start):
            return start
        found = self._in.find(_END, max(self._seen, start - 2))
        self._seen = max(self._seen, len(self._in) - len(_END) + 1)
        return found + 2 if found >= 0 else -1

    def _done(self, end: int, stuffed: bytes, text: str) -> Pop3Answer:
        ok = self._in[:1] == b"+"
        del self._in[:end]
        self._first, self._seen = None, 0
        if self._more:
            return Pop3Answer(False, text, more=True)
        if self.state is Pop3State.GREETING:
            self.state = Pop3State.AUTHORIZATION if ok else Pop3State.CLOSED
        elif ok:
            self.state = THEN.get(self._verb, self.state)
        self._verb = ""
        if self._in and self.state is not Pop3State.CLOSED:
            raise Pop3Violation("the server said more than was asked for")
        return Pop3Answer(ok, text, stuffed)
