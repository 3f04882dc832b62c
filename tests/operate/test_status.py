"""What waits, counted for every door."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.intake.client import RemoteView
from mailer.mail.problem import Problem
from mailer.operate.status import HEADINGS, Backlog, Pile, piles
from mailer.status.api import Waiting
from tests.fakes.mail import NOW
from tests.status.office import Office


def test_what_waits_is_counted_three_ways(office: Office) -> None:
    """Recipients, not messages; what is held waits for nobody."""
    office.deferred("a@x.example", "b@x.example", text="greylisted"), office.put("c@y.example"), office.held("d@z.example")
    with office.view() as view:
        backlog = Backlog(view, None, NOW + 60)
        assert [(each.name, each.pile.total) for each in backlog.by_domain()] == [("x.example", 2), ("y.example", 1)]
        assert sum(each.pile.total for each in backlog.by_destination()) == 3
        assert {(each.reason, each.pile.total) for each in backlog.by_reason()} == {("451 4.3.0 greylisted", 2), ("not tried yet", 1)}
        assert [each.as_json()["domain"] for each in backlog.by("domain")] == ["x.example", "y.example"]


@pytest.mark.parametrize("what", ["destination", "domain", "reason"])
def test_one_users_mail_says_nothing_of_destinations(tmp_path: Path, what: str) -> None:
    """They concern all mail."""
    with pytest.raises(Problem) as caught:
        Backlog(RemoteView(str(tmp_path)), None, NOW).by(what)
    assert caught.value.kind == "no-permission"


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
