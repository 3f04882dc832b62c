"""Octets become commands: lines, and the literals in them, RFC 9051 §4.3, RFC 7888.

A machine feeds what arrives and reads: `RawCommand`, `Announced` where the client waits to hear whether it may send a literal, or nothing
yet. Laws:

1. What a bound refuses is not held. The octets of a literal that was refused, and that come all the same (``{n+}``), are thrown away as
   they come, and are never read as commands; where there are too many, the session ends.
2. Only CR LF ends a line. A bare CR, a bare LF or a NUL in a command has it refused as a whole; that a line ends in LF alone does not
   change where it ends.
3. A synchronising literal that is refused never comes, so that the refusal ends the command.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .answer import Answer

MAX_NONSYNC: Final = 4096  # octets of a literal that is sent unasked, RFC 7888 §5 (LITERAL-)
MAX_DISCARDED: Final = 131072  # octets of one command that are thrown away, twice what is read; then whoever sends them is hung up on
_KEPT = 1024  # octets of a line too long that are kept for its tag and its end

_ANNOUNCED = re.compile(rb"(~?)\{([0-9]{1,20})(\+?)\}\Z")
_LONGEST_ANNOUNCED = 25
_HEAD = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]\^_`a-z|}~]{1,255}) (?:UID )?([A-Za-z0-9]{1,32})(?= |\Z)", re.IGNORECASE)
_TAG = re.compile(rb"([!#$&',\-./0-9:;<=>?@A-Z\[\]\^_`a-z|}~]{1,255})(?= |\Z)")

_LONG = Answer("BAD", "the line is too long")
_CRLF = Answer("BAD", "a line ends in CR LF, and has neither of them in it, and no NUL")
_MUCH = Answer("BAD", "a literal is too large")
_TOO_BIG = Answer("NO", "the message is too large", "TOOBIG")
_UNASKED = Answer("BAD", f"a literal of more than {MAX_NONSYNC} octets is sent when it was asked for", "TOOBIG")  # RFC 7888 §5

MESSAGES = frozenset({"APPEND", "REPLACE"})
"""Commands whose literals are messages."""


class ReadBounds(NamedTuple):
    """Octets: of the text of a command, of all its literals, and of all its literals where they are messages."""

    text: int
    literals: int
    messages: int


class RawCommand(NamedTuple):
    """A command, whole. `parts` are as `mailer.imap.lexer` wants them, beginning with the tag. `refusal`: it is answered so, whatever it
    is. `last`: what follows cannot be read, and the session ends."""

    tag: str
    parts: tuple[bytes, ...]
    binary: frozenset[int]
    refusal: Answer | None = None
    last: bool = False


class RawLine(NamedTuple):
    """A line that is no command, without its end. `refusal` says what is wrong with it; `last`: what follows cannot be read."""

    text: bytes
    refusal: Answer | None = None
    last: bool = False


class Announced(NamedTuple):
    """The client waits until it hears whether it may send a literal of `size` octets; `parts` came before it. With it, the literals of the
    command have `octets`."""

    tag: str
    parts: tuple[bytes, ...]
    size: int
    octets: int


class CommandReader:
    """What has arrived of a session."""

    __slots__ = ("_binary", "_discarded", "_in", "_left", "_literal", "_octets", "_parts", "_refusal", "_scanned", "_skipping", "_text")

    def __init__(self) -> None:
        self._in = bytearray()
        self._begin()

    def _begin(self) -> None:
        """Nothing of a command has been read."""
        self._scanned = 0  # octets of `_in` without a line end
        self._parts: list[bytes] = []
        self._binary: tuple[int, ...] = ()
        self._text = self._octets = self._discarded = 0  # octets of text, of literals, and that were thrown away
        self._literal: bytearray | None = None  # that is arriving
        self._left = 0  # octets that are to come, of it or to be thrown away
        self._refusal: Answer | None = None
        self._skipping = False  # within a line that is too long

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._in += data

    def forget(self) -> int:
        """Throw away what has arrived; how many octets that were."""
        count = len(self._in)
        self._in = bytearray()
        self._begin()
        return count

    @property
    def waiting(self) -> int:
        """How many octets have arrived and are not read."""
        return len(self._in)

    @property
    def begun(self) -> bool:
        """Whether a command has begun and is not whole: more of it is to come, or to be thrown away."""
        return bool(self._in or self._parts or self._left or self._skipping)

    @property
    def arriving(self) -> int:
        """How many octets of literals there are of the command that is under way."""
        return self._octets - (self._left if self._literal is not None else 0)

    def begins(self) -> int:
        """The first octet of the next command, -1 where none has come."""
        return self._in[0] if self._in and not self._parts else -1

    def read(self, bounds: ReadBounds) -> RawCommand | Announced | None:
        """The next command if it is complete, or what is to be answered before it can be."""
        while True:
            if self._left and not self._fill():
                return None
            line = self._line(bounds.text - self._text)
            if line is None:
                return self._hopeless() if self._discarded > MAX_DISCARDED else None
            if (found := self._gather(line, bounds)) is not None:
                return found

    def accept(self, size: int) -> None:
        """The literal that was announced is welcome."""
        self._await(size)

    def refuse(self, answer: Answer) -> RawCommand:
        """The literal that was announced is not welcome, and the command ends here."""
        self._refusal = answer
        return self._complete()

    def line(self, most: int) -> RawLine | None:
        """The next line, as it is no command; None where it is not complete."""
        found = self._line(most)
        if found is None and self._discarded <= MAX_DISCARDED:
            return None
        refusal = _LONG if self._skipping else None
        if found is not None and (not found.endswith(b"\r\n") or b"\0" in found):
            refusal = _CRLF
        text = bytes(found or b"").rstrip(b"\r\n")
        last = found is None or self._discarded > MAX_DISCARDED
        self._begin()
        return RawLine(text, refusal, last)

    # -- lines

    def _line(self, most: int) -> bytearray | None:
        """A line with its end, or the beginning and the end of one that is longer than `most`; None where it is not complete."""
        end = self._in.find(b"\n", self._scanned)
        if end < 0:
            if len(self._in) > most + 2 or self._skipping:
                self._skip(self._in)
            self._scanned = len(self._in)
            return None
        line = self._in[: end + 1]
        del self._in[: end + 1]
        self._scanned = 0
        if len(line) > most + 2 or self._skipping:
            self._skip(line)
        return line

    def _skip(self, line: bytearray) -> None:
        """Of a line that is too long, only what tells its tag and whether a literal follows is kept."""
        self._skipping = True
        if len(line) > 2 * _KEPT:
            self._discarded += len(line) - 2 * _KEPT
            del line[_KEPT:-_KEPT]

    def _gather(self, line: bytearray, bounds: ReadBounds) -> RawCommand | Announced | None:
        """Add a line to the command; the command if it is complete then."""
        text = bytes(line[:-2] if line.endswith(b"\r\n") else line[:-1])
        if self._skipping:
            self._refusal, self._skipping = self._refusal or _LONG, False
        if len(text) + 2 != len(line) or b"\r" in text or b"\0" in text:
            self._refusal = self._refusal or _CRLF
        self._text += len(text)
        announced = _ANNOUNCED.search(text, max(0, len(text) - _LONGEST_ANNOUNCED))
        self._add(text[: announced.start()] if announced else text)
        if self._discarded > MAX_DISCARDED:
            return self._hopeless()
        return self._announced(announced, bounds) if announced else self._complete()

    def _add(self, text: bytes) -> None:
        """Keep text; of a command that is refused, its beginning."""
        if not self._refusal or not self._parts:
            self._parts.append(text)

    def _announced(self, announced: re.Match[bytes], bounds: ReadBounds) -> RawCommand | Announced | None:
        size, asked = int(announced[2]), not announced[3]
        tag, verb = head(self._parts[0])
        if not asked and size > MAX_NONSYNC:
            self._refusal = self._refusal or _UNASKED
            return self._complete(last=True)
        if self._octets + size > (bounds.messages if verb in MESSAGES else bounds.literals):
            self._refusal = self._refusal or (_TOO_BIG if verb in MESSAGES else _MUCH)
        if announced[1] and not self._refusal:
            self._binary = (*self._binary, len(self._parts))
        if asked:
            return self._complete() if self._refusal else Announced(tag, tuple(self._parts), size, self._octets + size)
        if not self._refusal:
            self._await(size)
            return None
        self._discarded += size
        self._left = size
        return self._hopeless() if self._discarded > MAX_DISCARDED else None

    # -- literals

    def _await(self, size: int) -> None:
        self._octets += size
        self._left = size
        self._literal = bytearray()
        self._fill()

    def _fill(self) -> bool:
        """Take what has come of a literal; whether all of it has."""
        taken = self._in[: self._left]
        del self._in[: self._left]
        self._left -= len(taken)
        if self._literal is not None:
            self._literal += taken
            if not self._left:
                self._parts.append(bytes(self._literal))
                self._literal = None
        return not self._left

    # -- what is complete

    def _complete(self, *, last: bool = False) -> RawCommand:
        tag, _ = head(self._parts[0])
        found = RawCommand(tag, tuple(self._parts), frozenset(self._binary), self._refusal, last)
        self._begin()
        if not self._in:
            self._in = bytearray()
        return found

    def _hopeless(self) -> RawCommand:
        """More is thrown away than anybody sends by mistake."""
        if not self._parts:
            self._parts.append(bytes(self._in[:_KEPT]))
        self._refusal = self._refusal or _LONG
        return self._complete(last=True)


def unasked(line: bytes) -> bool:
    """Whether octets follow this line that are no line."""
    found = _ANNOUNCED.search(line, max(0, len(line) - _LONGEST_ANNOUNCED))
    return found is not None and bool(found[3])


def head(text: bytes) -> tuple[str, str]:
    """The tag of a command, ``*`` where it has none, and its verb in capitals, that behind UID where it is there."""
    found = _HEAD.match(text)
    if found is not None:
        return found[1].decode("ascii"), found[2].decode("ascii").upper()
    tag = _TAG.match(text)
    return (tag[1].decode("ascii") if tag else "*"), ""
