"""The tree of a message as octets, to be kept beside it, and read again.

JSON, without nesting, whatever the tree is like: each part is a list of what differs from `PLAIN`, in the order in which parts stand in the
message, with the number of those within it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .tree import Part, every

if TYPE_CHECKING:
    from .parameters import Parameters

VERSION = 1
_FIRST = re.compile(rb'\[1,\[\["[^"\\]*+","[^"\\]*+","[^"\\]*+",0,(\d++),')  # type, subtype, encoding, start, end of the header


def tree_bytes(part: Part) -> bytes:
    """The tree as octets; `from_tree` reads it."""
    return json.dumps([VERSION, [_flat(each) for each in every(part)]], separators=(",", ":")).encode("ascii")


def _flat(part: Part) -> list[object]:
    inside = len(part.parts) if part.message is None else -1
    places = [part.type, part.subtype, part.encoding, part.start, part.header_end, part.end, part.lines, inside, part.params]
    rest = (part.id, part.description, part.disposition, part.language, part.location, part.md5)
    return [*places, *rest] if any(rest) else places


def header_end(data: bytes) -> int:
    """Where the header of the message ends, as the tree in these octets says it; nothing else of it is read."""
    found = _FIRST.match(data)
    return int(found[1]) if found else from_tree(data).header_end


def from_tree(data: bytes) -> Part:
    """The tree that `tree_bytes` made octets of."""
    _, parts = json.loads(data)
    done: list[Part] = []  # from the last part to the first: those that a part has are before it, the first of them last
    for each in reversed(parts):
        count = each[7]
        inside = [done.pop() for _ in range(abs(count))]
        done.append(_part(each, tuple(inside) if count > 0 else (), inside[0] if count < 0 else None))
    return done[0]


def _part(flat: list[Any], parts: tuple[Part, ...], message: Part | None) -> Part:
    type, subtype, encoding, start, header_end, end, lines, _, params, *rest = flat
    id, description, disposition, language, location, md5 = rest or ("", "", None, (), "", "")
    said = (disposition[0], _pairs(disposition[1])) if disposition else None
    fields = (_pairs(params), id, description, encoding, said, tuple(language), location, md5)
    return Part(type, subtype, *fields, start, header_end, end, lines, parts, message)


def _pairs(pairs: list[list[str]]) -> Parameters:
    return tuple((name, value) for name, value in pairs)
