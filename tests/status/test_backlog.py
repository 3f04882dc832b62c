"""Who waits, for what and since when: the spool and the database together, as they are counted for a person."""

from __future__ import annotations

from mailer.status.backlog import HEADINGS, Pile, piles
from mailer.status.reader import Waiting
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office


def waiting(office: Office) -> list[tuple[str, str]]:
    """The domain of each recipient who waits, and what was said to us."""
    with office.view() as view:
        return sorted((each.domain, each.why) for each in view.waiting())


def test_those_who_wait_are_counted_wherever_they_are(office: Office) -> None:
    """Known to the database or not; not who has his mail, and not who is held or given up."""
    office.put("a@new.example")
    office.deferred("b@known.example")
    office.deferred("c@unknown.example", known=False)
    office.sent("d@sent.example")
    office.failed("e@failed.example")
    office.held("f@held.example")
    said = "451 4.3.0 come back later"
    assert waiting(office) == [("known.example", said), ("new.example", ""), ("unknown.example", said)]


def test_of_a_message_only_those_count_who_still_wait(office: Office) -> None:
    """The others have it."""
    id = office.put("a@one.example", "b@two.example")
    office.settle(id, outcome(0), outcome(1, "defer", due=NOW + 60))
    assert [domain for domain, _ in waiting(office)] == ["two.example"]


def test_without_the_database_the_spool_tells(office: Office) -> None:
    """Deleting it loses history only."""
    office.deferred("b@known.example", text="later")
    office.writer.close()
    office.path.unlink()
    assert waiting(office) == [("known.example", "451 4.3.0 later")]


def test_a_message_that_has_left_the_spool_waits_for_nobody(office: Office) -> None:
    """Whatever the database still says: its end is being written down."""
    id = office.deferred("b@known.example")
    (office.spool_path(id)).unlink()
    assert waiting(office) == []


def test_ages_fall_into_columns_that_double() -> None:
    """Less than 5 minutes, less than 10, and so on; the last one has no end."""
    minutes = (0, 4.9, 5, 10, 39, 40, 1279, 1280, 50_000)
    found = piles([Waiting("x", NOW - 60 * age, "d", "", "") for age in minutes], lambda each: each.domain, NOW)
    ages = dict(zip(HEADINGS, found["d"].ages, strict=True))
    assert ages == {"5": 2, "10": 1, "20": 1, "40": 1, "80": 1, "160": 0, "320": 0, "640": 0, "1280": 1, "1280+": 2}
    assert (found["d"].total, found["d"].oldest) == (9, NOW - 60 * 50_000)


def test_the_largest_pile_comes_first() -> None:
    """That is what one looks for."""
    found = piles([Waiting("x", NOW, domain, "", "") for domain in "abbccc"], lambda each: each.domain, NOW)
    assert [(name, pile.total) for name, pile in found.items()] == [("c", 3), ("b", 2), ("a", 1)]
    assert Pile().as_json()["oldest_at"] is None
