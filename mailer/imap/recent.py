"""Which messages are recent for one session: it was the first that was told of them, or could have been. RFC 3501 §2.3.2.

They are kept as runs of UIDs in which all that the session knows is recent. There is another run where somebody else was the first in
between, so that ten thousand messages that came at once are one. What was expunged stays in its run, for its UID never comes again.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right


class RecentUids:
    """UIDs, ascending, in runs."""

    __slots__ = ("_bounds",)

    def __init__(self) -> None:
        self._bounds = array("I")  # of each run the first UID, and the one behind the last

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def __contains__(self, uid: int) -> bool:
        return bool(bisect_right(self._bounds, uid) & 1)

    def runs(self) -> list[tuple[int, int]]:
        """The first and the last UID of each run."""
        return [(first, end - 1) for first, end in zip(self._bounds[::2], self._bounds[1::2], strict=True)]

    def add(self, first: int, end: int) -> None:
        """Have those from `first` on, up to the one before `end`, which are above all that are here."""
        bounds = self._bounds
        first = max(first, bounds[-1]) if bounds else first
        if first >= end:
            return
        if bounds and bounds[-1] == first:
            bounds[-1] = end
        else:
            bounds.extend((first, end))

    def clear(self) -> None:
        """Have none."""
        self._bounds = array("I")
