"""IDs of events: they ascend, however many are made at once and whatever the clock does."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mailer.journal.ids import Ascending, number_of
from mailer.spool import encode, is_id, put_at


def test_many_at_once_are_as_one_after_the_other() -> None:
    """All differ, all are IDs, each is above the one before; also over the next call."""
    ids = Ascending(lambda: 1_700_000_000.25)
    made = [*ids.take(3000), ids.next(), *ids.take(2)]
    assert all(first < second for first, second in pairwise(made))
    assert all(map(is_id, made))
    assert {put_at(id) for id in made} == {1_700_000_000.25}


def test_none_is_none() -> None:
    """And leaves no hole that counts."""
    ids = Ascending(lambda: 1.0)
    first = ids.next()
    assert ids.take(0) == []
    assert number_of(ids.next()) == number_of(first) + 1


@pytest.mark.parametrize("low", [(1 << 20) - 2, (1 << 40) - 2, (1 << 80) - 2])
def test_a_carry_goes_on_to_the_left(low: int) -> None:
    """The end of what is written pair by pair is not the end of the numbers."""
    after = encode((1 << 90) + low, 26)
    ids = Ascending(lambda: 0.0, after)
    assert [number_of(id) - number_of(after) for id in ids.take(5)] == [1, 2, 3, 4, 5]


def test_a_clock_that_is_set_back_is_not_followed() -> None:
    """They go on from the last one."""
    times = iter([2.0, 1.0, 3.0])
    ids = Ascending(lambda: next(times))
    first, second, third = ids.take(2)[-1], ids.next(), ids.next()
    assert first < second < third
    assert number_of(second) == number_of(first) + 1
    assert put_at(third) == 3.0
