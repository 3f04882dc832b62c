"""Descriptors: callers have a part of them, whatever their number."""

from __future__ import annotations

import pytest

from mailer.io.descriptors import callers


@pytest.mark.parametrize(
    ("kinds", "wanted", "most", "each"),
    [(1, 1000, 65536, 1000), (3, 1000, 65536, 1000), (1, 1000, 256, 128), (4, 1000, 1024, 128), (4, 1000, 4, 1), (0, 10, 256, 10)],
)
def test_callers_have_half_of_what_there_is(kinds: int, wanted: int, most: int, each: int) -> None:
    """All that is wanted where there is plenty; and one of each kind gets in always."""
    assert callers(kinds, wanted, most) == each
