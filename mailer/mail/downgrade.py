"""A message with 8-bit octets made 7-bit, for a host that takes nothing else (RFC 6152 §3): its parts are encoded.

Only what has to change does: the parts that hold octets above 127 (or NUL, bare CR, bare LF), their Content-Transfer-Encoding, and
that of the multiparts around them. All else stays byte for byte.

A message is left alone, and the answer is None, where encoding would break what somebody has signed (a DKIM or ARC signature,
``multipart/signed``), or where no standard says how (8-bit octets in a header, a part whose encoding is unknown).
"""

from __future__ import annotations

from .entity import MAX_DEPTH, MAX_PARTS, OPEN, Entity, Lookout, Written, default_of, encoded, odd_octet, pieces, relabelled, with_mime
from .message import blocks


class _Untouchable(Exception):
    """This cannot be encoded, or must not be."""


def seven_bit(content: bytes) -> bytes | None:
    """`content` without an octet above 127, or None if that cannot be. Its lines end in CRLF, where it is no binary part.

    No step of it takes long, so that in a thread it holds nobody up, however large `content` is.
    """
    encoder = _Encoder(content)
    try:
        encoder.message(0, len(content), 0)
    except _Untouchable:
        return None
    return encoder.made.content()


class _Encoder:
    """Reads `data` from left to right; `made` is what it has become so far."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.made = Written(data)
        self._odd = Lookout(data, odd_octet)
        self._parts = 0

    def message(self, start: int, end: int, depth: int) -> None:
        """A whole message, signed by nobody."""
        entity = Entity.within(self.data, start, end)
        if entity.signed:
            raise _Untouchable
        self._entity(entity, start, depth, "text/plain")

    def _entity(self, entity: Entity, start: int, depth: int, default: str) -> None:
        """A message or a part of one; `default` is its type if it does not say (RFC 2046 §5.1)."""
        if not self._odd.sees(start, entity.end):
            self._write(entity.header.header, entity.divider)
            self._keep(entity.start, entity.end)
            return
        if depth > MAX_DEPTH or not entity.header.header.isascii():
            raise _Untouchable
        kind = entity.kind(default)
        if entity.encoding not in OPEN:
            raise _Untouchable  # it says that it is encoded, and is not
        if kind.startswith("multipart/"):
            self._write(relabelled(entity.header, "7bit").header, b"\r\n")
            self._multipart(entity, kind, depth)
        elif kind in ("message/rfc822", "message/global"):  # RFC 2046 §5.2.1: it may not be encoded, what is in it may
            self._write(relabelled(entity.header, "7bit").header, b"\r\n")
            self.message(entity.start, entity.end, depth + 1)
        elif kind.startswith("message/") and not kind.startswith("message/global-"):
            raise _Untouchable
        else:
            self._leaf(entity, kind, depth)

    def _leaf(self, entity: Entity, kind: str, depth: int) -> None:
        body = self.data, entity.start, entity.end
        header = entity.header if entity.type or depth else with_mime(entity.header, *body)
        encoding, made = encoded(kind, *body)
        self._write(relabelled(header, encoding).header, b"\r\n")
        for piece in made:
            self.made.write(piece)

    def _multipart(self, entity: Entity, kind: str, depth: int) -> None:
        divided = pieces(entity.type, self.data, entity.start, entity.end)
        if kind == "multipart/signed" or divided is None:
            raise _Untouchable
        for start, end, role in divided:
            self._parts += role == "part"
            if self._parts > MAX_PARTS:
                raise _Untouchable
            if not self._odd.sees(start, end):
                self._keep(start, end)
            elif role == "part":  # with the line end of the line before it
                self._keep(start, start + 2)
                self._entity(Entity.within(self.data, start + 2, end), start + 2, depth + 1, default_of(kind))
            else:
                for block in blocks(self.data, start, end):
                    self._write(block.translate(_ASCII))  # nobody reads what is beside the parts, RFC 2046 §5.1.1

    def _keep(self, start: int, end: int) -> None:
        self.made.write(memoryview(self.data)[start:end])

    def _write(self, *parts: bytes) -> None:
        for part in parts:
            self.made.write(part)


_ASCII = bytes(octet if octet < 128 else 63 for octet in range(256))
