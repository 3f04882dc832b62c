"""A lesson: what a user has said of a message; and the interface of where lessons are kept.

Of one message the last word counts. A filter is told where it was not told the same before: so a word that was taken back before anybody
heard of it is never told, and one that was told is undone by its reverse. Who asks waits for the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.scan.opinion import Class

KEPT: Final = 30 * 86400.0  # seconds that a lesson is kept, told or not
MOST: Final = 50_000  # lessons; the oldest go first, and of those that all have heard earlier than others
TRIES: Final = 5  # after which a filter is not told any more what it cannot learn


class Lesson(NamedTuple):
    """What the owner of a mailbox said `at` that time of the message `mail` in it: both are IDs. `address` is his."""

    owner: str
    mail: str
    address: str
    verdict: Class
    at: float


class Lessons(Protocol):
    """Where lessons are kept. What fails raises `Problem`, as `mailer.io.database` says."""

    def hear(self, lessons: Sequence[Lesson]) -> None:
        """Keep these, each in place of the one of its message; durable when it returns."""

    def due(self, filter: str, now: float, limit: int = 100) -> Sequence[Lesson]:
        """What the filter of that name is to be told now, the oldest first."""

    def told(self, filter: str, lessons: Sequence[Lesson]) -> None:
        """Note that it has heard these."""

    def failed(self, filter: str, lesson: Lesson, until: float, *, counts: bool = True) -> bool:
        """Note that it could not learn this one, and is to be told again `until` then; whether it is, or this was the last try that
        `counts`."""

    def forget(self, lessons: Sequence[Lesson]) -> None:
        """Forget what is of a message that is gone."""

    def waiting(self, filters: Sequence[str]) -> int:
        """How many lessons one of these filters has not heard."""

    def sweep(self, now: float, filters: Sequence[str]) -> int:
        """Forget what is too old, or too much; of how many lessons that not all of `filters` have heard."""

    def close(self) -> None:
        """Let go of what is open."""
