"""What the daemon says of its destinations: what is new, and nothing else."""

from __future__ import annotations

from mailer.queue.destination import Destination, Window
from mailer.queue.recorder import DestinationStates, standing_of
from tests.fakes.mail import NOW


def destination(key: str = "relay:out") -> Destination:
    """One at rest."""
    return Destination(key, Window(5, 20))


def test_the_first_bulletin_says_that_it_is_all_there_is() -> None:
    """Also where there is nothing: what an earlier daemon knew is out of date."""
    news = DestinationStates().news([], NOW)
    assert news is not None
    assert (news.first, news.changed, news.gone) == (True, [], [])


def test_only_what_has_changed_is_told() -> None:
    """Nothing, while nothing has."""
    states, one, two = DestinationStates(), destination("relay:one"), destination("relay:two")
    states.news([one, two], NOW)
    assert states.news([one, two], NOW + 1) is None
    two.window.failed()
    news = states.news([one, two], NOW + 2)
    assert news is not None
    assert ([standing.key for standing in news.changed], news.gone, news.first) == (["relay:two"], [], False)


def test_a_destination_that_is_forgotten_is_gone() -> None:
    """Once."""
    states, one = DestinationStates(), destination()
    states.news([one], NOW)
    news = states.news([], NOW + 1)
    assert news is not None
    assert news.gone == ["relay:out"]
    assert states.news([], NOW + 2) is None


def test_a_breaker_is_closed_open_and_half_open() -> None:
    """Open until a time; from then on one session finds out."""
    dead = destination()
    assert standing_of(dead, NOW).breaker == "closed"
    for _ in range(dead.breaker.threshold):
        dead.breaker.failed(NOW, "451 4.4.1 no answer")
    shut = standing_of(dead, NOW)
    assert (shut.breaker, shut.wait, shut.breaker_reason, shut.failures) == ("open", "breaker", "451 4.4.1 no answer", 3)
    assert shut.open_until == shut.wait_until > NOW
    assert standing_of(dead, shut.open_until + 1).breaker == "half-open"


def test_a_pause_and_the_last_reply_are_told() -> None:
    """Why it rests, for how long, and what it said last."""
    resting = destination()
    resting.told(NOW - 5, "451 4.7.1 slow down")
    resting.paused_until, resting.pause_reason = NOW + 60, "it asked us to"
    told = standing_of(resting, NOW)
    assert (told.paused_until, told.pause_reason, told.last_reply, told.last_at) == (
        NOW + 60,
        "it asked us to",
        "451 4.7.1 slow down",
        NOW - 5,
    )
    assert (told.wait, told.wait_detail, told.wait_until) == ("pause", "it asked us to", NOW + 60)
    assert standing_of(resting, NOW + 61).paused_until == 0.0


def test_what_comes_to_rest_is_told_once_more() -> None:
    """And then not again, until something happens."""
    states, one = DestinationStates(), destination()
    one.running = 1
    states.news([one], NOW)
    one.running = 0
    news = states.news([one], NOW + 1)
    assert news is not None
    assert [standing.sessions for standing in news.changed] == [0]
    assert states.news([one], NOW + 2) is None
    one.told(NOW + 3, "550 no")
    news = states.news([one], NOW + 3)
    assert news is not None
    assert [standing.last_reply for standing in news.changed] == ["550 no"]
