"""The fuse: a burst at once, then the rate, and turns in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailer.limits.fuse import Fuse

NOW = 1_000_000.0


def test_a_burst_goes_at_once_and_the_rest_by_the_rate() -> None:
    """Ten at once, then one each 36 seconds."""
    fuse = Fuse(100, 3600.0, 10)
    turns = [fuse.turn(NOW) for _ in range(13)]
    assert [turn <= NOW for turn in turns] == [True] * 10 + [False] * 3
    assert [round(turn - NOW) for turn in turns[10:]] == [36, 72, 108]
    assert fuse.waits(NOW)


def test_who_waited_has_a_burst_again() -> None:
    """After as long as the burst is worth, and no more than that however long it was."""
    fuse = Fuse(1, 1.0, 5)
    assert [fuse.turn(NOW) <= NOW for _ in range(6)] == [True] * 5 + [False]
    later = NOW + 1000
    assert not fuse.waits(later)
    assert [fuse.turn(later) <= later for _ in range(6)] == [True] * 5 + [False]


def test_turns_that_are_taken_back_are_given_anew() -> None:
    """By the new limits, with no burst for whoever waits."""
    fuse = Fuse(1, 3600.0, 2)
    for _ in range(100):
        fuse.turn(NOW)
    fuse.take_back(NOW)
    fuse.change(1, 1.0, 2)
    turns = [fuse.turn(NOW) for _ in range(3)]
    assert turns == sorted(turns)
    assert turns[2] - turns[1] == 1.0


@given(st.integers(1, 50), st.floats(0.1, 1000), st.integers(1, 20), st.lists(st.floats(0, 100), max_size=60))
def test_no_stretch_has_more_than_burst_and_rate(number: int, seconds: float, burst: int, gaps: list[float]) -> None:
    """Whenever they ask: turns are in order, none is before it is asked for, and any n of them take (n - burst) steps."""
    fuse, now, turns = Fuse(number, seconds, burst), NOW, []
    for gap in gaps:
        now += gap
        turns.append(max(fuse.turn(now), now))
    step = seconds / number
    assert turns == sorted(turns)
    for first in range(len(turns)):
        for last in range(first + burst, len(turns)):
            assert turns[last] - turns[first] >= (last - first - burst + 1) * step - 1e-3
