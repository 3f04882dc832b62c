"""Rows of limits in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import Happening, LimitRow


class MemoryLimits:
    """Rows that are gone with the process: a `LimitStore`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], LimitRow] = {}
        self._said: list[tuple[str, Happening]] = []

    async def load(self) -> Sequence[LimitRow]:
        """All rows."""
        return sorted(self._rows.values(), key=lambda row: row.numbers[0])

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        """Keep each in place of the one of its table and key."""
        there = any(table == "secret" for table, _ in self._rows)
        for row in rows:
            if row.table == "secret" and there:
                continue
            self._rows[row.table, row.key] = row
            if not row.numbers:
                del self._rows[row.table, row.key]

    async def last(self) -> int:
        """The number of the last thing that was said."""
        return len(self._said)

    async def say(self, process: str, happenings: Sequence[Happening]) -> None:
        """Let others hear of it."""
        self._said.extend((process, each) for each in happenings)

    async def heard(self, after: int, process: str) -> tuple[int, Sequence[Happening]]:
        """What was said by others."""
        return len(self._said), [each for who, each in self._said[after:] if who != process]

    async def close(self) -> None:
        """Nothing is open."""
