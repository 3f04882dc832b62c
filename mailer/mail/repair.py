"""A message that not every server would take, mended before anybody signs it: no line is cut, no octet is lost.

SMTP takes lines of 998 octets (RFC 5321 §4.5.3.1.6), and octets above 127 only where a message says what they are. A program
that writes longer lines is mended for by somebody on the way, who breaks them where he likes, and with them each
signature. So it is done here, as little as possible:

==============================================  =======================================================================
a body with lines too long                      that part as quoted-printable or base 64, RFC 2045 §6
8-bit text that says ``7bit``, or nothing       the same, and it says its character set: UTF-8, or as readers guess
8-bit text that says ``us-ascii``               it says what it is
base 64 or quoted-printable, lines too long     written anew with short ones
octets above 127 in a header                    encoded words (RFC 2047), parameters (RFC 2231), A-labels (RFC 5890), ``%C3``
a field with lines too long                     folded at its blanks; encoded words where free text has none
==============================================  =======================================================================

8-bit text that says so stays, for those who carry it know what to do; so does an address in UTF-8, which cannot be written otherwise.
What somebody has signed or encrypted is left as it is, whatever is wrong with it: mending it would break it for certain.
"""

from __future__ import annotations

from binascii import a2b_qp

from .entity import (
    MAX_DEPTH,
    MAX_PARTS,
    OPEN,
    Entity,
    Lookout,
    TooManyParts,
    Written,
    default_of,
    encoded,
    has_lines,
    pieces,
    raw_octet,
    relabelled,
    with_mime,
)
from .header_repair import LONG, RAW, charset, mended_header, note, with_charset
from .message import Change, Message, long_line
from .mime import base64_lines, field, quoted, repacked
from .text import ASCII, WESTERN, charset_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SEALED = frozenset({
    "multipart/signed", "multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted",
})  # fmt: skip


def repaired(message: Message, changes: list[Change]) -> bytes:
    """`message` (normalised) as every server takes it; what was done, or should have been, is added to `changes`."""
    divider = b"\r\n" if message.rest.startswith(b"\r\n") else b""
    entity = Entity(Message(message.header, b""), divider, len(divider), len(message.rest))
    mender, done = _Mender(message.rest), len(changes)
    mender.changes = changes
    try:
        mender.whole(entity, 0, "")
    except TooManyParts:
        changes[done:] = [Change("left", "body", "", "", f"it has more than {MAX_PARTS} parts")]
        return bytes(message)
    return mender.made.content()


class _Nowhere(Written):
    """Where nothing is kept."""

    def write(self, _data: object, /) -> int:
        """Forget it."""
        return 0


class _Mender:
    """Reads `data`, a body, from left to right; `made` is what its message has become so far, `changes` what was done."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.made = Written(data)
        self.changes: list[Change] = []
        self._long = Lookout(data, long_line)
        self._raw = Lookout(data, raw_octet)
        self._parts = 0

    def whole(self, message: Entity, depth: int, where: str) -> None:
        """A message, or one within another, that nobody has signed; else only what would have to be done is said."""
        if message.signed:
            self._sealed(message, depth, "text/plain", where)
        else:
            self._entity(message, depth, "text/plain", where)

    def _sealed(self, entity: Entity, depth: int, default: str, where: str) -> None:
        made, changes = self.made, self.changes
        self.made, self.changes = _Nowhere(b""), []
        self._mended(entity, depth, default, where)
        for change in self.changes:
            note(changes, Change("left", change.what, "", "", f"{change.why.removesuffix(_SIGNED)}{_SIGNED}"))
        self.made, self.changes = made, changes
        self._write(entity)

    def _entity(self, entity: Entity, depth: int, default: str, where: str) -> None:
        if entity.kind(default) in _SEALED:
            self._sealed(entity, depth, default, where)
        else:
            self._mended(entity, depth, default, where)

    def _mended(self, entity: Entity, depth: int, default: str, where: str) -> None:
        """A message or a part of one; `default` is its type if it does not say, `where` its number, as in ``1.2``."""
        entity = entity._replace(header=mended_header(entity.header, where, self.changes))
        kind = entity.kind(default)
        long, raw = self._long.sees(entity.start, entity.end), self._raw.sees(entity.start, entity.end)
        if not long and (not raw or (entity.encoding in ("8bit", "binary") and not kind.startswith(("multipart/", "message/")))):
            self._write(self._told(entity, kind, depth, where) if raw else entity)
        elif depth <= MAX_DEPTH and (divided := self._divided(entity, kind)):
            self._head(entity.header)
            self._multipart(divided, default_of(kind), depth, where)
        elif depth <= MAX_DEPTH and kind in ("message/rfc822", "message/global"):
            self._head(entity.header)
            self.whole(Entity.within(self.data, entity.start, entity.end), depth + 1, where)
        else:
            self._leaf(entity, kind, depth, where, LONG if long else RAW)

    def _divided(self, entity: Entity, kind: str) -> Iterator[tuple[int, int, str]] | None:
        return pieces(entity.type, self.data, entity.start, entity.end) if kind.startswith("multipart/") else None

    def _told(self, entity: Entity, kind: str, depth: int, where: str) -> Entity:
        """8-bit text that says so, which may stay; with a character set, if it says none or a false one."""
        made = self._labelled(entity, kind, depth)
        if made is not entity:
            what = f"character set of part {where}" if where else "character set"
            note(self.changes, Change("mended", what, charset(entity.type), charset(made.type), RAW))
        return made

    def _multipart(self, divided: Iterable[tuple[int, int, str]], default: str, depth: int, where: str) -> None:
        number = 0
        for start, end, role in divided:
            if role == "part":
                number += 1
                self._part(start, end, default, depth + 1, f"{where}.{number}" if where else str(number))
            elif role == "beside" and ((raw := self._raw.sees(start, end)) or self._long.sees(start, end)):
                note(self.changes, Change("mended", "text beside the parts", "", "nothing", RAW if raw else LONG))
                self.made.write(b"\r\n" if self.data.endswith(b"\r\n", start, end) else b"")
            else:
                self._keep(start, end)

    def _part(self, start: int, end: int, default: str, depth: int, where: str) -> None:
        """A part, with the line end of the line before it, if there is any."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise TooManyParts
        if start < end:
            self._keep(start, start + 2)
            self._entity(Entity.within(self.data, start + 2, end), depth, default, where)

    def _leaf(self, entity: Entity, kind: str, depth: int, where: str, why: str) -> None:
        """A part without parts in an encoding with short lines; as it is, if it has one that nobody knows, or that it does not keep to."""
        what, before = f"part {where}" if where else "body", entity.encoding
        new, made = self._encoded(entity, kind, before)
        if made is None:
            if why == LONG or before not in ("8bit", "binary"):
                note(self.changes, Change("left", what, "", "", f"{why}, and {kind} in {before or '7bit'} cannot be encoded anew"))
            self._write(entity)
            return
        labelled = self._labelled(entity, kind, depth) if before in OPEN else entity
        if why == RAW and labelled is not entity and charset(labelled.type) == WESTERN:
            why += f", taken for {WESTERN}"
        note(self.changes, Change("mended", what, before or "7bit", new, why))
        self._head(relabelled(labelled.header, new))
        for piece in made:
            self.made.write(piece)

    def _encoded(self, entity: Entity, kind: str, encoding: str) -> tuple[str, Iterable[bytes] | None]:
        """Its new encoding and the body in it; None if that cannot be."""
        body = self.data, entity.start, entity.end
        if kind.startswith(("multipart/", "message/")):
            return encoding, None
        if encoding in OPEN:
            return encoded(kind, *body)
        if encoding not in ("base64", "quoted-printable") or self._raw.sees(entity.start, entity.end):
            return encoding, None
        if encoding == "base64":
            return encoding, repacked(*body)
        text = a2b_qp(memoryview(self.data)[entity.start : entity.end])
        if has_lines(text, 0, len(text)):
            return encoding, quoted(text, 0, len(text))
        return "base64", base64_lines(text, 0, len(text))  # a line end alone, which quoted-printable text cannot have

    def _labelled(self, entity: Entity, kind: str, depth: int) -> Entity:
        """The same with a Content-Type that says a character set, for text that says none, or ASCII, and is not."""
        header, body = entity.header, (self.data, entity.start, entity.end)
        type = header.value(b"content-type")
        if type is None and not depth:
            return entity._replace(header=with_mime(header, *body))
        if not kind.startswith("text/"):
            return entity
        if type is None:
            return entity._replace(header=header.with_fields(f"Content-Type: {kind}; charset={charset_of(*body)}"))
        if not self._raw.sees(entity.start, entity.end) or charset(type) not in {"", *ASCII}:
            return entity
        line = field("Content-Type", with_charset(type, charset_of(*body))).encode()  # RFC 2045 §5.2: without a label it is ASCII
        return entity._replace(header=Message(b"".join(line if name == b"content-type" else one for name, one in header.fields()), b""))

    def _head(self, header: Message) -> None:
        self.made.write(header.header + b"\r\n")

    def _write(self, entity: Entity) -> None:
        """An entity whose body stays as it is."""
        self.made.write(entity.header.header + entity.divider)
        self._keep(entity.start, entity.end)

    def _keep(self, start: int, end: int) -> None:
        self.made.write(memoryview(self.data)[start:end])


_SIGNED = ", and it is signed or encrypted"
