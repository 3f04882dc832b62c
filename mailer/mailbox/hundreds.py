"""Values that are asked for a hundred at a time: a statement is a constant, so that it has always as many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HUNDRED: Final = ", ".join("?" * 100)
TEN: Final = ", ".join("?" * 10)


def hundreds(values: Sequence[str], size: int = 100) -> Iterator[Sequence[str]]:
    """The values, each once, in pieces of `size`; the last piece is filled with its last value."""
    each = list(dict.fromkeys(values))
    for start in range(0, len(each), size):
        piece = each[start : start + size]
        yield piece + piece[-1:] * (size - len(piece))
