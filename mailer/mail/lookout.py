"""Where in a message something stands that not every server takes, for one who reads it from left to right: no octet is looked at twice."""

from __future__ import annotations

import re

from .message import blocks, is_clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_RAW = re.compile(rb"[\x80-\xff]")
_ODD = re.compile(rb"[\x80-\xff\0]|\r(?!\n)|(?<!\r)\n")


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
