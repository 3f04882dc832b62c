"""What a milter wants changed in a message, and the message that comes of it: made as a copy, when all wishes are there.

The message is its own header and body, as it came, and fields of ours on top of it. What a milter adds goes to ours, wherever it wanted it:
so the octets of a stranger stay as they were where nothing of his is changed. Fields are counted as the filter was shown them, ours first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import AddressError, parse
from mailer.mail.message import Message, header_end

from .opinion import ScanError, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LINE = 998  # octets of a line of a header, RFC 5322 §2.1.1
MOST_HEADER = 1 << 20  # octets of all that is added

_NAME = frozenset(range(33, 127)) - {58}


@dataclass(frozen=True, slots=True)
class MilterWish:
    """One change, by the letter of the protocol: ``h i m`` of the header, ``b`` of the body, ``+ 2 - e`` of the envelope, ``q`` to hold it.

    `at` counts from 0 for ``i``, in the whole header, and from 1 for ``m``, among fields of that `name`. With `leading` the `value` has its
    own blank behind the colon.
    """

    letter: str
    name: bytes = b""
    value: bytes = b""
    at: int = 0
    body: bytes = b""
    leading: bool = False


class HeaderLine(NamedTuple):
    """A field as it is: its octets with CRLF, and whether it is one of ours."""

    octets: bytes
    ours: bool

    @property
    def name(self) -> bytes:
        """The name of the field, in small letters."""
        return self.octets.partition(b":")[0].rstrip(b" \t").lower()


@dataclass(slots=True)
class MilterMail:
    """A message as milters are shown it and change it: each one sees what came of those before it.

    `held` says why it is to be held, if one wants that. `sender` is the new reverse-path, None where it stays.
    """

    lines: list[HeaderLine]
    rest: bytes | memoryview
    sender: str | None = None
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    held: str = ""
    touched: bool = False

    @classmethod
    def of(cls, ours: bytes, content: bytes) -> MilterMail:
        """The message with normalised `content`, and `ours` on top."""
        at = header_end(content)
        own = [HeaderLine(octets, ours=True) for _, octets in Message(ours, b"").fields()]
        theirs = [HeaderLine(octets, ours=False) for _, octets in Message(content[:at], b"").fields()]
        return cls(own + theirs, memoryview(content)[at:])  # the body may be large, and is not copied

    def shown(self, *, leading: bool) -> Iterator[tuple[bytes, bytes]]:
        """The name and the value of each field, with LF where it is folded; `leading` with the blank behind the colon."""
        for line in self.lines:
            name, _, value = line.octets[:-2].partition(b":")
            value = value.replace(b"\r\n", b"\n")
            yield name.rstrip(b" \t"), value if leading else value.removeprefix(b" ")

    @property
    def body(self) -> memoryview:
        """What stands behind the empty line."""
        return memoryview(self.rest)[2 if self.rest[:2] == b"\r\n" else 0 :]

    @property
    def fields(self) -> bytes:
        """The fields of ours, those that were added among them."""
        return b"".join(line.octets for line in self.lines if line.ours)

    @property
    def content(self) -> bytes:
        """The message without the fields of ours."""
        return b"".join((*(line.octets for line in self.lines if not line.ours), self.rest))

    def changed(self, wishes: Sequence[MilterWish]) -> MilterMail:
        """What comes of it. Raises `ScanError` for a wish that cannot be: then nothing of all that is done."""
        other = MilterMail([*self.lines], self.rest, self.sender, [*self.added], [*self.removed], self.held, self.touched)
        if sum(len(wish.name) + len(wish.value) for wish in wishes) > MOST_HEADER:
            raise ScanError("the milter adds more to the header than there is room for")
        for wish in wishes:
            other._do(wish)
        if any(wish.letter == "b" for wish in wishes):
            other.rest = b"\r\n" + b"".join(wish.body for wish in wishes)
            other.touched = True
        return other

    def _do(self, wish: MilterWish) -> None:
        if wish.letter in "hi":
            many = sum(line.ours for line in self.lines)
            at = many if wish.letter == "h" else min(wish.at, many)
            self.lines.insert(at, HeaderLine(_written(wish), ours=True))
        elif wish.letter == "m":
            self._change(wish)
        elif wish.letter in "+2":
            self.added.append(_address(wish.value))
        elif wish.letter == "-":
            self.removed.append(_address(wish.value))
        elif wish.letter == "e":
            self.sender = _address(wish.value, empty=True)
        elif wish.letter == "q":
            self.held = plain(wish.value) or "the milter wants it held"

    def _change(self, wish: MilterWish) -> None:
        """Replace the field, or take it away where the new value is empty; where there is none of that number, it is added."""
        places = [at for at, line in enumerate(self.lines) if line.name == wish.name.lower()]
        number = max(wish.at, 1)
        if number > len(places):
            if wish.value:
                self._do(MilterWish("h", wish.name, wish.value, leading=wish.leading))
            return
        at = places[number - 1]
        line = self.lines[at]
        self.touched = self.touched or not line.ours
        self.lines[at : at + 1] = [HeaderLine(_written(wish), line.ours)] if wish.value else []


def _written(wish: MilterWish) -> bytes:
    """The field as a header has it. A line end in its value has to be that of a folded line: else it would begin a field of its own."""
    if not wish.name or not _NAME.issuperset(wish.name):
        raise ScanError(f"the milter writes a field with the name {plain(wish.name, 40)!r}")
    lines = wish.value.replace(b"\r\n", b"\n").split(b"\n")
    if b"\r" in wish.value.replace(b"\r\n", b"") or not all(line[:1] in (b" ", b"\t") and line.strip() for line in lines[1:]):
        raise ScanError(f"the milter writes a field {plain(wish.name, 40)} with a line end in its value")
    blank = b"" if wish.leading else b" "
    octets = wish.name + b":" + blank + b"\r\n".join(lines) + b"\r\n"
    if any(len(line) > LINE for line in octets.split(b"\r\n")):
        raise ScanError(f"the milter writes a field {plain(wish.name, 40)} with a line that is too long")
    return octets


def _address(text: bytes, *, empty: bool = False) -> str:
    """The address in brackets, or without."""
    found = text.strip().removeprefix(b"<").removesuffix(b">").decode("utf-8", "replace")
    if not found and empty:
        return ""
    try:
        return str(parse(found))
    except AddressError as error:
        raise ScanError(f"the milter names {plain(text, 60)!r}, which is no address: {error.problem}") from None
