"""A table of what is remembered for limits: bounded, and aware of what has changed since it was written down last. Pure.

A row is a key with a few numbers, of which the first is when it was changed, in seconds since the epoch. Where there are more than `MOST`,
the one goes that was not changed for longest: whoever makes very many rows makes room by losing his own first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 100_000
"""Rows of a table: some 20 MB."""


class LimitRow(NamedTuple):
    """The row `key` of the table `table` as it is now; without `numbers` it is gone."""

    table: str
    key: str
    numbers: tuple[float, ...] = ()


class Happening(NamedTuple):
    """What one process has counted, and others are to count as well: a login from `ip` has ``failed``, or the user with the key `user`
    ``came`` from there, at that time."""

    what: str
    ip: str
    user: str
    at: float


class LimitTable:
    """A table called `name`, of at most `most` rows."""

    def __init__(self, name: str, most: int = MOST) -> None:
        self.name = name
        self.most = most
        self._rows: OrderedDict[str, tuple[float, ...]] = OrderedDict()
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> tuple[float, ...]:
        """The numbers of a row; none where there is no such row."""
        return self._rows.get(key, ())

    def put(self, key: str, *numbers: float) -> list[str]:
        """Have these numbers in the row; the keys of rows that had to go for it."""
        self._rows[key] = numbers
        self._rows.move_to_end(key)
        self._changed[key] = None
        gone = []
        while len(self._rows) > self.most:
            oldest, _ = self._rows.popitem(last=False)
            self._changed[oldest] = None
            gone.append(oldest)
        return gone

    def expire(self, before: float) -> list[str]:
        """Let go of rows that were last changed `before` then; their keys. They are those that stand first."""
        gone = []
        for key, numbers in self._rows.items():
            if numbers[0] >= before:
                break
            gone.append(key)
        for key in gone:
            del self._rows[key]
            self._changed[key] = None
        return gone

    def changes(self) -> list[LimitRow]:
        """What has changed since this was asked last."""
        changed = [LimitRow(self.name, key, self._rows.get(key, ())) for key in self._changed]
        self._changed.clear()
        return changed

    def unkept(self, rows: Iterable[LimitRow]) -> None:
        """Note that these changes were not written down, and have to be another time."""
        self._changed.update((row.key, None) for row in rows if row.table == self.name)

    def restore(self, rows: Iterable[LimitRow]) -> list[str]:
        """Have the rows that were written down, from the oldest to the newest; their keys."""
        found = {row.key: row.numbers for row in rows if row.table == self.name and row.numbers}
        self._rows.update(found)
        return [*found]
