"""A MIME entity, which is a message or a part of one, found within the message that holds it: nothing is copied but its header.

For those who encode parts of messages that others have made: `downgrade`, `repair`. They read a message from left to right and write
it anew; what stays as it is goes there straight from the message. RFC 2045, RFC 2046.

Whoever sends a message may nest and divide it as he likes. So there are bounds (`MAX_DEPTH`, `multipart.MAX_PARTS`), a level costs no
more than looking for its boundary, and what has to be known of the octets is looked up once for all levels (`multipart.Lookout`).
"""

from __future__ import annotations

from io import BytesIO
from typing import NamedTuple

from .charset import charset_of
from .message import Message, blocks, header_end
from .mime import base64_lines, transferred

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

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
