"""How an endpoint does: what each answer makes of it, and when it gets events again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.hooks.endpoint import LONGEST, WAITS, EndpointState, Verdict, asked, judged

NOW = 1_796_000_000.0


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (200, "good"), (202, "good"), (204, "good"), (299, "good"),
        (301, "refused"), (302, "refused"), (307, "refused"), (304, "refused"),
        (400, "refused"), (401, "refused"), (404, "refused"), (413, "refused"), (422, "refused"),
        (408, "wait"), (425, "wait"), (429, "wait"), (500, "wait"), (502, "wait"), (503, "wait"), (599, "wait"),
        (410, "gone"),
    ],
)  # fmt: skip
def test_each_answer_has_its_meaning(status: int, word: str) -> None:
    """Taken, not now, never this event, or never again."""
    assert judged(status, "", NOW).word == word


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0), (" 7 ", 7.0), ("0", 0.0), ("999999999999", LONGEST), ("-3", 0.0), ("soon", 0.0), ("", 0.0), ("1e9", 0.0),
        ("Sat, 30 Nov 2026 20:53:30 GMT", 10.0), ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_read_within_bounds(text: str, seconds: float) -> None:
    """As seconds or as a date, RFC 9110 §10.2.3; nonsense asks for nothing."""
    assert asked(text, 1_796_072_000.0) == seconds


@given(st.text(max_size=80))
def test_no_retry_after_is_a_trap(text: str) -> None:
    """Whatever stands there, the wait is one."""
    assert 0.0 <= asked(text, NOW) <= LONGEST


def test_an_endpoint_waits_longer_each_time() -> None:
    """5 s, 1 m, 5 m, 30 m, 2 h, and then every 4 h."""
    state, now, waits = EndpointState(), NOW, []
    for _ in range(8):
        state = state.after(Verdict("wait", "it answered 500"), now, now)
        waits.append(state.waits(now))
        now = state.until
        assert state.waits(now) == 0.0
    assert waits == [*WAITS, WAITS[-1], WAITS[-1]]
    assert (state.failures, state.since, state.why, state.failed) == (8, NOW, "it answered 500", 8)


def test_one_good_answer_ends_that() -> None:
    """The next failure is a first one."""
    state = EndpointState().after(Verdict("wait", "x"), NOW, NOW).after(Verdict("good"), NOW + 6, NOW + 7)
    assert (state.failures, state.since, state.until, state.why, state.good_at, state.posted) == (0, 0.0, 0.0, "", NOW + 7, 1)


def test_posts_that_fail_together_are_one_failure() -> None:
    """Eight were under way; those that began before the first failed make the wait no longer."""
    state = EndpointState()
    for landed in range(8):
        state = state.after(Verdict("wait", "x"), NOW, NOW + landed)
    assert (state.failures, state.until, state.failed) == (1, NOW + 5, 8)
    assert state.after(Verdict("wait", "x"), NOW + 8, NOW + 9).failures == 2


def test_the_endpoint_is_left_alone_for_as_long_as_it_asks() -> None:
    """A longer Retry-After counts, a shorter one does not; one of a post that was under way, too."""
    state = EndpointState().after(Verdict("wait", "x", 90.0), NOW, NOW)
    assert state.until == NOW + 90
    assert EndpointState().after(Verdict("wait", "x", 1.0), NOW, NOW).until == NOW + 5
    assert state.after(Verdict("wait", "x", 200.0), NOW, NOW + 1).until == NOW + 201


def test_410_switches_off_until_somebody_switches_on() -> None:
    """And what is off stays as it was switched off."""
    state = EndpointState().after(judged(410, "", NOW), NOW, NOW)
    assert state.off.startswith("it answered 410")
    assert state.off_at == NOW
    assert state.switched_off("by hand", NOW + 1) == state
    assert state.switched_on().off == ""


def test_a_clock_that_was_set_back_holds_nobody_up() -> None:
    """More than the longest wait is none."""
    state = EndpointState().after(Verdict("wait", "x"), NOW, NOW)
    assert state.waits(NOW - 86400) == 0.0


def test_a_refusal_is_about_the_event() -> None:
    """The endpoint is there: others are posted at once."""
    state = EndpointState().after(judged(422, "", NOW), NOW, NOW)
    assert (state.failures, state.waits(NOW), state.refused, state.why) == (0, 0.0, 1, "it answered 422")
