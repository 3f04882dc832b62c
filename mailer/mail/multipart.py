"""A multipart taken apart, RFC 2046 §5.1: the places of its parts within the message, of which nothing is copied.

Each delimiter is looked for at the beginnings of lines, so that no text makes many of them probable, and its line is looked at once.
"""

from __future__ import annotations

import re
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_PARTS = 10_000  # of a message, on all levels; as many as mail servers read

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)


class TooManyParts(Exception):
    """The message has more than `MAX_PARTS`."""


def pieces(type: str, data: bytes, start: int, end: int) -> Iterator[tuple[int, int, str]] | None:
    """The places in a multipart, in order: each ``part`` (with the line end before it), ``delimiter``, and what is ``beside`` them.

    `type` is the whole Content-Type; None if it names no boundary, or one that is nowhere: then nobody knows what the text is. What
    is beside, before the first and after the last delimiter, nobody reads (RFC 2046 §5.1.1).
    """
    boundary = _BOUNDARY.search(type)
    name = (boundary[1] or boundary[2] or "").replace("\\", "").rstrip().encode() if boundary else b""
    delimiters = _delimiters(b"\r\n--" + name, data, start, end) if name else iter(())
    first = next(delimiters, None)
    return None if first is None else _pieces(chain((first,), delimiters), start, end)


def _pieces(delimiters: Iterable[tuple[int, int, bool]], start: int, end: int) -> Iterator[tuple[int, int, str]]:
    role = "beside"
    for before, after, closes in delimiters:
        yield start, before, role
        yield before, after, "delimiter"
        start, role = after, "beside" if closes else "part"
        if closes:
            break
    yield start, end, role


def _delimiters(mark: bytes, data: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether it closes the multipart) of each line of `mark` and blanks, with the line end before it if there is one."""
    found = data.find(mark, start, end)
    after = found + len(mark)
    if data.startswith(mark[2:], start, end):
        found, after = start, start + len(mark) - 2
    while found >= 0:
        closes = data.startswith(b"--", after, end)
        stop = data.find(b"\r\n", after, end)
        stop = end if stop < 0 else stop
        at = after + 2 * closes
        if data.count(b" ", at, stop) + data.count(b"\t", at, stop) == stop - at:
            yield found, stop, closes
        found = data.find(mark, after, end)
        after = found + len(mark)


def default_of(kind: str) -> str:
    """The type of the parts of a multipart that do not say theirs, RFC 2046 §5.1.5."""
    return "message/rfc822" if kind == "multipart/digest" else "text/plain"
