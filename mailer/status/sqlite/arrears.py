"""Arrears: what the database has not taken yet, in order, while it is locked, has no room or is not there.

Kept as rows, which hold on to no message. There is a bound: beyond it the oldest goes, which is counted and told; what of it is still
in the spool is made good from there (`catchup`).

Used by the writer.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.events import Corrupt, Standings

    from .rows import Row

KEPT = 60_000  # rows: some 20,000 messages that were delivered to one recipient each, and some 50 MB


class NewsBatch(NamedTuple):
    """What is written in one transaction: rows of the tables, and events that are about something else than messages on their way."""

    emails: Sequence[Row]
    recipients: Sequence[Row]
    attempts: Sequence[Row]
    dialogs: Sequence[Row]
    strangers: Sequence[tuple[str, int | str]]
    others: Sequence[Corrupt | Standings]

    @property
    def weight(self) -> int:
        """How many rows it has."""
        return sum(map(len, self))


class Arrears:
    """The batches that could not be written yet, the oldest first. `lost` counts the messages that there was no room for."""

    def __init__(self) -> None:
        self._batches: deque[NewsBatch] = deque()
        self._weight = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def messages(self) -> int:
        """How many changes of messages are not written yet."""
        return sum(len(batch.emails) for batch in self._batches)

    def add(self, batch: NewsBatch) -> None:
        """Add one more batch; the oldest make room for it."""
        self._batches.append(batch)
        self._weight += batch.weight
        while self._weight > KEPT and len(self._batches) > 1:
            self.lost += len(self._batches[0].emails)
            self.done()

    def first(self) -> NewsBatch:
        """The oldest batch."""
        return self._batches[0]

    def done(self) -> None:
        """Let go of the oldest batch: it is written, or never will be."""
        self._weight -= self._batches.popleft().weight
