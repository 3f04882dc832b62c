"""When mail is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.limits.backoff import Schedule, pause

STEPS = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=10)
JITTER = st.floats(0, 0.99)
CHANCE = st.floats(0, 1)
NOW = st.floats(0, 4e9)


def middle() -> float:
    """No jitter either way."""
    return 0.5


def test_the_steps_in_order() -> None:
    """After the first try comes the first wait, after the second the second, and the last one repeats."""
    schedule = Schedule([60, 300, 900], expire=7200)
    assert [schedule.next_due(tries, 1000.0, middle) - 1000 for tries in (1, 2, 3, 4, 100)] == [60, 300, 900, 900, 900]


def test_a_try_that_did_not_count() -> None:
    """Mail that was never really tried waits as long as after its first try."""
    assert Schedule([60, 300], expire=7200).next_due(0, 0.0, middle) == 60


def test_jitter_goes_both_ways() -> None:
    """A wait is varied by up to a fifth of itself, earlier and later."""
    schedule = Schedule([100], expire=7200)
    assert schedule.next_due(1, 0.0, lambda: 0.0) == pytest.approx(80)
    assert schedule.next_due(1, 0.0, lambda: 1.0) == pytest.approx(120)


@given(STEPS, JITTER, CHANCE, NOW, st.integers(0, 1000))
def test_always_later_and_never_far(steps: list[float], jitter: float, chance: float, now: float, tries: int) -> None:
    """The next try is after now, and no farther away than the longest wait and its jitter."""
    due = Schedule(steps, 1e6, jitter).next_due(tries, now, lambda: chance)
    assert due >= now
    assert due - now <= max(steps) * (1 + jitter) + 1e-3
    assert due - now >= min(steps) * (1 - jitter) - 1e-3


@pytest.mark.parametrize(("steps", "jitter"), [([], 0.2), ([0], 0.2), ([60, -1], 0.2), ([60], 1.0), ([60], -0.1)])
def test_no_schedule(steps: list[float], jitter: float) -> None:
    """A schedule without waits, or with waits that may be nothing, would turn in circles: it is refused."""
    with pytest.raises(ValueError, match=r"wait"):
        Schedule(steps, 3600, jitter)


def test_pauses_grow_and_stay_below_their_limit() -> None:
    """Half a second, one, two … at most thirty; with jitter between half of it and all."""
    assert [pause(attempts, 0.5, 2.0, 30.0) for attempts in (1, 2, 3, 7, 5000)] == [0.5, 1, 2, 30, 30]
    assert [pause(2, 0.5, 2.0, 30.0, lambda dice=dice: dice) for dice in (0.0, 0.5, 1.0)] == [0.5, 0.75, 1.0]  # type: ignore[misc]
