"""What a milter wants changed in a message, and the message that comes of it: made as a copy, when all wishes are there.

The message is its own header and body, as it came, and fields of ours on top of it. What a milter adds goes to ours, wherever it wanted it:
so the octets of a stranger stay as they were where nothing of his is changed. Fields are counted as the filter was shown them, ours first;
what it adds at the end of the header counts behind all others, as in sendmail: a filter may add its own field and then take away, by their
numbers, those of its name that a stranger had forged.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    """A field as it is: its octets with CRLF, and its name in small letters."""

    octets: bytes
    name: bytes

    @classmethod
    def of(cls, octets: bytes) -> HeaderLine:
        """The field with these octets."""
        return cls(octets, octets.partition(b":")[0].rstrip(b" \t").lower())


@dataclass(slots=True)
class MilterMail:
    """A message as milters are shown it and change it: each one sees what came of those before it.

    `ours` are the fields on top, those among them that a filter has added; `theirs` are its own, and `rest` is what is behind them. `held`
    says why it is to be held, if one wants that. `sender` is the new reverse-path, None where it stays.
    """

    ours: list[HeaderLine]
    theirs: list[HeaderLine]
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
        rest = memoryview(content)[at:]  # the body may be large, and is not copied
        return cls(_lines(ours), _lines(content[:at]), rest)

    @property
    def lines(self) -> list[HeaderLine]:
        """All fields, as the filter is shown them."""
        return self.ours + self.theirs

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
        return b"".join(line.octets for line in self.ours)

    @property
    def content(self) -> bytes:
        """The message without the fields of ours."""
        return b"".join((*(line.octets for line in self.theirs), self.rest))

    def changed(self, wishes: Sequence[MilterWish]) -> MilterMail:
        """What comes of it. Raises `ScanError` for a wish that cannot be: then nothing of all that is done."""
        other = replace(self, ours=[*self.ours], added=[*self.added], removed=[*self.removed])
        if sum(len(wish.name) + len(wish.value) for wish in wishes) > MOST_HEADER:
            raise ScanError("the milter adds more to the header than there is room for")
        theirs = _Theirs(self.theirs)
        last: list[HeaderLine] = []
        for wish in wishes:
            other._do(wish, theirs, last)
        other.ours += last
        if theirs.touched:
            other.theirs, other.touched = theirs.left(), True
        if any(wish.letter == "b" for wish in wishes):
            other.rest = b"\r\n" + b"".join(wish.body for wish in wishes)
            other.touched = True
        return other

    def _do(self, wish: MilterWish, theirs: _Theirs, last: list[HeaderLine]) -> None:
        if wish.letter == "h":
            last.append(HeaderLine.of(_written(wish)))
        elif wish.letter == "i":
            self.ours.insert(min(wish.at, len(self.ours)), HeaderLine.of(_written(wish)))
        elif wish.letter == "m":
            self._change(wish, theirs, last)
        elif wish.letter in "+2":
            self.added.append(_address(wish.value))
        elif wish.letter == "-":
            self.removed.append(_address(wish.value))
        elif wish.letter == "e":
            self.sender = _address(wish.value, empty=True)
        elif wish.letter == "q":
            self.held = plain(wish.value) or "the milter wants it held"

    def _change(self, wish: MilterWish, theirs: _Theirs, last: list[HeaderLine]) -> None:
        """Replace the field, or take it away where the new value is empty; where there is none of that number, it is added."""
        name, number = wish.name.lower(), max(wish.at, 1)
        octets = _written(wish) if wish.value else b""
        if (left := _replaced(self.ours, name, number, octets)) and not theirs.change(name, left, octets):
            left = _replaced(last, name, left - theirs.many(name), octets)
            if left and octets:
                last.append(HeaderLine.of(octets))


class _Theirs:
    """The fields of a message while they are changed. A filter may name each of many, and a stranger says how many there are."""

    def __init__(self, lines: Sequence[HeaderLine]) -> None:
        self.touched = False
        self._lines = [*lines]
        self._places: dict[bytes, list[int]] = {}
        for at, line in enumerate(lines):
            self._places.setdefault(line.name, []).append(at)

    def change(self, name: bytes, number: int, octets: bytes) -> bool:
        """Have `octets` in place of the field of that name and number, nothing for none; whether there is one."""
        places = self._places.get(name, [])
        if number > len(places):
            return False
        at = places[number - 1] if octets else places.pop(number - 1)
        self._lines[at] = HeaderLine(octets, name)
        self.touched = True
        return True

    def many(self, name: bytes) -> int:
        """How many fields of that name there are."""
        return len(self._places.get(name, ()))

    def left(self) -> list[HeaderLine]:
        """What there is of them now."""
        return [line for line in self._lines if line.octets]


def _replaced(lines: list[HeaderLine], name: bytes, number: int, octets: bytes) -> int:
    """Have `octets` in place of the field of that name and number among `lines`, nothing for none; 0 where there is one, else its number
    among those that come behind."""
    places = [at for at, line in enumerate(lines) if line.name == name]
    if number > len(places):
        return number - len(places)
    at = places[number - 1]
    lines[at : at + 1] = [HeaderLine.of(octets)] if octets else []
    return 0


def _lines(header: bytes) -> list[HeaderLine]:
    return [HeaderLine.of(octets) for _, octets in Message(header, b"").fields()]


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
