"""Which attempts are traced. Asked of each one, so it has to be quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from mailer.events import Tried

ALL = 1 << 32


class Choice(NamedTuple):
    """A `sample` of all messages (0 to 1), and with `failures` each attempt that somebody did not get; `slow` is in seconds, 0.0 never."""

    sample: float = 0.01
    failures: bool = True
    slow: float = 10.0

    def wants(self, event: Tried) -> bool:
        """Whether to trace that. What was put off without an attempt is none."""
        if crc32(event.entry.id.encode()) < self.sample * ALL:
            return any(outcome.counts or outcome.trace is not None for outcome in event.outcomes)
        for outcome in event.outcomes:
            if self.failures and outcome.verdict != "delivered" and (outcome.counts or outcome.trace is not None):
                return True
            if self.slow and outcome.seconds >= self.slow:
                return True
        return False
