"""How a filter does: since when it does not answer, and whether mail still waits for it. Pure; time comes in as an argument, in seconds.

While an outage is younger than the patience that the operator has with this filter, mail is put off; a restart costs nobody anything. Then
mail is taken, and marked as not looked at, unless the patience is without an end. Both moments are told, once each, and so is the end.
"""

from __future__ import annotations

from typing import Literal

HealthNews = Literal["", "fails", "passed over", "answers"]
"""What is to be told: nothing; the first failure; that mail is taken without it from now on; that it is over."""


class FilterHealth:
    """The health of one filter, of which it is known what `patience` there is with it, in seconds."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.since: float | None = None
        """When the outage began, on the monotonic clock; None while the filter answers."""
        self.trouble = ""
        """What went wrong last."""
        self._passed_over = False
        self._new = True

    def answered(self) -> HealthNews:
        """Note an answer."""
        over, self._new = self.since is not None or self._new, False
        self.since, self.trouble, self._passed_over = None, "", False
        return "answers" if over else ""

    def failed(self, now: float, why: str) -> HealthNews:
        """Note a failure."""
        self.trouble, self._new = why, False
        if self.since is None:
            self.since = now
            return "fails"
        if not self._passed_over and not self.waits(now):
            self._passed_over = True
            return "passed over"
        return ""

    def waits(self, now: float) -> bool:
        """Whether mail is put off for it."""
        return self.since is None or now - self.since < self.patience
