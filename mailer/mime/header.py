"""The header of a message or a part of one, found within the octets that hold it: where it ends, and those of its fields that are wanted.

Used by `tree` for every part, and by whoever shows a message. Lines end in CRLF or LF, for what a client appended is kept as it came. What
ends a header is what ends it in the whole house (`mailer.mail.message.header_end`): an empty line, or a line that is no field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

HEADER = 256 * 1024  # octets of a header in which fields are looked for
FIELD = 64 * 1024  # octets of a field
BLOCK = 1 << 20  # octets that are looked through together: other threads run between

DESCRIBING = frozenset({
    b"content-type", b"content-transfer-encoding", b"content-id", b"content-description", b"content-disposition", b"content-language",
    b"content-location", b"content-md5",
})  # fmt: skip
"""The fields of a part, RFC 2045 §3, RFC 2183, RFC 1864, RFC 2557 §4, RFC 3282."""

_BLANKS = b" \t"
_NAME = bytes(octet for octet in range(33, 127) if octet != 58)  # RFC 5322 §2.2


class Header(NamedTuple):
    """A header: its wanted `fields`, each with all its values unfolded, where its last field ends, and where the body begins."""

    fields: Mapping[bytes, list[bytes]]
    end: int
    body: int

    def first(self, name: bytes) -> bytes:
        """The first value of a field (its name in small letters); empty for none."""
        values = self.fields.get(name)
        return values[0] if values else b""

    def text(self, name: bytes) -> str:
        """The first value of a field as characters, octets that are no UTF-8 as surrogates."""
        return self.first(name).decode("utf-8", "surrogateescape")


def header(
    data: bytes, start: int, end: int, wanted: AbstractSet[bytes] | None = DESCRIBING, marks: Mapping[bytes, object] | None = None
) -> Header:
    """The header at ``data[start:end]`` with the fields in `wanted`, None for all; a line that is one of the delimiters `marks` ends it."""
    fields: dict[bytes, list[bytes]] = {}
    at = start
    last = min(end, start + HEADER)
    name, first = b"", start  # of the field that is being read, and where its value begins
    while at < last:
        stop = data.find(b"\n", at, end)
        after = stop + 1 if stop >= 0 else end
        if data[at] in _BLANKS and at != start:
            at = after
            continue
        if name:
            fields.setdefault(name, []).append(unfolded(data[first:at]))
            name = b""
        colon = data.find(b":", at, after)
        if colon <= at or not _is_name(data[at:colon]) or (marks and data[at : at + 2] == b"--" and is_mark(data[at:after], marks)):
            return Header(fields, at, _body(data, at, end))
        called = data[at:colon].rstrip(_BLANKS).lower()
        if wanted is None or called in wanted:
            name, first = called, colon + 1
        at = after
    if name:
        fields.setdefault(name, []).append(unfolded(data[first:at]))
    return Header(fields, at, _body(data, at, end)) if at >= end else _beyond(data, fields, at, end, marks)


def _body(data: bytes, at: int, end: int) -> int:
    """Behind the empty line, if there is one."""
    if data.startswith(b"\r\n", at, end):
        return at + 2
    return at + 1 if data.startswith(b"\n", at, end) else at


def _beyond(data: bytes, fields: Mapping[bytes, list[bytes]], at: int, end: int, marks: Mapping[bytes, object] | None) -> Header:
    """A header that is longer than what is looked at, from the beginning of a line on: the empty line ends it, or a delimiter."""
    while at < end:
        stop = min(at + BLOCK, end)
        empty = min((found for line in (b"\n\n", b"\n\r\n") if (found := data.find(line, at - 1, stop + 1)) >= 0), default=stop)
        mark = _mark(data, at - 1, empty, end, marks) if marks else -1
        if mark >= 0:
            return Header(fields, mark, mark)
        if empty < stop:
            return Header(fields, empty + 1, _body(data, empty + 1, end))
        at = stop
    return Header(fields, end, end)


def _mark(data: bytes, at: int, stop: int, end: int, marks: Mapping[bytes, object]) -> int:
    """Where the first line between `at` and `stop` begins that is a delimiter, -1 for none."""
    while (found := data.find(b"\n--", at, stop + 3)) >= 0:
        at = data.find(b"\n", found + 1, end)
        at = at if at >= 0 else end
        if is_mark(data[found + 1 : min(at, found + 1 + FIELD)], marks):
            return found + 1
    return -1


def is_mark(line: bytes, marks: Mapping[bytes, object]) -> bool:
    """Whether a line is one of the delimiters `marks`, or closes a multipart that has it. RFC 2046 §5.1.1"""
    text = line[2:].rstrip(b" \t\r\n")
    return text in marks or (text.endswith(b"--") and text[:-2] in marks)


def unfolded(value: bytes) -> bytes:
    """The value of a field on one line (RFC 5322 §2.2.3), as much of it as is read, without what no field has."""
    if len(value) > FIELD:
        value = value[: value.rfind(b"\n", 0, FIELD) + 1 or FIELD]
    return value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b" ").replace(b"\0", b" ").strip(_BLANKS)


def _is_name(text: bytes) -> bool:
    rest = text.translate(None, _NAME)
    return not rest or (text[0] not in _BLANKS and not text.rstrip(_BLANKS).translate(None, _NAME))


def all_fields(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Each field of a header in order, its name in small letters and its value unfolded; `end` is where its body begins."""
    at, last = start, min(end, start + HEADER)
    while at < last and data[at] not in b"\r\n":
        stop = data.find(b"\n", at, last) + 1 or last
        while stop < last and data[stop] in _BLANKS:
            stop = data.find(b"\n", stop, last) + 1 or last
        name, _, value = data[at:stop].partition(b":")
        yield name.rstrip(_BLANKS).lower(), unfolded(value)
        at = stop
