"""A destination: the order of its queue, how many sessions it may have, and when it is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.history import History
from mailer.queue.attempt import Attempt, Job
from mailer.queue.destination import Breaker, Destination, Window
from mailer.spool.api import Entry
from mailer.transport.route import Route
from tests.fakes.mail import NOW, envelope

WAY = Route("relay:out", (), relay=True)


def job(priority: str = "normal") -> Job:
    letter = envelope(priority=priority)
    return Job(Attempt(Entry(letter.id, "queued", letter, 0, History(1), 0.0, NOW), NOW), WAY, [0])


# The queue


@given(st.lists(st.sampled_from(["high", "normal", "low"]), max_size=20))
def test_jobs_of_one_kind_go_in_their_order(priorities: list[str]) -> None:
    """First come, first served among equals; one by one as all at once; none is lost or doubled."""
    jobs = [job(priority) for priority in priorities]
    for whole in (True, False):
        destination = Destination("d", Window(2, 5))
        for one in jobs:
            destination.add(one)
        assert len(destination) == len(jobs)
        taken = destination.take_all() if whole else [one for _ in jobs if (one := destination.take())]
        for priority in ("high", "normal", "low"):
            assert [one for one in taken if one.priority == priority] == [one for one in jobs if one.priority == priority]
        assert len(destination) == 0
        assert destination.take() is None


# The window


@given(st.integers(1, 50), st.integers(1, 50), st.lists(st.booleans(), max_size=200))
def test_the_window_stays_between_one_and_its_cap(start: int, cap: int, news: list[bool]) -> None:
    """Whatever happens."""
    window = Window(min(start, cap), cap)
    for good in news:
        before = window.size
        window.succeeded() if good else window.failed()
        assert 1 <= window.size <= cap
        assert (window.size >= before) if good else (window.size <= before)


def test_the_window_grows_by_one_for_a_round_of_successes_and_shrinks_by_one_for_a_failure() -> None:
    """Four sessions that all succeed become five; one that fails makes one fewer."""
    window = Window(4, 20)
    for _ in range(5):
        window.succeeded()
    assert 5 <= window.size < 5.2
    window.failed()
    assert 4 <= window.size < 4.2


def test_another_session_needs_a_place_and_hope() -> None:
    """Fewer sessions than the window, and a breaker that lets them."""
    destination = Destination("d", Window(2, 5))
    assert not destination.blocked(NOW)
    destination.running = 2
    assert destination.blocked(NOW) == "window"
    destination.running = 0
    destination.breaker.trip(NOW, "down")
    assert destination.blocked(NOW) == "breaker"
    assert not destination.blocked(NOW + 60)


# The breaker


def test_it_opens_after_three_failures_in_a_row() -> None:
    """Two are bad luck; a success in between begins anew."""
    breaker = Breaker()
    for _ in range(2):
        breaker.failed(NOW, "x")
        breaker.failed(NOW, "x")
        assert not breaker.is_open(NOW)
        assert breaker.allows(NOW, 5)
        breaker.succeeded()
    for _ in range(3):
        breaker.failed(NOW, "451 no")
    assert breaker.is_open(NOW)
    assert breaker.reason == "451 no"
    assert not breaker.allows(NOW, 0)


def test_after_its_time_one_session_may_try() -> None:
    """Half-open: one, and only one; its success closes, its failure opens for twice as long."""
    breaker = Breaker()
    breaker.trip(NOW, "x")
    assert breaker.is_open(NOW + 59.9)
    assert not breaker.is_open(NOW + 60)
    assert breaker.allows(NOW + 60, 0)
    assert not breaker.allows(NOW + 60, 1)
    breaker.failed(NOW + 60, "y")
    assert breaker.open_until == NOW + 60 + 120
    breaker.succeeded()
    assert breaker.allows(NOW + 61, 19)
    assert breaker.reason == ""


def test_it_stays_open_for_twice_as_long_each_time_but_not_for_ever() -> None:
    """60, 120, 240, 480, then 900 seconds, also after years."""
    breaker = Breaker()
    breaker.trip(NOW, "x")
    waits, now = [60.0], breaker.open_until
    for _ in range(5000):
        breaker.failed(now, "x")
        waits.append(breaker.open_until - now)
        now = breaker.open_until
    assert waits[:6] == pytest.approx([60, 120, 240, 480, 900, 900])
    assert waits[-1] == pytest.approx(900)


def test_what_was_under_way_when_it_opened_says_nothing_new() -> None:
    """Twenty sessions that a host drops at once are one failure of it, not twenty: it is tried again after a minute."""
    breaker = Breaker()
    for nth in range(20):
        breaker.failed(NOW + nth / 10, "gone")
    assert breaker.open_until <= NOW + 1 + 60
    breaker.trip(NOW + 3, "refused")
    assert breaker.open_until <= NOW + 1 + 60


def test_tripping_opens_at_once() -> None:
    """A wrong password is wrong the next time too."""
    breaker = Breaker()
    breaker.trip(NOW, "535 wrong")
    assert breaker.is_open(NOW)
    assert breaker.open_until == NOW + 60
    assert breaker.ours


def test_it_knows_whose_fault_it_is() -> None:
    """Ours until a host talks to us, or does not even do that."""
    breaker = Breaker()
    breaker.trip(NOW, "535 wrong")
    breaker.failed(NOW + 1, "under way when it opened")
    assert breaker.ours
    breaker.failed(NOW + 60, "gone")
    assert not breaker.ours
    breaker.trip(NOW + 500, "535 wrong")
    breaker.succeeded()
    assert not breaker.ours


# The order of the queue


def letter(sender: str = "me@example.com", priority: str = "normal", state: str = "queued", parts: int = 1, id: str = "") -> Job:
    mail = envelope(sender=sender, priority=priority, id=id)
    return Job(Attempt(Entry(mail.id, state, mail, 0, History(1), 0.0, NOW), NOW, parts=parts), WAY, [0])


def served(jobs: list[Job], turns: int) -> list[Job]:
    destination = Destination("d", Window(2, 5))
    for one in jobs:
        destination.add(one)
    return [job for _ in range(turns) if (job := destination.take())]


@pytest.mark.parametrize("waiting", [["high", "normal", "low"], ["low", "high"], ["normal", "low"], ["low", "normal", "high"]])
def test_priorities_share_the_turns_by_weight(waiting: list[str]) -> None:
    """Four to two to one, to within a turn; whoever came first."""
    weights = {"high": 4, "normal": 2, "low": 1}
    turns = 10 * sum(weights[priority] for priority in waiting)
    taken = served([letter(priority=priority) for priority in waiting for _ in range(100)], turns)
    for priority in waiting:
        assert abs(sum(1 for one in taken if one.priority == priority) - 10 * weights[priority]) <= 1


def test_a_priority_that_had_nothing_to_send_has_saved_nothing_up() -> None:
    """Its share begins when its mail comes: it does not shut the others out."""
    destination = Destination("d", Window(2, 5))
    for _ in range(100):
        destination.add(letter(priority="low"))
    for _ in range(50):
        destination.take()
    for _ in range(100):
        destination.add(letter(priority="high"))
    taken = [one.priority for _ in range(20) if (one := destination.take())]
    assert 3 <= taken.count("low") <= 5


def test_first_attempts_and_retries_take_turns() -> None:
    """A mountain of mail that was put off leaves half of the turns to what is new, and has the rest."""
    taken = served([letter(state="deferred") for _ in range(100)] + [letter() for _ in range(10)], 30)
    assert sum(1 for one in taken[:20] if one.attempt.entry.state == "queued") == 10


@given(st.integers(10, 200), st.integers(1, 40), st.booleans())
def test_single_mail_passes_a_flood_and_holds_it_up_by_a_quarter_at_most(flood: int, singles: int, one_message: bool) -> None:
    """A flood is what one sender sends, or one message in many parts; of five turns one is for the others."""
    parts = flood if one_message else 1
    big = [letter("news@example.com", parts=parts, id="01BIG" if one_message else "") for _ in range(flood)]
    jobs = big + [letter(f"{nth}@example.com") for nth in range(singles)]
    taken = served(jobs, len(jobs))
    assert len(taken) == len(jobs)
    at = {id(one): nth for nth, one in enumerate(taken, 1)}
    assert max(at[id(one)] for one in big) <= flood * 1.25 + 1
    for nth, one in enumerate(jobs[flood:], 1):
        assert at[id(one)] <= max(5 * nth, flood + nth)
        assert at[id(one)] <= 5 * nth or flood < 4 * nth


# What it learns


def test_failures_of_one_moment_are_one_step_of_the_window() -> None:
    """Five sessions that are broken off together make it one smaller; and a limit that was found is not run into with every message."""
    window = Window(5, 20)
    for _ in range(5):
        window.failed()
    assert window.size == 4
    window.failed()
    window.succeeded()
    assert window.size in (3, 4)


def test_a_cohort_has_to_fail_before_the_breaker_opens() -> None:
    """Of twenty sessions, three that fail are no outage."""
    breaker = Breaker()
    for _ in range(19):
        breaker.failed(NOW, "x", 20)
    assert not breaker.is_open(NOW)
    breaker.failed(NOW, "x", 20)
    assert breaker.is_open(NOW)


def test_after_an_outage_the_window_begins_anew() -> None:
    """Whoever comes back is not met by as many sessions as before."""
    destination = Destination("d", Window(2, 20, 2))
    for _ in range(200):
        destination.succeeded()
    assert destination.window.size > 10
    while not destination.rests(NOW):
        destination.failed(NOW, "gone")
    assert destination.breaker.state(NOW) == "open"
    assert destination.breaker.state(NOW + 60) == "half-open"
    assert destination.succeeded()
    assert destination.window.size == 2
    assert destination.breaker.state(NOW + 60) == "closed"


def test_a_backlog_comes_back_at_the_pace_of_the_destination() -> None:
    """Over as long as it takes, and ten minutes at most."""
    destination = Destination("d", Window(2, 20))
    destination.rate = 10.0
    spreads = [destination.spread(1.0) for _ in range(100_000)]
    assert spreads[99] == 10
    assert max(spreads) == 600


def test_it_says_why_it_waits() -> None:
    """In the order of what has to end first."""
    destination = Destination("d", Window(1, 5))
    assert destination.why(NOW).kind == ""
    destination.add(job())
    assert destination.why(NOW).kind == "connections"
    destination.running = 1
    assert destination.why(NOW).kind == "window"
    destination.failed(NOW, "535 wrong", ours=True)
    assert destination.why(NOW) == ("breaker", "535 wrong", NOW + 60)
    assert (destination.last_reply, destination.last_at, destination.failures) == ("535 wrong", NOW, 1)
    assert destination.why(NOW + 61).kind == "breaker"
    destination.paused_until, destination.pause_reason = NOW + 500, "moving house"
    assert destination.why(NOW) == ("pause", "moving house", NOW + 500)
    assert not destination.boring(NOW)
