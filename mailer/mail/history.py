"""All that is known of one message's recipients: the outcome records of its spool file, read in order.

State is read off, never stored: who is still to be tried, how often it was tried, when it is due next
and what the message as a whole counts as, all follow from the records. A later record for a recipient
overrides an earlier one, so that hearing the same news twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from .outcome import Outcome, Verdict

Status = Literal["queued", "sending", "deferred", "held", "sent", "failed", "expired", "cancelled"]
"""What a message counts as, in the words of `mailer status`; ``sending`` is only while a daemon is at it."""

RecipientStatus = Literal[Status, "bounced", "complained"]
"""What one recipient counts as: a report or a complaint may come after the message was sent."""

Word = Literal[RecipientStatus, "scheduled"]
"""What people call the state of a message or of a recipient, and choose messages by."""

PENDING: tuple[Status, ...] = ("queued", "sending", "deferred", "held")
"""The statuses of a message that is still to be delivered."""

DONE: tuple[Status, ...] = ("sent", "failed", "expired", "cancelled")
"""The statuses of a message that is done with."""

STATUSES = (*PENDING, *DONE)

SCHEDULED: Literal["scheduled"] = "scheduled"
"""A deferred message that nobody was asked to take yet, for its sender wants it to leave later."""

LATER: tuple[RecipientStatus, ...] = ("bounced", "complained")
"""What a recipient can become after the message was sent."""

UNDELIVERED: tuple[RecipientStatus, ...] = ("failed", "expired", *LATER)
"""The statuses of a recipient that ``mailer bounces`` is about; an index of the status database names them too."""

KEPT = 20_000  # outcomes that are held in memory for one message, beside the last of each recipient
RECORD = 250  # octets of a record but for its text
SHARED = 6  # octets of a recipient that shares one


class History:
    """The outcomes of a message with `count` recipients, oldest first.

    Of a message that has been tried very often the oldest are forgotten, those apart that still count. `weight` is about how
    many octets all records together have in the spool.
    """

    __slots__ = ("count", "last", "outcomes", "tries", "weight")

    def __init__(self, count: int, outcomes: Iterable[Outcome] = ()) -> None:
        self.count = count
        self.outcomes: list[Outcome] = []
        self.last: dict[int, Outcome] = {}
        self.tries: dict[int, int] = {}
        self.weight = 0
        if outcomes:
            self.add(outcomes)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what was learned; an outcome for a recipient that the envelope does not have is ignored."""
        for outcome in outcomes:
            if not 0 <= outcome.to < self.count:
                continue
            before = self.outcomes[-1] if self.outcomes else None
            shares = before is not None and before.text == outcome.text and before.due == outcome.due
            self.weight += SHARED if shares else RECORD + len(outcome.text)
            self.outcomes.append(outcome)
            self.last[outcome.to] = outcome
            if outcome.counts:
                self.tries[outcome.to] = self.tries.get(outcome.to, 0) + 1
        if len(self.outcomes) > 2 * KEPT + self.count:
            self._forget()

    def _forget(self) -> None:
        """Keep the newest, and the last of each recipient."""
        old, new = self.outcomes[:-KEPT], self.outcomes[-KEPT:]
        self.outcomes = [outcome for outcome in old if self.last[outcome.to] is outcome] + new

    def pending(self, now: float | None = None) -> list[int]:
        """The recipients without a final outcome; with `now`, those of them that are due by then."""
        return [to for to in range(self.count) if self._pending(to, now)] if self.last else [*range(self.count)]

    def _pending(self, to: int, now: float | None) -> bool:
        last = self.last.get(to)
        if last is None:
            return True
        return not last.final and (now is None or last.due <= now)

    @property
    def done(self) -> bool:
        """Whether every recipient has its final outcome."""
        return not self.pending()

    @property
    def due(self) -> float:
        """When the earliest pending recipient is due; 0.0 if one was never tried or none is pending."""
        return min((self.last[to].due if to in self.last else 0.0 for to in self.pending()), default=0.0)

    @property
    def attempts(self) -> int:
        """How often the message was tried: the most that any recipient of it was."""
        return max(self.tries.values(), default=0)

    def with_verdict(self, *verdicts: str) -> list[int]:
        """The recipients whose last outcome is one of `verdicts`."""
        return [to for to, last in sorted(self.last.items()) if last.verdict in verdicts]

    def status(self, otherwise: Status = "queued") -> Status:
        """The message's status in the words of `mailer status`, by its worst final outcome.

        `otherwise` is what the message counts as before anything was tried.
        """
        if not self.last:
            return otherwise
        found = 0
        for last in self.last.values():
            if last.verdict == "defer":
                return "deferred"
            found = max(found, _WORST.get(last.verdict, 0))
        return "deferred" if len(self.last) < self.count else _STATUS[found]


_WORST: dict[Verdict, int] = {"cancel": 1, "expire": 2, "fail": 3}
_STATUS: tuple[Status, ...] = ("sent", "cancelled", "expired", "failed")

RECIPIENT_STATUS: dict[Verdict, Status] = {
    "delivered": "sent",
    "defer": "deferred",
    "fail": "failed",
    "expire": "expired",
    "cancel": "cancelled",
}
"""The word of `mailer status` for a recipient's last verdict."""


def latest(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The outcome that was learned last, by time."""
    return max(outcomes, key=lambda outcome: outcome.at, default=None)
