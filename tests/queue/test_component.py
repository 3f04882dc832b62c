"""File descriptors: what a limit comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.queue.component import IDLE, OWN, SESSION, Shares, shares


@pytest.mark.parametrize(
    ("limit", "wanted", "got"),
    [
        (65536, 100, Shares(100, 600, 200)),
        (1024, 100, Shares(100, 288, 196)),
        (256, 100, Shares(25, 48, 43)),
        (64, 100, Shares(2, 10, 4)),
        (20, 100, Shares(1, 0, 2)),
        (65536, 20_000, Shares(7859, 600, 200)),
    ],
)
def test_what_a_limit_comes_to(limit: int, wanted: int, got: Shares) -> None:
    """All that is wanted where there is plenty, and something of each where there is little."""
    assert shares(limit, wanted) == got


@given(st.integers(64, 100_000), st.integers(1, 50_000))
def test_never_more_than_there_is(limit: int, wanted: int) -> None:
    """All of it together, with our own, is no more than the limit; and kept files never cost a session."""
    got = shares(limit, wanted)
    assert OWN + got.sessions * (SESSION + IDLE) + got.files + got.questions <= limit
    assert 1 <= got.sessions <= wanted
