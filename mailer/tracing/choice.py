"""Which attempts are traced. Asked of each one, so it has to be quick."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from mailer.events import Tried
    from mailer.mail.outcome import Outcome


class Choice:
    """A `sample` of all messages (0 to 1), and with `failures` each attempt that somebody did not get; `slow` is in seconds, 0.0 never."""

    __slots__ = ("_below", "_failures", "_slow")

    def __init__(self, sample: float = 0.01, *, failures: bool = True, slow: float = 10.0) -> None:
        self._below = sample * (1 << 32)
        self._failures = failures
        self._slow = slow or inf

    def wants(self, event: Tried) -> bool:
        """Whether to trace that. What was put off without an attempt is none."""
        outcomes = event.outcomes
        if len(outcomes) == 1 and outcomes[0].verdict == "delivered":  # as nearly always
            return outcomes[0].seconds >= self._slow or self._sampled(event)
        made = [outcome for outcome in outcomes if outcome.counts or outcome.trace is not None]
        return any(map(self._matters, made)) or (bool(made) and self._sampled(event))

    def _sampled(self, event: Tried) -> bool:
        """By its ID alone: all attempts of a message are, or none."""
        return crc32(event.entry.id.encode()) < self._below

    def _matters(self, outcome: Outcome) -> bool:
        return outcome.seconds >= self._slow or (self._failures and outcome.verdict != "delivered")
