"""A message with 8-bit octets made 7-bit, for a host that takes nothing else (RFC 6152 §3): its parts are encoded.

Only what has to change does: the parts that hold octets above 127 (or NUL, bare CR, bare LF), their Content-Transfer-Encoding, and
that of the multiparts around them. All else stays byte for byte.

A message is left alone, and the answer is None, where encoding would break what somebody has signed (a DKIM or ARC signature,
``multipart/signed``), or where no standard says how (8-bit octets in a header, a part whose encoding is unknown).
"""

from __future__ import annotations

from .entity import MAX_DEPTH, OPEN, SIGNED, body_of, default_of, encoded, encoding_of, kind_of, pieces, relabelled, with_mime
from .message import Message


class _Untouchable(Exception):
    """This cannot be encoded, or must not be."""


def seven_bit(content: bytes) -> bytes | None:
    """`content` without an octet above 127, or None if that cannot be. Its lines end in CRLF, where it is no binary part."""
    try:
        made = _message(content, 0)
    except _Untouchable:
        return None
    return made if made.isascii() else None


def _message(content: bytes, depth: int) -> bytes:
    """A whole message, signed by nobody."""
    message = Message.split(content)
    if any(name in SIGNED for name, _ in message.fields()):
        raise _Untouchable
    return _entity(message, depth, "text/plain")


def _entity(entity: Message, depth: int, default: str) -> bytes:
    """A message or a part of one; `default` is its type if it does not say (RFC 2046 §5.1)."""
    if _is_plain(bytes(entity)):
        return bytes(entity)
    if depth > MAX_DEPTH or not entity.header.isascii():
        raise _Untouchable
    given = entity.value(b"content-type")
    kind, encoding, body = kind_of(entity, default), encoding_of(entity), body_of(entity)
    if encoding not in OPEN:
        raise _Untouchable  # it says that it is encoded, and is not
    if kind.startswith("multipart/"):
        return relabelled(entity, "7bit") + _multipart(kind, given or "", body, depth)
    if kind in ("message/rfc822", "message/global"):  # RFC 2046 §5.2.1: it may not be encoded, what is in it may
        return relabelled(entity, "7bit") + _message(body, depth + 1)
    if kind.startswith("message/") and not kind.startswith("message/global-"):
        raise _Untouchable
    new, made = encoded(kind, body)
    return relabelled(entity if given or depth else with_mime(entity, body), new) + made


def _multipart(kind: str, type: str, body: bytes, depth: int) -> bytes:
    divided = pieces(type, body)
    if kind == "multipart/signed" or divided is None:
        raise _Untouchable
    return b"".join(piece if role == "delimiter" else _between(piece, role == "part", depth, default_of(kind)) for piece, role in divided)


def _between(text: bytes, is_part: bool, depth: int, default: str) -> bytes:
    """A part, with the line end of the line before it; or what nobody reads, before the first and after the last (RFC 2046 §5.1.1)."""
    if _is_plain(text):
        return text
    if not is_part:
        return bytes(octet if octet < 128 else 63 for octet in text)
    return b"\r\n" + _entity(Message.split(text[2:]), depth + 1, default)


def _is_plain(data: bytes) -> bool:
    return data.isascii() and b"\0" not in data and data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
