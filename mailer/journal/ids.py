"""IDs of events: ULIDs that ascend strictly, also over a restart and a clock that was set back.

They look like those of messages. Time is in them as long as the clock goes on; where it does not, the next ID is a little more than
the last one, and `JournalEvent.at` says when it was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.spool import ALPHABET, is_id

if TYPE_CHECKING:
    from collections.abc import Callable

_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]  # two symbols at a time: there is one for each event
_BEHIND = 20  # bits that the last two pairs write
_FRONT = range(120, _BEHIND - 1, -10)


class Ascending:
    """A maker of IDs, each above all before, and above `after`. `now` tells seconds since the epoch."""

    def __init__(self, now: Callable[[], float], after: str = "") -> None:
        self._now = now
        self._last = number_of(after)

    def beyond(self, id: str) -> None:
        """Let what is made from now on be above `id`."""
        self._last = max(self._last, number_of(id))

    def next(self) -> str:
        """The next ID."""
        return self.take(1)[0]

    def take(self, count: int) -> list[str]:
        """IDs of the same moment, so many."""
        millisecond, number = int(self._now() * 1000), self._last + 1
        if number >> 80 < millisecond < 1 << 48:
            number = millisecond << 80 | int.from_bytes(os.urandom(10), "big") >> 1  # one more of the same millisecond is one more
        self._last = number + count - 1
        found: list[str] = []
        while count:
            front = "".join([_PAIRS[(number >> shift) & 1023] for shift in _FRONT])  # which all have, but for a carry
            end = min(number + count, ((number >> _BEHIND) + 1) << _BEHIND)
            found += [f"{front}{_PAIRS[(each >> 10) & 1023]}{_PAIRS[each & 1023]}" for each in range(number, end)]
            count -= end - number
            number = end
        return found


def number_of(id: str) -> int:
    """The number that an ID writes; -1 for what is none."""
    number = 0 if is_id(id) else -1
    for symbol in id if number == 0 else "":
        number = number * 32 + ALPHABET.index(symbol)
    return number
