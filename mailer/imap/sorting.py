"""Messages in the order that a client wants: SORT, RFC 5256 §3, and its keys of RFC 5957.

A key that comes again, reversed or not, changes nothing, for what it says the same of has been put in order by it. So there are never
more keys than names, however long a command is.
"""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

KEYS: Final = ("ARRIVAL", "CC", "DATE", "DISPLAYFROM", "DISPLAYTO", "FROM", "SIZE", "SUBJECT", "TO")
"""RFC 5256 §3, and DISPLAYFROM and DISPLAYTO of RFC 5957 §3."""
PIECE: Final = 16384  # messages that are sorted without a pause in which another thread gets its turn


def unlike(keys: Iterable[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The keys that say something, in their order: each but the first of its name is left out."""
    found: dict[str, bool] = {}
    for name, is_reversed in keys:
        found.setdefault(name, is_reversed)
    return [*found.items()]


def ordered(many: int, columns: Sequence[tuple[Sequence[Any], bool]]) -> list[int]:
    """The places of so many messages in order; each column has the values of one key, and whether the largest comes first.

    Messages that are alike stay in the order in which they are: that of their numbers, RFC 5256 §3, whether keys are reversed or not.
    """
    places = [*range(many)]
    for values, is_reversed in reversed(columns):
        places = in_turns(places, values.__getitem__, is_reversed=is_reversed)
    return places


def in_turns(items: list[int], key: Callable[[int], Any], *, is_reversed: bool = False) -> list[int]:
    """The items in order, those that are alike as they were; many are sorted in pieces, between which other threads run."""
    if len(items) <= PIECE:
        return sorted(items, key=key, reverse=is_reversed)
    pieces = [sorted(items[at : at + PIECE], key=key, reverse=is_reversed) for at in range(0, len(items), PIECE)]
    return [*merge(*pieces, key=key, reverse=is_reversed)]
