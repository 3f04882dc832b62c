"""Values that are asked for a hundred at a time: a statement is a constant, so that it has always as many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

HUNDRED: Final = ", ".join("?" * 100)
TEN: Final = ", ".join("?" * 10)


def hundreds(values: Sequence[T], size: int = 100) -> Iterator[Sequence[T]]:
    """The values, each once, in pieces of `size`; the last piece is filled with its last value."""
    each = list(dict.fromkeys(values))
    for start in range(0, len(each), size):
        piece = each[start : start + size]
        yield piece + piece[-1:] * (size - len(piece))
