"""The sections of a message that FETCH names: where in it they are, and what fields of a header are left. RFC 9051 §6.4.5.

Places are found in the tree that is kept of a message (`mailer.mime.tree`), or, where no part is named, by its size and the end of its
header; the message itself is not looked at. A field is looked for in the first `HEADER` octets of a header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mime.transfer import KNOWN
from mailer.mime.tree import part_at

from .strings import string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.mime.tree import Part

    from .command import FetchItem

HEADER: Final = 1 << 20  # octets of a header in which fields are looked for
_PLAIN: Final = re.compile(rb"[A-Za-z0-9._\-]++")
_NEXT_FIELD: Final = re.compile(rb"\n(?![ \t])")


class Place(NamedTuple):
    """The octets of a message from `start` to `end`, without the transfer encoding `encoding`, if one is to be taken away."""

    start: int
    end: int
    encoding: str = ""


NOWHERE: Final = Place(-1, -1)
"""The place of a part that a message does not have."""


class UnknownEncoding(Exception):
    """The transfer encoding of a part is none that we know: it cannot be sent without it (RFC 9051 §7.1, UNKNOWN-CTE)."""


def is_head(item: FetchItem) -> bool:
    """Whether an item is in the header of the message."""
    return item.name == "RFC822.HEADER" or (not item.part and item.text.startswith("HEADER"))


def is_whole(item: FetchItem) -> bool:
    """Whether an item is the whole message."""
    return item.name == "RFC822" or (item.name in ("SECTION", "BINARY", "BINARY.SIZE") and not item.part and not item.text)


def place(item: FetchItem, size: int, header_end: int, root: Part | None) -> Place:
    """Where an item is in a message of `size` octets. `root` is its tree, which is needed where the item names a part.

    Raises `UnknownEncoding`.
    """
    if item.part:
        assert root is not None
        return _in_part(item, part_at(root, item.part))
    if is_whole(item):
        return Place(0, size)
    return Place(0, header_end) if is_head(item) else Place(header_end, size)


def _in_part(item: FetchItem, part: Part | None) -> Place:
    if part is None:
        return NOWHERE
    if item.name != "SECTION":
        return _decoded(part)
    if item.text == "MIME":
        return Place(part.start, part.header_end)
    if not item.text:
        return Place(part.header_end, part.end)
    if part.message is None:  # RFC 9051 §6.4.5.1: HEADER and TEXT are those of a message in a part
        return NOWHERE
    inner = part.message
    return Place(inner.header_end, inner.end) if item.text == "TEXT" else Place(inner.start, inner.header_end)


def _decoded(part: Part) -> Place:
    """RFC 3516 §4.2: what holds others is not encoded (RFC 2045 §6.4)."""
    if part.parts or part.message is not None:
        return Place(part.header_end, part.end)
    if part.encoding not in KNOWN:
        raise UnknownEncoding(part.encoding)
    return Place(part.header_end, part.end, part.encoding)


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
        self._names = frozenset(name.lower() for name in names) - {b"", b"\r"}  # which is the empty line

    def __missing__(self, said: bytes) -> bool:
        is_wanted = said.rstrip(b" \t").lower() in self._names
        if len(self) < self.MOST and len(said) < self.MOST:
            self[said] = is_wanted
        return is_wanted


def fields_of(header: bytes, names: dict[bytes, bool], *, without: bool = False) -> bytes:
    """The fields of a header with these names, or all others, each as it is written, and an empty line."""
    fields = _NEXT_FIELD.split(header[:HEADER])
    if without:
        kept = [field for field in fields if not names[field.partition(b":")[0]] and field not in (b"", b"\r")]
    else:
        kept = [field for field in fields if names[field.partition(b":")[0]]]
    if not kept:
        return b"\r\n"
    last = b"\n\r\n" if kept[-1].endswith(b"\r") else b"\r\n\r\n" if kept[-1] is fields[-1] else b"\n\r\n"
    return b"\n".join(kept) + last


def name_of(item: FetchItem) -> bytes:
    """What an item is called where it is answered, with the octet from which on it is sent (RFC 9051 §7.5.2)."""
    if item.name not in ("SECTION", "BINARY", "BINARY.SIZE"):
        return item.name.encode()
    section = ".".join(filter(None, (item.part, item.text))).encode()
    if item.fields:
        section += b" (%b)" % b" ".join([name if _PLAIN.fullmatch(name) else string(name) for name in item.fields])
    partial = b"<%d>" % item.partial[0] if item.partial else b""
    return b"%b[%b]%b" % (b"BODY" if item.name == "SECTION" else item.name.encode(), section, partial)
