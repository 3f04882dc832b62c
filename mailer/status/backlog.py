"""The backlog: how many recipients wait for their mail, for whom, and since when, as qshape(1) counts them.

It is counted from what lies in the spool, not from what the daemon has in memory, so it is right whether or not one runs, and
however little of a long queue the daemon has read. Held mail does not wait for anybody and is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailer.mail.when import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .reader import Waiting

EDGES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)  # minutes
HEADINGS = (*map(str, EDGES), "1280+")
"""What each column holds: the recipients who have waited for less than so many minutes, and no less than the one before."""


@dataclass(slots=True)
class Pile:
    """The recipients who wait for one thing: by age, and when the first of their messages was put."""

    ages: list[int] = field(default_factory=lambda: [0] * len(HEADINGS))
    oldest: float = 0.0

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.ages)

    def add(self, queued_at: float, now: float) -> None:
        """One more."""
        minutes = (now - queued_at) / 60
        self.ages[next((at for at, edge in enumerate(EDGES) if minutes < edge), len(EDGES))] += 1
        self.oldest = min(self.oldest or queued_at, queued_at)

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --destinations --json`` has it."""
        return {
            "total": self.total,
            "by_age_minutes": dict(zip(HEADINGS, self.ages, strict=True)),
            "oldest_at": rfc3339(self.oldest) if self.oldest else None,
        }


def piles(waiting: Iterable[Waiting], name: Callable[[Waiting], str], now: float) -> dict[str, Pile]:
    """Those who wait, in piles by what `name` makes of each; the largest first."""
    found: dict[str, Pile] = {}
    for each in waiting:
        key = name(each)
        pile = found.get(key)
        if pile is None:
            pile = found[key] = Pile()
        pile.add(each.queued_at, now)
    return dict(sorted(found.items(), key=lambda item: -item[1].total))
