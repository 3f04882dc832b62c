"""A MIME entity, which is a message or a part of one, found within the message that holds it: nothing is copied but its header.

For those who encode parts of messages that others have made: `downgrade`, `repair`. They read a message from left to right and write
it anew; what stays as it is goes there straight from the message. RFC 2045, RFC 2046.

Whoever sends a message may nest and divide it as he likes. So there are bounds (`MAX_DEPTH`, `MAX_PARTS`), a level costs no
more than looking for its boundary at the beginnings of lines, where no text makes many of them probable, and what has to be known of
the octets is looked up once for all levels (`Lookout`).
"""

from __future__ import annotations

import re
from io import BytesIO
from itertools import chain
from typing import NamedTuple

from .message import Message, blocks, header_end, is_clean
from .mime import base64_lines, transferred
from .text import charset_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_DEPTH = 50  # parts within parts; nobody nests so deep

OPEN = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that encode nothing, RFC 2045 §6.2."""

_SIGNED = (b"dkim-signature", b"domainkey-signature", b"arc-message-signature", b"arc-seal")


class Entity(NamedTuple):
    """An entity of MIME: its `header`, a `divider` (the empty line, or nothing), and the place of its body, `start` to `end`."""

    header: Message
    divider: bytes
    start: int
    end: int

    @classmethod
    def within(cls, data: bytes, start: int, end: int) -> Entity:
        """The entity at this place of `data`, divided as `Message.split` does."""
        at = header_end(data, start, end)
        header = Message(data[start:at], b"")
        if data.startswith(b"\r\n", at, end):
            return cls(header, b"\r\n", at + 2, end)
        return cls(header, b"\r\n" if data.find(b"\r\n", at, end) >= 0 else b"", at, end)

    @property
    def type(self) -> str:
        """The whole Content-Type, or nothing. RFC 2045 §5"""
        return self.header.value(b"content-type") or ""

    def kind(self, default: str) -> str:
        """The media type in lower case, without parameters; `default` if it does not say, or says nothing."""
        return (self.type or default).partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """The transfer encoding in lower case; empty if there is none. RFC 2045 §6"""
        return (self.header.value(b"content-transfer-encoding") or "").partition("(")[0].strip().lower()

    @property
    def signed(self) -> bool:
        """Whether its header says that somebody has signed it."""
        return any(next(self.header.places(name), None) for name in _SIGNED)


class Written(BytesIO):
    """A message that is written anew. It has room for what becomes of `data` at most from the start, so that it is never moved."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.seek(2 * len(data))
        self.write(b"\0")
        self.seek(0)

    def content(self) -> bytes:
        """All that was written."""
        self.truncate()
        return self.getvalue()


def encoded(kind: str, data: bytes, start: int, end: int) -> tuple[str, Iterable[bytes]]:
    """A body in its new encoding: what is text stays readable if it can, RFC 2045 §6.7; all else keeps each octet, line ends too, §6.8."""
    if kind.startswith("text/") and has_lines(data, start, end):
        return transferred(data, start, end)
    return "base64", base64_lines(data, start, end)


def has_lines(data: bytes, start: int, end: int) -> bool:
    """Whether CR and LF are line ends only."""
    return all(block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r") for block in blocks(data, start, end))


def relabelled(header: Message, encoding: str) -> Message:
    """The header with this Content-Transfer-Encoding."""
    label = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    made, at = [], 0
    for start, end in header.places(b"content-transfer-encoding"):
        made += [header.header[at:start], label]
        at = end
    made += [header.header[at:]] if made else [header.header, label]
    return Message(b"".join(made), b"")


def with_mime(header: Message, data: bytes, start: int, end: int) -> Message:
    """The header of a message from before MIME: its text says from now on what it is taken for."""
    lines = [f"Content-Type: text/plain; charset={charset_of(data, start, end)}"]
    if header.value(b"mime-version") is None:
        lines.insert(0, "MIME-Version: 1.0")
    return Message(header.with_fields(*lines).header, b"")


MAX_PARTS = 10_000  # of a message, on all levels; as many as mail servers read

LONGEST_TYPE = 16_384  # characters of a Content-Type in which a boundary is looked for: one has 70, RFC 2046 §5.1.1

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_RAW = re.compile(rb"[\x80-\xff]")
_ODD = re.compile(rb"[\x80-\xff\0]|\r(?!\n)|(?<!\r)\n")


class TooManyParts(Exception):
    """The message has more than `MAX_PARTS`."""


def pieces(type: str, data: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]] | None:
    """The places in a multipart, in order: each ``part`` (with the line end before it), ``delimiter``, and what is ``beside`` them.

    `type` is the whole Content-Type; None if it names no boundary, or one that is nowhere: then nobody knows what the text is. What
    is beside, before the first and after the last delimiter, nobody reads (RFC 2046 §5.1.1).
    """
    boundary = _BOUNDARY.search(type[:LONGEST_TYPE])
    name = (boundary[1] or boundary[2] or "").replace("\\", "").rstrip().encode() if boundary else b""
    delimiters = _delimiters(b"\r\n--" + name, data, start, end) if name else iter(())
    first = next(delimiters, None)
    return None if first is None else _pieces(chain((first,), delimiters), start, end)


def _pieces(delimiters: Iterable[tuple[int, int, bool]], start: int, end: int) -> Iterator[tuple[int, int, str]]:
    role = "beside"
    for before, after, closes in delimiters:
        yield start, before, role
        yield before, after, "delimiter"
        start, role = after, "beside" if closes else "part"
        if closes:
            break
    yield start, end, role


def _delimiters(mark: bytes, data: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it closes the multipart) of each line of `mark` and blanks, with the line end before it if there is one."""
    found = data.find(mark, start, end)
    after = found + len(mark)
    if data.startswith(mark[2:], start, end):
        found, after = start, start + len(mark) - 2
    while found >= 0:
        closes = data.startswith(b"--", after, end)
        stop = data.find(b"\r\n", after, end)
        stop = end if stop < 0 else stop
        at = after + 2 * closes
        if data.count(b" ", at, stop) + data.count(b"\t", at, stop) == stop - at:
            yield found, stop, closes
        found = data.find(mark, after, end)
        after = found + len(mark)


def default_of(kind: str) -> str:
    """The type of the parts of a multipart that do not say theirs, RFC 2046 §5.1.5."""
    return "message/rfc822" if kind == "multipart/digest" else "text/plain"


class Lookout:
    """Keeps where the next thing of a kind stands in `data`."""

    def __init__(self, data: bytes, find: Callable[[bytes, int], int]) -> None:
        """`find` gives the place of the next one from some place on; the length of `data` if there is none."""
        self._data = data
        self._find = find
        self._next = -1

    def sees(self, start: int, end: int) -> bool:
        """Whether there is one in ``data[start:end]``; `start` is never less than the time before."""
        if self._next < start < end:
            self._next = self._find(self._data, start)
        return start <= self._next < end


def raw_octet(data: bytes, start: int) -> int:
    """Where the next octet above 127 is; for `Lookout`, as is `message.long_line`."""
    for block in blocks(data, start):
        if not block.isascii():
            found = _RAW.search(block)
            assert found is not None
            return start + found.start()
        start += len(block)
    return start


def odd_octet(data: bytes, start: int) -> int:
    """Where the next octet is that 7-bit lines do not have (RFC 5321 §4.5.2, RFC 2045 §2.7): above 127, NUL, or CR or LF alone."""
    for block in blocks(data, start):
        if not (block.isascii() and is_clean(block)):
            found = _ODD.search(block)
            assert found is not None
            return start + found.start()
        start += len(block)
    return start
