"""Fields that may stand once, and stand twice, say nothing or lack commas: mended, for large receivers refuse such mail (RFC 5322 §3.6).

Recipients are put together, since nobody may be lost; of all else the first that says something is kept, which is what most readers
show. What is empty is taken away; submission fills in what it can. A subject may be empty, and so may a description. Addresses
without a comma between them, which all get the mail (`address_list`), are a list with one, and no domain has a dot behind it.
"""

from __future__ import annotations

import re

from .address_list import boxes
from .header_repair import MOST_CHANGES, note
from .message import LISTS, MERGED, ONCE, Change, Message, says_nothing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def single(message: Message, changes: list[Change]) -> Message:
    """`message` with each field of `ONCE` once at most, and its lists of addresses well written; what was done is added to `changes`."""
    found: dict[bytes, list[bytes]] = {}
    for name, field in message.fields():
        if name in ONCE:
            found.setdefault(name, []).append(field)
    kept = {name: _well_written(name, _one(name, fields, changes), changes) for name, fields in found.items()}
    made = bytearray()
    for name, field in message.fields():
        if name not in kept:
            made += field
        elif name in found:  # where the first of them stands
            del found[name]
            made += kept[name]
    return Message(bytes(made), message.rest)


def _one(name: bytes, fields: Sequence[bytes], changes: list[Change]) -> bytes:
    """The field that stands for `fields`, or nothing."""
    label = fields[0].partition(b":")[0].decode().strip()
    full = [field for field in fields if not says_nothing(name, field)]
    full.sort(key=lambda field: not field.partition(b":")[2].strip())  # what may be empty, too, is not kept before what says something
    if not full:
        new = b"MIME-Version: 1.0\r\n" if name == b"mime-version" else b""
        changes.append(Change("mended" if new else "removed", label, _shown(fields[0]), _shown(new), "it is empty"))
        return new
    if len(full) == 1 or name not in MERGED:
        why = "it may stand once" if len(full) > 1 else "it is empty"
        for field in fields:
            if len(fields) > 1 and field is not full[0]:
                note(changes, Change("removed", label, _shown(field), "", why))
        return full[0]
    values = [field.partition(b":")[2].strip(b" \t\r\n,") for field in full]
    made = full[0].partition(b":")[0] + b": " + b",\r\n ".join(values) + b"\r\n"
    changes.append(Change("mended", label, " | ".join(map(_shown, full[:MOST_CHANGES])), _shown(made), "it may stand once"))
    return made


def _well_written(name: bytes, field: bytes, changes: list[Change]) -> bytes:
    """The field with a comma between each two addresses that have none, and no dot behind a domain."""
    if name not in LISTS or b"@" not in field:
        return field
    label, _, given = field.partition(b":")
    value = given.decode("utf-8", "surrogateescape")
    made, at, last, why = "", 0, -1, ""  # what is written, up to where, and where the mailbox before ends
    for text, _, end, first, after in boxes(value):
        if "@" not in text:
            last = -1
            continue
        if last >= 0 and not _DIVIDER.search(_COMMENT.sub("", value[last:first])):
            made, at, why = f"{made}{value[at:last]},", last, "a comma is missing between two addresses"
        if value[end - 1] == ".":  # RFC 5322 §3.4.1: a dot divides two words
            made, at, why = made + value[at : end - 1], end, why or "a dot stands behind a domain"
        last = after
    if not why:
        return field
    new = label + b":" + (made + value[at:]).encode("utf-8", "surrogateescape")
    changes.append(Change("mended", label.decode().strip(), _shown(field), _shown(new), why))
    return new


_DIVIDER = re.compile(r"[,;:]")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*+\)")


def _shown(field: bytes) -> str:
    return " ".join(field.partition(b":")[2].decode("utf-8", "replace").split())[:200]
