"""Folding: what is the same is one line with a count, not two thousand.

While a destination is down, each message that waits for it meets the same reply. The first is written in full; those that say the same
within `SPAN` seconds are counted, and a line at the end of that time says how many there were. Nothing is folded that was delivered, or
that is final: whoever looks for a message finds its end. What became of each one is in the status, whatever is folded here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from mailer.mail.outcome import Outcome

SPAN = 60.0  # seconds that one line stands for
MOST = 1000  # different ones that are counted at a time; what is beyond is written in full
FEW = 3  # that are written in full before the rest is counted

Same = tuple[str, str]


class _Heap(NamedTuple):
    """Outcomes that say the same: `until` is when the time of their line ends, in seconds since the epoch."""

    until: float
    seen: int
    folded: int
    first: str
    last: str


class LogFolding:
    """Counts recipients who are put off for the same reason at the same host."""

    def __init__(self) -> None:
        self._heaps: dict[Same, _Heap] = {}

    def takes(self, outcome: Outcome, id: str) -> bool:
        """Whether this outcome, of message `id`, is counted instead of written."""
        if outcome.scope in ("recipient", "message"):
            return False
        same = outcome.hop.host, outcome.text
        heap = self._heaps.get(same)
        if heap is None:
            if len(self._heaps) < MOST:
                self._heaps[same] = _Heap(outcome.at + SPAN, 1, 0, "", "")
            return False
        if heap.seen < FEW:
            self._heaps[same] = heap._replace(seen=heap.seen + 1)
            return False
        self._heaps[same] = heap._replace(folded=heap.folded + 1, first=heap.first or id, last=id)
        return True

    def over(self, now: float, *, all: bool = False) -> list[dict[str, object]]:
        """The lines for what was counted until `now`: of those whose time is over, or of `all`."""
        if not self._heaps:
            return []
        lines: list[dict[str, object]] = []
        for (host, text), heap in [*self._heaps.items()]:
            if not all and now < heap.until:
                continue
            del self._heaps[host, text]
            if heap.folded:
                lines.append({
                    "at": rfc3339(now), "level": "warning", "event": "deferred", "same": heap.folded, "host": host or None, "reply": text,
                    "first": heap.first, "last": heap.last,
                })  # fmt: skip
                if not all:  # it goes on: what comes next is counted at once
                    self._heaps[host, text] = _Heap(now + SPAN, FEW, 0, "", "")
        return lines
