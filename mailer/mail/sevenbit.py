"""A message with 8-bit octets made 7-bit, for a host that takes nothing else (RFC 6152 §3): its parts are encoded.

Only what has to change does: the parts that hold octets above 127 (or NUL, bare CR, bare LF), their Content-Transfer-Encoding, and
that of the multiparts around them. All else stays byte for byte.

A message is left alone, and the answer is None, where encoding would break what somebody has signed (a DKIM or ARC signature,
``multipart/signed``), or where no standard says how (8-bit octets in a header, a part whose encoding is unknown).
"""

from __future__ import annotations

import re
from binascii import b2a_base64

from .message import Message
from .mime import BASE64_LINE, transfer

MAX_DEPTH = 50  # parts within parts; nobody nests so deep

_SIGNED = frozenset({b"dkim-signature", b"domainkey-signature", b"arc-message-signature", b"arc-seal"})
_OPEN = frozenset({"", "7bit", "8bit", "binary"})  # RFC 2045 §6.2: encodings that encode nothing


class _Untouchable(Exception):
    """This cannot be encoded, or must not be."""


def seven_bit(content: bytes) -> bytes | None:
    """`content` without an octet above 127, or None if that cannot be. Its lines end in CRLF, where it is no binary part."""
    try:
        encoded = _message(content, 0)
    except _Untouchable:
        return None
    return encoded if encoded.isascii() else None


def _message(content: bytes, depth: int) -> bytes:
    """A whole message, signed by nobody."""
    message = Message.split(content)
    if any(name in _SIGNED for name, _ in message.fields()):
        raise _Untouchable
    return _entity(message, depth, "text/plain")


def _entity(entity: Message, depth: int, default: str) -> bytes:
    """A message or a part of one; `default` is its type if it does not say (RFC 2046 §5.1)."""
    if _is_plain(bytes(entity)):
        return bytes(entity)
    if depth > MAX_DEPTH or not entity.header.isascii():
        raise _Untouchable
    given = entity.value(b"content-type")
    kind = (given or default).partition(";")[0].strip().lower()
    encoding = (entity.value(b"content-transfer-encoding") or "").partition("(")[0].strip().lower()
    if encoding not in _OPEN:
        raise _Untouchable  # it says that it is encoded, and is not
    body = entity.rest.removeprefix(b"\r\n")
    if kind.startswith("multipart/"):
        return _relabelled(entity, "7bit") + _multipart(kind, given or "", body, depth)
    if kind in ("message/rfc822", "message/global"):  # RFC 2046 §5.2.1: it may not be encoded, what is in it may
        return _relabelled(entity, "7bit") + _message(body, depth + 1)
    if kind.startswith("message/") and not kind.startswith("message/global-"):
        raise _Untouchable
    new, encoded = _encoded(kind, body)
    return _relabelled(entity if given or depth else _with_mime(entity, body), new) + encoded


def _multipart(kind: str, type: str, body: bytes, depth: int) -> bytes:
    boundary = _BOUNDARY.search(type)
    if kind == "multipart/signed" or boundary is None:
        raise _Untouchable
    name = (boundary[1] or boundary[2]).replace("\\", "").rstrip().encode()
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"  # RFC 2046 §5.1.5
    pieces: list[bytes] = []
    at, inside, closed = 0, False, False
    for delimiter in re.finditer(rb"(?:\A|\r\n)--" + re.escape(name) + rb"(--)?[ \t]*(?=\r\n|\Z)", body):
        pieces += [_between(body[at : delimiter.start()], inside, depth, default), delimiter[0]]
        at, inside, closed = delimiter.end(), True, bool(delimiter[1])
        if closed:
            break
    return b"".join([*pieces, _between(body[at:], inside and not closed, depth, default)])


def _between(text: bytes, is_part: bool, depth: int, default: str) -> bytes:
    """A part, with the line end of the line before it; or what nobody reads, before the first and after the last (RFC 2046 §5.1.1)."""
    if _is_plain(text):
        return text
    if not is_part:
        return bytes(octet if octet < 128 else 63 for octet in text)
    return b"\r\n" + _entity(Message.split(text[2:]), depth + 1, default)


def _is_plain(data: bytes) -> bool:
    return data.isascii() and b"\0" not in data and data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")


def _encoded(kind: str, body: bytes) -> tuple[str, bytes]:
    """What is text stays readable if it can, RFC 2045 §6.7; all else keeps each octet, line ends too, RFC 2045 §6.8."""
    if kind.startswith("text/") and body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r"):
        return transfer(body)
    lines = (b2a_base64(body[at : at + BASE64_LINE], newline=False) + b"\r\n" for at in range(0, len(body), BASE64_LINE))
    return "base64", b"".join(lines)


def _relabelled(entity: Message, encoding: str) -> bytes:
    """The header with this Content-Transfer-Encoding, and the empty line."""
    label = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    fields = [label if name == b"content-transfer-encoding" else field for name, field in entity.fields()]
    if label not in fields:
        fields.append(label)
    return b"".join(fields) + b"\r\n"


def _with_mime(entity: Message, body: bytes) -> Message:
    """A message from before MIME: its text is UTF-8, or nobody knows what (RFC 1428 §3)."""
    try:
        body.decode()
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "unknown-8bit"
    lines = [f"Content-Type: text/plain; charset={charset}"]
    if entity.value(b"mime-version") is None:
        lines.insert(0, "MIME-Version: 1.0")
    return entity.with_fields(*lines)


_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
