"""Threads that wait for nobody: who does something for many at once would have all of them wait for a file that another holds up.

Within `hurrying`, who would have to wait longer than `MOMENT` for another thread or process at a file of SQLite hears `DatabaseBusy`. For
a disk, or for what only takes its time, everybody waits as ever.
"""

from __future__ import annotations

from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT: Final = 0.01  # seconds


class _Mine(local):
    """Whether this thread is in haste."""

    is_hurrying = False


_mine = _Mine()


@contextmanager
def hurrying() -> Iterator[None]:
    """Let this thread wait for nobody."""
    before, _mine.is_hurrying = _mine.is_hurrying, True
    try:
        yield
    finally:
        _mine.is_hurrying = before


def in_haste() -> bool:
    """Whether this thread waits for nobody."""
    return _mine.is_hurrying
