"""Lessons are kept alike wherever they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.filtering.lessons.api import KEPT, TRIES, Lesson, Lessons
from mailer.filtering.lessons.memory import MemoryLessons
from mailer.filtering.lessons.sqlite import NAME, SqliteLessons

NOW = 1_800_000_000.0
ANN = "ann@example.com"
SPAM = Lesson("o1", "m1", ANN, "spam", NOW)
HAM = SPAM._replace(verdict="ham", at=NOW + 1)
OTHER = Lesson("o2", "m2", "bob@example.com", "ham", NOW + 2)


@pytest.fixture(params=["sqlite", "memory"])
def lessons(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lessons]:
    kept: Lessons = SqliteLessons(str(tmp_path), 3) if request.param == "sqlite" else MemoryLessons(3)
    yield kept
    kept.close()


def test_at_first_there_is_nothing_to_tell(lessons: Lessons) -> None:
    """And nothing is made by asking."""
    assert (lessons.due("spamd", NOW), lessons.waiting(["spamd"]), lessons.sweep(NOW, ["spamd"])) == ([], 0, 0)


def test_each_filter_hears_each_lesson_once(lessons: Lessons) -> None:
    """The oldest first, no more than are asked for; what one has heard, another has not."""
    lessons.hear([OTHER, SPAM])
    assert lessons.due("spamd", NOW) == lessons.due("rspamd", NOW) == [SPAM, OTHER]
    assert lessons.due("spamd", NOW, 1) == [SPAM]
    lessons.told("spamd", [SPAM])
    lessons.hear([SPAM._replace(at=NOW + 9)])
    assert lessons.due("spamd", NOW) == [OTHER]
    assert lessons.waiting(["spamd", "rspamd"]) == 2
    lessons.told("spamd", [OTHER])
    assert (lessons.due("spamd", NOW), lessons.waiting(["spamd"])) == ([], 0)


def test_the_last_word_counts(lessons: Lessons) -> None:
    """One that was taken back before it was told is not told; one that was told is undone by its reverse."""
    lessons.hear([SPAM, HAM])
    assert lessons.due("spamd", NOW) == [HAM]
    lessons.told("spamd", [HAM])
    lessons.hear([SPAM])
    assert lessons.due("spamd", NOW) == [SPAM]
    lessons.hear([HAM])
    assert lessons.due("spamd", NOW) == []


def test_what_cannot_be_learned_is_tried_again_some_times(lessons: Lessons) -> None:
    """Not before its time; a new word about the message begins anew."""
    lessons.hear([SPAM])
    assert lessons.failed("spamd", SPAM, NOW + 60)
    assert lessons.due("spamd", NOW + 59) == []
    assert lessons.due("rspamd", NOW) == lessons.due("spamd", NOW + 60) == [SPAM]
    assert [lessons.failed("spamd", SPAM, NOW) for _ in range(TRIES - 1)] == [True] * (TRIES - 2) + [False]
    assert lessons.due("spamd", NOW) == []
    lessons.hear([HAM])
    assert lessons.due("spamd", NOW) == [HAM]
    assert lessons.failed("spamd", HAM, NOW)


def test_what_is_of_a_message_that_is_gone_is_forgotten(lessons: Lessons) -> None:
    """With what was heard of it."""
    lessons.hear([SPAM, OTHER])
    lessons.told("spamd", [SPAM])
    lessons.forget([SPAM])
    assert lessons.due("spamd", NOW) == lessons.due("rspamd", NOW) == [OTHER]
    lessons.hear([SPAM])
    assert lessons.due("spamd", NOW) == [SPAM, OTHER]


def test_there_are_not_too_many(lessons: Lessons) -> None:
    """What was heard goes first, then the oldest; how many went unheard is said."""
    many = [Lesson("o", f"m{n}", ANN, "spam", NOW + n) for n in range(6)]
    lessons.hear(many[:4])
    lessons.told("spamd", [many[3]])
    assert lessons.sweep(NOW, ["spamd"]) == 0
    assert lessons.due("spamd", NOW) == many[:3]
    lessons.hear(many[4:])
    assert lessons.sweep(NOW, ["spamd"]) == 2
    assert lessons.due("spamd", NOW) == [many[2], *many[4:]]
    assert lessons.sweep(NOW + 4.5 + KEPT, ["spamd"]) == 2
    assert lessons.due("spamd", NOW) == many[5:]


def test_another_process_is_heard(tmp_path: Path) -> None:
    """What one writes, another reads; the file is for its owner alone."""
    one, two = SqliteLessons(str(tmp_path)), SqliteLessons(str(tmp_path))
    assert two.due("spamd", NOW) == []
    one.hear([SPAM])
    assert two.due("spamd", NOW) == [SPAM]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    one.close()
    two.close()
