"""The sections of a message that FETCH names: where in it they are, and what fields of a header are left. RFC 9051 §6.4.5.

Places are found in the tree that is kept of a message (`mailer.mime.tree`), or, where no part is named, by its size and the end of its
header; the message itself is not looked at. A field is looked for in the first `HEADER` octets of a header.
"""

from __future__ import annotations

import re
from itertools import compress
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mime.transfer import KNOWN
from mailer.mime.tree import part_at

from .strings import string

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.mime.tree import Part

    from .command import FetchItem

HEADER: Final = 1 << 20  # octets of a header in which fields are looked for
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._\-]++")
_FIELDS: Final = re.compile(rb"(?<=\n)(?![ \t])")
_EMPTY: Final = frozenset({b"\r\n", b"\n", b"\r", b""})
BLANK: Final = b"\r"
"""In place of the name of a field, for a line that is none."""
MOST_SHAPES: Final = 500  # orders of names that are remembered


class SectionPlace(NamedTuple):
    """The octets of a message from `start` to `end`, without the transfer encoding `encoding`, if one is to be taken away."""

    start: int
    end: int
    encoding: str = ""


NOWHERE: Final = SectionPlace(-1, -1)
"""The place of a part that a message does not have."""


class UnknownEncoding(Exception):
    """The transfer encoding of a part is none that we know: it cannot be sent without it (RFC 9051 §7.1, UNKNOWN-CTE)."""


def is_head(item: FetchItem) -> bool:
    """Whether an item is in the header of the message."""
    return item.name == "RFC822.HEADER" or (not item.part and item.text.startswith("HEADER"))


def is_whole(item: FetchItem) -> bool:
    """Whether an item is the whole message."""
    return item.name == "RFC822" or (item.name in ("SECTION", "BINARY", "BINARY.SIZE") and not item.part and not item.text)


def place(item: FetchItem, size: int, header_end: int, root: Part | None) -> SectionPlace:
    """Where an item is in a message of `size` octets. `root` is its tree, which is needed where the item names a part.

    Raises `UnknownEncoding`.
    """
    if item.part:
        assert root is not None
        return _in_part(item, part_at(root, item.part))
    if is_whole(item):
        return SectionPlace(0, size)
    return SectionPlace(0, header_end) if is_head(item) else SectionPlace(header_end, size)


def _in_part(item: FetchItem, part: Part | None) -> SectionPlace:
    if part is None:
        return NOWHERE
    if item.name != "SECTION":
        return _decoded(part)
    if item.text == "MIME":
        return SectionPlace(part.start, part.header_end)
    if not item.text:
        return SectionPlace(part.header_end, part.end)
    if part.message is None:  # RFC 9051 §6.4.5.1: HEADER and TEXT are those of a message in a part
        return NOWHERE
    inner = part.message
    return SectionPlace(inner.header_end, inner.end) if item.text == "TEXT" else SectionPlace(inner.start, inner.header_end)


def _decoded(part: Part) -> SectionPlace:
    """RFC 3516 §4.2: what holds others is not encoded (RFC 2045 §6.4)."""
    if part.parts or part.message is not None:
        return SectionPlace(part.header_end, part.end)
    if part.encoding not in KNOWN:
        raise UnknownEncoding(part.encoding)
    return SectionPlace(part.header_end, part.end, part.encoding)


def cut(octets: bytes, partial: tuple[int, int] | None) -> bytes:
    """The octets of a section that were asked for; there are none beyond its end."""
    return octets if partial is None else octets[partial[0] : partial[0] + partial[1]]


def wanted(fields: Iterable[bytes]) -> dict[bytes, bool]:
    """Names of fields, as `fields_of` knows whether it has them."""
    return _Wanted(fields)


class _Wanted(dict[bytes, bool]):
    """What stands before a colon → whether it is one of the names; each spelling is made small once."""

    MOST = 1000  # spellings that are remembered

    def __init__(self, names: Iterable[bytes]) -> None:
        self._names = frozenset(name.lower() for name in names).difference(_EMPTY)

    def __missing__(self, said: bytes) -> bool:
        is_wanted = said.rstrip(b" \t").lower() in self._names
        if len(self) < self.MOST and len(said) < self.MOST:
            self[said] = is_wanted
        return is_wanted


def fields_of(header: bytes, names: dict[bytes, bool], *, without: bool = False) -> bytes:
    """The fields of a header with these names, or all others, each as it is written, and an empty line."""
    fields = _FIELDS.split(header[:HEADER])
    return _ended(b"".join(compress(fields, _mask(map(_name, fields), names, without=without))))


def _name(field: bytes) -> bytes:
    """What stands before the colon of a field; `BLANK` for a line that is none."""
    if field in _EMPTY:
        return BLANK
    name = field.partition(b":")[0]
    return b"" if b"\n" in name or b"\0" in name else name


def _mask(said: Iterable[bytes], names: dict[bytes, bool], *, without: bool) -> list[bool]:
    return [name != BLANK and not names[name] for name in said] if without else [names[name] for name in said]


def _ended(fields: bytes) -> bytes:
    """With the empty line, and the end of the last field where that has none."""
    return fields + (b"\r\n" if not fields or fields.endswith(b"\n") else b"\r\n\r\n")


def divided(header: bytes) -> bytes | None:
    """A header as it is kept: the names of its fields in lines, a NUL, and the fields with a NUL between them; None for one that has such
    octets itself."""
    if b"\0" in header:
        return None
    fields = _FIELDS.split(header)
    return b"\0".join([b"\n".join(map(_name, fields)), *fields])


def from_divided(item: FetchItem) -> Callable[[bytes], bytes]:
    """What makes an item of a header that was divided, as it is sent. Many headers have the same names in the same order, and it is looked
    once which of them are wanted."""
    names, without, partial = wanted(item.fields), item.text.endswith("NOT"), item.partial
    masks: dict[bytes, list[bool]] = {}

    def mask_of(said: bytes) -> list[bool]:
        mask = _mask(said.split(b"\n"), names, without=without)
        if len(masks) < MOST_SHAPES:
            masks[said] = mask
        return mask

    def chosen(header: bytes) -> bytes:
        said, *fields = header.split(b"\0")
        return _ended(b"".join(compress(fields, masks.get(said) or mask_of(said))))

    def whole(header: bytes) -> bytes:
        return b"".join(header.split(b"\0")[1:])

    make = chosen if item.fields else whole

    def made(header: bytes) -> bytes:
        octets = cut(make(header), partial) if partial else make(header)
        return b"{%d}\r\n%b" % (len(octets), octets)

    return made


def name_of(item: FetchItem) -> bytes:
    """What an item is called where it is answered, with the octet from which on it is sent (RFC 9051 §7.5.2)."""
    if item.name not in ("SECTION", "BINARY", "BINARY.SIZE"):
        return item.name.encode()
    section = ".".join(filter(None, (item.part, item.text))).encode()
    if item.fields:
        section += b" (%b)" % b" ".join([name if _PLAIN.fullmatch(name) else string(name) for name in item.fields])
    partial = b"<%d>" % item.partial[0] if item.partial else b""
    return b"%b[%b]%b" % (b"BODY" if item.name == "SECTION" else item.name.encode(), section, partial)
