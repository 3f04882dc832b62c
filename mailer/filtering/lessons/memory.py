"""Lessons in memory: for tests, and for what ends with its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import KEPT, MOST, TRIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.scan.opinion import Class

    from .api import Lesson


class MemoryLessons:
    """Lessons that are gone with the process: `Lessons`."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[tuple[str, str], Lesson] = {}
        self._heard: dict[tuple[str, str, str], Class] = {}
        self._tries: dict[tuple[str, str, str, Class], tuple[int, float]] = {}

    def hear(self, lessons: Sequence[Lesson]) -> None:
        """Keep these."""
        self._kept.update(((each.owner, each.mail), each) for each in lessons)

    def due(self, filter: str, now: float, limit: int = 100) -> Sequence[Lesson]:
        """What a filter is to be told."""
        some = [each for each in self._unheard([filter]) if self._tries.get(_tried(filter, each), (0, 0.0))[1] <= now]
        return some[:limit]

    def told(self, filter: str, lessons: Sequence[Lesson]) -> None:
        """Note that it has heard these."""
        for each in lessons:
            self._heard[filter, each.owner, each.mail] = each.verdict
            self._tries.pop(_tried(filter, each), None)

    def failed(self, filter: str, lesson: Lesson, until: float, *, counts: bool = True) -> bool:
        """Note that it could not learn this one."""
        tries = self._tries.get(key := _tried(filter, lesson), (0, 0.0))[0] + counts
        if tries >= TRIES:
            self.told(filter, [lesson])
            return False
        self._tries[key] = tries, until
        return True

    def forget(self, lessons: Sequence[Lesson]) -> None:
        """Forget what is of a message that is gone."""
        gone = {(each.owner, each.mail) for each in lessons}
        self._kept = {key: each for key, each in self._kept.items() if key not in gone}
        self._heard = {key: each for key, each in self._heard.items() if key[1:] not in gone}

    def waiting(self, filters: Sequence[str]) -> int:
        """How many have not been heard."""
        return len(self._unheard(filters))

    def sweep(self, now: float, filters: Sequence[str]) -> int:
        """Forget what is too old, or too much."""
        unheard = {each.mail for each in self._unheard(filters)}
        order = sorted(self._kept.values(), key=lambda each: (each.mail in unheard, each.at))
        surplus = max(len(order) - self._most, 0)
        gone = [each for nth, each in enumerate(order) if nth < surplus or each.at < now - KEPT]
        self.forget(gone)
        return sum(each.mail in unheard for each in gone)

    def close(self) -> None:
        """Nothing is open."""

    def _unheard(self, filters: Sequence[str]) -> list[Lesson]:
        some = (each for each in self._kept.values() if any(self._is_new(filter, each) for filter in filters))
        return sorted(some, key=lambda each: (each.at, each.mail))

    def _is_new(self, filter: str, lesson: Lesson) -> bool:
        return self._heard.get((filter, lesson.owner, lesson.mail)) != lesson.verdict


def _tried(filter: str, lesson: Lesson) -> tuple[str, str, str, Class]:
    return filter, lesson.owner, lesson.mail, lesson.verdict
