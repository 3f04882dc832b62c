"""The parts of a message that came back, and what stands in them: found within bounds, however it is nested.

What is looked at is bounded, for a stranger wrote it: `MOST` octets of the message, `MAX_DEPTH` levels and `PARTS` parts of it,
`HEADER` octets of a header, `TEXT` characters of its text. What lies behind a bound is not read; nobody's report has that much to say
before it returns the message. Transfer encodings (RFC 2045 §6) and character sets are undone; what cannot be is left as it is.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.entity import MAX_DEPTH, Entity, default_of, pieces
from mailer.mail.message import Message, header_end, normalise, without_preface
from mailer.mime.charset import base64_octets, decoded
from mailer.mime.html import text_of_html
from mailer.mime.words import text_of_words

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 10_500_000  # octets of a message
PARTS = 500
HEADER = 256 * 1024  # octets
RETURNED = 64 * 1024  # octets of the header of the message that came back
TEXT = 64 * 1024  # characters of what is written for people
LINE = 2000  # characters of a line of it
FIELD = 2000  # characters of a field that are looked at

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([\w.:+-]{1,40})', re.IGNORECASE)


class MimePart(NamedTuple):
    """A part that holds no others: its media type in lower case, its place in `Parts.data`, how deep it lies, and its parent's type."""

    kind: str
    header: Message
    start: int
    end: int
    depth: int
    within: str

    @property
    def name(self) -> str:
        """The file name of the part, decoded; empty for none. RFC 2183 §2.3"""
        for field in (b"content-disposition", b"content-type"):
            found = _NAMED.search((self.header.value(field) or "")[:FIELD])
            if found:
                return text_of_words(found[1] or found[2] or "")
        return ""


_NAMED = re.compile(r';\s*(?:file)?name\*?\s*=\s*(?:"([^"]{0,300})"|([^\s;"]{1,300}))', re.IGNORECASE)


class IndexedHeader(Message):
    """The header of a message in which many fields are looked for: it is divided once."""

    __slots__ = ("_found",)

    def __init__(self, header: bytes, rest: bytes) -> None:
        super().__init__(header, rest)
        self._found: dict[bytes, list[bytes]] = {}
        for name, field in self.fields():
            self._found.setdefault(name, []).append(field)

    def values(self, name: bytes) -> Iterator[str]:
        """The unfolded values of the fields called `name` (lower case), as `Message` has them."""
        for field in self._found.get(name, ()):
            yield field.partition(b":")[2].replace(b"\r\n", b"").decode("utf-8", "replace").strip()


class Parts:
    """A message in its parts: `data` is the normalised message, `header` the message's own header."""

    def __init__(self, content: bytes) -> None:
        self.data = normalise(without_preface(content[:MOST]).lstrip(b"\r\n") or b"\r\n")
        root = Entity.within(self.data, 0, len(self.data))
        self.header = IndexedHeader(bounded(root.header).header, b"")
        self.type = (self.header.value(b"content-type") or "")[:FIELD]
        self.kind = self.type.partition(";")[0].strip().lower()
        self.all = [*self._walk(root, "text/plain", "", 0)]

    def _walk(self, root: Entity, default: str, parent: str, depth: int) -> Iterator[MimePart]:
        """The parts from left to right. A multipart without its boundary is text, which it most likely is."""
        left = PARTS
        waiting = [iter([(root, default, parent, depth)])]
        while waiting and left:
            entity, default, parent, depth = next(waiting[-1], (None, "", "", 0))
            if entity is None:
                waiting.pop()
                continue
            header = bounded(entity.header)
            type = (header.value(b"content-type") or default)[:FIELD]
            kind = type.partition(";")[0].strip().lower() or default
            if kind.startswith("multipart/") and depth < MAX_DEPTH:
                found = pieces(type, self.data, entity.start, entity.end)
                if found is not None:
                    waiting.append(self._inside(found, kind, depth + 1))
                    continue
                kind = "text/plain"
            left -= 1
            yield MimePart(kind, header, entity.start, entity.end, depth, parent)

    def _inside(self, found: Iterator[tuple[int, int, str]], kind: str, depth: int) -> Iterator[tuple[Entity, str, str, int]]:
        for start, end, role in found:
            if role == "part" and end > start:
                begin = start + 2 * self.data.startswith(b"\r\n", start)
                yield Entity.within(self.data, begin, end), default_of(kind), kind, depth

    def first(self, *kinds: str) -> MimePart | None:
        """The first part of one of these media types."""
        return next((part for part in self.all if part.kind in kinds), None)

    def octets(self, part: MimePart, limit: int) -> bytes:
        """The first `limit` octets of a part, more or less, without their transfer encoding."""
        encoding = (part.header.value(b"content-transfer-encoding") or "")[:FIELD].partition("(")[0].strip().lower()
        if encoding == "base64":
            return base64_octets(self.data[part.start : min(part.end, part.start + limit * 3 // 2)])
        raw = self.data[part.start : min(part.end, part.start + limit)]
        return a2b_qp(raw) if encoding == "quoted-printable" else raw

    def text(self, part: MimePart, limit: int = TEXT) -> str:
        """The text of a part, of HTML too, with LF line ends and lines of at most `LINE` characters."""
        is_html = part.kind == "text/html"
        charset = _CHARSET.search((part.header.value(b"content-type") or "")[:FIELD])
        text = decoded(self.octets(part, 4 * limit if is_html else limit), charset[1] if charset else "")
        if is_html:
            text = text_of_html(text)
        lines = (line[:LINE].rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n")[:limit].split("\n"))
        return "\n".join(lines)

    def written(self) -> str:
        """What the message says to people: its plain text, or its HTML where it has no other, of all parts before a message in it."""
        plain: list[str] = []
        marked: list[str] = []
        room = TEXT
        for part in self.all:
            if part.kind.startswith("message/") and part.kind != "message/delivery-status":
                break
            if room > 0 and part.kind in ("text/plain", "text/html", "text", "text/enriched"):
                text = self.text(part, room)
                (marked if part.kind == "text/html" else plain).append(text)
                room -= len(text)
        return "\n".join(plain) if any(text.strip() for text in plain) else "\n".join(marked)


def bounded(header: Message) -> Message:
    """The header to `HEADER` octets, whole lines."""
    if len(header.header) <= HEADER:
        return header
    return Message(_whole_lines(header.header, 0, HEADER), b"")


def returned(data: bytes, start: int, end: int) -> bytes:
    """The header of a message at this place of normalised `data`, to `RETURNED` octets, whole lines."""
    while data.startswith(b"\r\n", start, end):
        start += 2
    stop = header_end(data, start, end)
    return data[start:stop] if stop - start <= RETURNED else _whole_lines(data, start, start + RETURNED)


def _whole_lines(data: bytes, start: int, end: int) -> bytes:
    """The lines that are whole there; nothing where the first one is longer."""
    last = data.rfind(b"\r\n", start, end)
    return data[start : last + 2] if last >= 0 else b""
