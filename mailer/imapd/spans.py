"""Spans of UIDs, as pairs of the first and the last, ascending and apart: what QRESYNC compares. RFC 7162 §3.2.5

A stranger says them, and a folder may have UIDs of any height: nothing here counts from one UID to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    Spans: TypeAlias = Sequence[tuple[int, int]]


def common(some: Spans, others: Spans) -> Iterator[tuple[int, int]]:
    """What is in both."""
    one, other = iter(some), iter(others)
    a, b = next(one, None), next(other, None)
    while a is not None and b is not None:
        first, last = max(a[0], b[0]), min(a[1], b[1])
        if first <= last:
            yield first, last
        if a[1] < b[1]:
            a = next(one, None)
        else:
            b = next(other, None)


def gaps(there: Spans, after: int, most: int) -> Iterator[tuple[int, int]]:
    """What is above `after`, up to `most`, and not `there`."""
    for first, last in there:
        if first > after + 1:
            yield after + 1, min(first - 1, most)
        after = max(after, last)
        if after >= most:
            return
    if after < most:
        yield after + 1, most
