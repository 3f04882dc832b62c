"""A multipart taken apart, RFC 2046 §5.1: the places of its parts within the message, of which nothing is copied.

Each delimiter is looked for at the beginnings of lines, so that no text makes many of them probable, and its line is looked at once.

A `Lookout` tells one who reads a message from left to right where something stands in it that not every server takes: no octet is looked
at twice.
"""

from __future__ import annotations

import re
from itertools import chain

from .message import blocks, is_clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_PARTS = 10_000  # of a message, on all levels; as many as mail servers read

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))', re.IGNORECASE)
_RAW = re.compile(rb"[\x80-\xff]")
_ODD = re.compile(rb"[\x80-\xff\0]|\r(?!\n)|(?<!\r)\n")


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


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Lookout:
    """Keeps where the next thing of a kind stands in `data`."""

    def __init__(self, data: bytes, find: Callable[[bytes, int], int]) -> None:
        """`find` gives the place of the next one from some place on; the length of `data` if there is none."""
        self._data = data
        self._find = find
        self._next = -1

    def sees(self, start: int, end: int) -> bool:
        """Whether there is one in ``data[start:end]``; `start` is never less than the time before."""
        if self._next < start < end:
            self._next = self._find(self._data, start)
        return start <= self._next < end


def raw_octet(data: bytes, start: int) -> int:
    """Where the next octet above 127 is; for `Lookout`, as is `message.long_line`."""
    for block in blocks(data, start):
        if not block.isascii():
            found = _RAW.search(block)
            assert found is not None
            return start + found.start()
        start += len(block)
    return start


def odd_octet(data: bytes, start: int) -> int:
    """Where the next octet is that 7-bit lines do not have (RFC 5321 §4.5.2, RFC 2045 §2.7): above 127, NUL, or CR or LF alone."""
    for block in blocks(data, start):
        if not (block.isascii() and is_clean(block)):
            found = _ODD.search(block)
            assert found is not None
            return start + found.start()
        start += len(block)
    return start
