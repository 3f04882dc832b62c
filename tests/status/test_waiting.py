"""Who waits, and what was said of it: the spool and the database together."""

from __future__ import annotations

from mailer.status.api import every
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office


def waiting(office: Office) -> list[tuple[str, str]]:
    """The domain of each recipient who waits, and what was said to us."""
    with office.view() as view:
        return sorted((each.domain, each.why) for each in every(view.backlog))


def test_those_who_wait_are_counted_wherever_they_are(either: Office) -> None:
    """Known to the database or not; not who has his mail, and not who is held or given up."""
    either.put("a@new.example")
    either.deferred("b@known.example")
    either.deferred("c@unknown.example", known=False)
    either.sent("d@sent.example")
    either.failed("e@failed.example")
    either.held("f@held.example")
    said = "451 4.3.0 come back later"
    assert waiting(either) == [("known.example", said), ("new.example", ""), ("unknown.example", said)]


def test_of_a_message_only_those_count_who_still_wait(either: Office) -> None:
    """The others have it."""
    id = either.put("a@one.example", "b@two.example")
    either.settle(id, outcome(0), outcome(1, "defer", due=NOW + 60))
    assert [domain for domain, _ in waiting(either)] == ["two.example"]


def test_without_the_database_the_spool_tells(office: Office) -> None:
    """Deleting it loses history only."""
    office.deferred("b@known.example", text="later")
    office.close()
    office.path.unlink()
    assert waiting(office) == [("known.example", "451 4.3.0 later")]


def test_a_message_that_has_left_the_spool_waits_for_nobody(either: Office) -> None:
    """Whatever the database still says: its end is being written down."""
    id = either.deferred("b@known.example")
    (either.spool_path(id)).unlink()
    assert waiting(either) == []
