"""The tree of a message: its parts, what their headers say of them, and where each begins and ends.

Used by whoever keeps or shows a message: the structure that IMAP tells is made of it, a part is read by its place, text is looked for in
those parts that are text. RFC 2045, RFC 2046.

One pass over the lines from the first to the last, without recursion: a line that is a delimiter of any open multipart ends all that is
within that one (RFC 2046 §5.1.2). Bounds: `MAX_DEPTH` levels, below which a multipart or a message is a file like others; `MAX_PARTS`
parts, of which the last one has all that follows; `HEADERS` octets of all headers, behind which parts have none that says anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.entity import LONGEST_TYPE, MAX_DEPTH, MAX_PARTS

from .header import BLOCK, DESCRIBING, Header, header
from .parameters import Parameters, parameterised

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = 1024 * 1024  # octets of the headers of all parts
_NOTHING = Header({}, 0, 0)


class Part(NamedTuple):
    """A message, or a part of one. `type` and `subtype` are in small letters, and so is `encoding`.

    Its header is from `start` to `header_end`, its body from there to `end`, with `lines` ends of lines. `disposition` is its value and its
    parameters. A multipart has `parts`, one at least; a message in a message is the `message` of a part. Texts may hold surrogates for
    octets that are no UTF-8.
    """

    type: str
    subtype: str
    params: Parameters
    id: str
    description: str
    encoding: str
    disposition: tuple[str, Parameters] | None
    language: tuple[str, ...]
    location: str
    md5: str
    start: int
    header_end: int
    end: int
    lines: int
    parts: tuple[Part, ...] = ()
    message: Part | None = None

    @property
    def kind(self) -> str:
        """The media type, as ``text/plain``."""
        return f"{self.type}/{self.subtype}"


class _Open:
    """A part that is being read."""

    __slots__ = ("before", "boundary", "children", "header", "kind", "lines", "params", "start")

    def __init__(self, start: int, header: Header, kind: str, params: Parameters) -> None:
        self.start, self.header, self.kind, self.params = start, header, kind, params
        self.children: list[Part] = []
        self.boundary: bytes = b""  # while more parts may follow
        self.before: int | None = None  # which part had this boundary
        self.lines = 0


def parsed(content: bytes) -> Part:
    """The tree of a message; any octets are one."""
    return _Reader(content).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.open: list[_Open] = []
        self.done: list[Part] = []
        self.marks: dict[bytes, int] = {}  # boundary → index in `open` of the innermost part that has it
        self.parts = 0
        self.left = HEADERS
        self.counted = self.lines = 0  # line ends up to where they were counted

    def read(self) -> Part:
        self.begin(0, len(self.data), "text/plain")
        for before, after, level, closes in self.delimiters():
            self.close_above(level, before)
            if closes:
                self.forget(level)
            else:
                self.begin(after, len(self.data), "message/rfc822" if self.open[level].kind == "multipart/digest" else "text/plain")
        self.close_above(-1, len(self.data))
        return self.done[0]

    def delimiters(self) -> Iterator[tuple[int, int, int, bool]]:
        """(where the part before ends, behind the line, whose it is, whether it closes that) of each delimiter line."""
        data, end = self.data, len(self.data)
        at = self.open[-1].header.body - 1  # a multipart has a header
        while self.marks:
            at = _find(data, b"\n--", at)
            if at < 0:
                return
            stop = data.find(b"\n", at + 1)
            after = stop + 1 if stop >= 0 else end
            level, closes = self.whose(data[at + 3 : min(after, at + LONGEST_TYPE)].rstrip(b" \t\r\n"))
            if level >= 0:
                yield at - (data[at - 1] == 13), after, level, closes
                after = after if closes else self.open[-1].header.body
            at = after - 1
            if stop < 0:
                return

    def whose(self, text: bytes) -> tuple[int, bool]:
        level = self.marks.get(text, -1)
        if level >= 0 or not text.endswith(b"--"):
            return level, False
        return self.marks.get(text[:-2], -1), True

    def begin(self, start: int, end: int, default: str) -> None:
        """Open the part that begins at `start`, and if it is a message the one in it."""
        while True:
            part = self.opened(start, end, default)
            self.open.append(part)
            self.parts += 1
            if self.parts >= MAX_PARTS:
                self.marks.clear()
                if part.kind == "message/rfc822":  # of which nobody reads the message
                    part.kind, part.params = "application/octet-stream", ()
            elif part.kind.startswith("multipart/"):
                self.expect(part)
            elif part.kind == "message/rfc822":
                start, default = part.header.body, "text/plain"
                continue
            return

    def opened(self, start: int, end: int, default: str) -> _Open:
        found = header(self.data, start, end, DESCRIBING, self.marks) if self.left > 0 else _NOTHING._replace(end=start, body=start)
        self.left -= found.body - start
        kind, params = parameterised(found.text(b"content-type"))
        kind = kind.lower() if _is_kind(kind) else ""
        if not kind:
            kind, params = default, ()
        if len(self.open) >= MAX_DEPTH and kind.startswith(("multipart/", "message/rfc822", "message/global")):
            kind, params = "application/octet-stream", ()
        part = _Open(start, found, "message/rfc822" if kind == "message/global" else kind, params)
        part.lines = self.lines_to(found.body)
        return part

    def expect(self, part: _Open) -> None:
        """Look for the boundary of a multipart from here on."""
        name = next((value for name, value in part.params if name == "boundary"), "").rstrip().encode("utf-8", "surrogateescape")
        if name:
            part.boundary, part.before = name, self.marks.get(name)
            self.marks[name] = len(self.open) - 1

    def forget(self, level: int) -> None:
        part = self.open[level]
        if part.boundary:
            if part.before is None:
                self.marks.pop(part.boundary, None)
            elif self.marks:
                self.marks[part.boundary] = part.before
            part.boundary = b""

    def close_above(self, level: int, end: int) -> None:
        """Close all parts that are open above `level`."""
        lines = self.lines_to(end)
        while len(self.open) > level + 1:
            self.forget(len(self.open) - 1)
            part = self.open.pop()
            made = _made(part, end, max(lines - part.lines, 0))
            (self.open[-1].children if self.open else self.done).append(made)

    def lines_to(self, at: int) -> int:
        """The line ends before `at`; it is asked for in ascending order, but for the end of a line."""
        while self.counted < at:
            stop = min(self.counted + BLOCK, at)
            self.lines += self.data.count(b"\n", self.counted, stop)
            self.counted = stop
        return self.lines - (self.data.count(b"\n", at, self.counted) if at < self.counted else 0)


def _is_kind(kind: str) -> bool:
    type, slash, subtype = kind.partition("/")
    return bool(slash and type and subtype and kind.isascii() and kind.isprintable() and " " not in kind)


def _find(data: bytes, what: bytes, at: int) -> int:
    while at < len(data):
        found = data.find(what, at, at + BLOCK + len(what))
        if found >= 0:
            return found
        at += BLOCK
    return -1


def _made(part: _Open, end: int, lines: int) -> Part:
    """The part that ends at `end`, before the end of its header where the empty line behind that is the line end before a delimiter."""
    fields = part.header
    type, _, subtype = part.kind.partition("/")
    written = fields.text(b"content-disposition")
    language = fields.text(b"content-language")
    return Part(
        type,
        subtype,
        part.params,
        fields.text(b"content-id"),
        fields.text(b"content-description"),
        fields.text(b"content-transfer-encoding").partition("(")[0].partition(";")[0].strip().lower(),
        parameterised(written) if written else None,
        tuple(tag for tag in (tag.strip() for tag in language.split(",")[:100]) if tag) if language else (),
        fields.text(b"content-location"),
        fields.text(b"content-md5"),
        min(part.start, end),
        min(fields.body, end),
        end,
        lines,
        tuple(part.children) if type == "multipart" else (),
        part.children[0] if type == "message" and part.children else None,
    )


def every(part: Part) -> Iterator[Part]:
    """A part and all that are within it, in the order in which they stand in the message."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        yield part
        if part.message is not None:
            waiting.append(part.message)
        waiting.extend(reversed(part.parts))


def part_at(part: Part, number: str) -> Part | None:
    """The part of a message by its number in IMAP, ``1.2`` (RFC 9051 §6.4.5.1); the message itself for an empty one, None for none.

    The body of a message that is no multipart is its part 1, and that part is told by the message.
    """
    at: Part = part
    message: Part | None = part  # that in which the next number counts, where it is not a multipart in one
    for piece in number.split(".") if number else ():
        if not (piece.isascii() and piece.isdigit() and len(piece) <= 9):
            return None
        parts, nth = (message or at).parts, int(piece)
        if 1 <= nth <= len(parts):
            at = parts[nth - 1]
        elif message is not None and message.type != "multipart" and nth == 1:
            at = message
        else:
            return None
        message = at.message
    return at
