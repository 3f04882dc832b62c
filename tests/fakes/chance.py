"""How often a property is tried that wants another number of examples than most."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""How many examples a property has that says nothing."""


def examples(most: int) -> int:
    """So many, or where the profile has fewer than usual, as in the quick run, those of the profile."""
    return most if (given := settings.default.max_examples) >= USUAL else min(most, given)
