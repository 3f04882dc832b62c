"""A MIME entity, which is a message or a part of one, taken apart and put together again without a change to what is not touched.

For those who encode parts of messages that others have made: `sevenbit`, `repair`. RFC 2045, RFC 2046.
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from .charset import charset_of
from .message import Message
from .mime import BASE64_LINE, transfer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 50  # parts within parts; nobody nests so deep

SIGNED = frozenset({b"dkim-signature", b"domainkey-signature", b"arc-message-signature", b"arc-seal"})
"""Fields of a header that say that somebody has signed the message."""

OPEN = frozenset({"", "7bit", "8bit", "binary"})
"""Transfer encodings that encode nothing, RFC 2045 §6.2."""


def kind_of(entity: Message, default: str) -> str:
    """Its media type in lower case, without parameters."""
    return (entity.value(b"content-type") or default).partition(";")[0].strip().lower()


def encoding_of(entity: Message) -> str:
    """Its transfer encoding in lower case; empty if it has none."""
    return (entity.value(b"content-transfer-encoding") or "").partition("(")[0].strip().lower()


def body_of(entity: Message) -> bytes:
    """What stands below the empty line."""
    return entity.rest.removeprefix(b"\r\n")


def pieces(type: str, body: bytes) -> Iterator[tuple[bytes, str]] | None:
    """A multipart in order: each ``part`` (with the line end of the line before it), ``delimiter``, and what is ``beside`` them.

    `type` is the whole Content-Type; None if it names no boundary. What is beside, before the first and after the last
    delimiter, nobody reads (RFC 2046 §5.1.1).
    """
    boundary = _BOUNDARY.search(type)
    if boundary is None:
        return None
    return _pieces((boundary[1] or boundary[2]).replace("\\", "").rstrip().encode(), body)


def _pieces(name: bytes, body: bytes) -> Iterator[tuple[bytes, str]]:
    mark = b"--" + name
    at, inside, closed = 0, False, False
    found = body.find(mark)
    while found >= 0 and not closed:
        rest = _REST.match(body, found + len(mark))
        if rest and (not found or (found >= 2 and body.startswith(b"\r\n", found - 2))):
            start = max(found - 2, 0)
            yield body[at:start], "part" if inside else "beside"
            yield body[start : rest.end()], "delimiter"
            at, inside, closed = rest.end(), True, bool(rest[1])
        found = body.find(mark, found + len(mark))
    yield body[at:], "part" if inside and not closed else "beside"


def default_of(kind: str) -> str:
    """The type of the parts of a multipart that do not say theirs, RFC 2046 §5.1.5."""
    return "message/rfc822" if kind == "multipart/digest" else "text/plain"


def encoded(kind: str, body: bytes) -> tuple[str, bytes]:
    """What is text stays readable if it can, RFC 2045 §6.7; all else keeps each octet, line ends too, RFC 2045 §6.8."""
    if kind.startswith("text/") and body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r"):
        return transfer(body)
    lines = (b2a_base64(body[at : at + BASE64_LINE], newline=False) + b"\r\n" for at in range(0, len(body), BASE64_LINE))
    return "base64", b"".join(lines)


def relabelled(entity: Message, encoding: str) -> bytes:
    """The header with this Content-Transfer-Encoding, and the empty line."""
    label = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    fields = [label if name == b"content-transfer-encoding" else field for name, field in entity.fields()]
    if label not in fields:
        fields.append(label)
    return b"".join(fields) + b"\r\n"


def with_mime(entity: Message, body: bytes) -> Message:
    """A message from before MIME: its text says from now on what it is taken for."""
    lines = [f"Content-Type: text/plain; charset={charset_of(body)}"]
    if entity.value(b"mime-version") is None:
        lines.insert(0, "MIME-Version: 1.0")
    return entity.with_fields(*lines)


_REST = re.compile(rb"(--)?[ \t]*(?=\r\n|\Z)")  # of the line of a delimiter
_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
