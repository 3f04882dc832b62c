"""Who waits, and what was said of it: the spool and the database together."""

from __future__ import annotations

from mailer.status.api import every
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office


def waiting(office: Office) -> list[tuple[str, str]]:
    """The domain of each recipient who waits, and what was said to us."""
    with office.view() as view:
        return sorted((each.domain, each.why) for each in every(view.backlog))


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
    office.close()
    office.path.unlink()
    assert waiting(office) == [("known.example", "451 4.3.0 later")]


def test_a_message_that_has_left_the_spool_waits_for_nobody(office: Office) -> None:
    """Whatever the database still says: its end is being written down."""
    id = office.deferred("b@known.example")
    (office.spool_path(id)).unlink()
    assert waiting(office) == []
