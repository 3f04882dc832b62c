"""Sets of numbers: as a client says them made into pairs that ascend and are apart, and numbers written as short as can be.

RFC 9051 §9, sequence-set; §4.1.1. All of it takes time that is linear in what is given, but for sorting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .command import STAR

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .command import NumberSet


def ordered(numbers: NumberSet, highest: int) -> list[tuple[int, int]]:
    """The ranges of `numbers`, with `highest` for ``*``: ascending, apart, and joined where one follows the other."""
    found: list[tuple[int, int]] = []
    for first, last in sorted({_upright(one, other, highest) for one, other in numbers.ranges}):
        if found and first <= found[-1][1] + 1:
            if last > found[-1][1]:
                found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _upright(one: int, other: int, highest: int) -> tuple[int, int]:
    one = highest if one == STAR else one
    other = highest if other == STAR else other
    return (one, other) if one <= other else (other, one)


def pairs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as pairs of the first and the last of those that follow each other."""
    found: list[tuple[int, int]] = []
    first = last = -1
    for number in numbers:
        if number != last + 1 or first < 0:
            if first >= 0:
                found.append((first, last))
            first = number
        last = number
    if first >= 0:
        found.append((first, last))
    return found


def written(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as a set, such as ``1:3,7``; empty for none, which no set is."""
    return written_pairs(pairs(numbers))


def written_pairs(ranges: Iterable[tuple[int, int]]) -> bytes:
    """A set with these ranges."""
    return b",".join([b"%d" % first if first == last else b"%d:%d" % (first, last) for first, last in ranges])
