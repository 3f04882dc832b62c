"""Rows of limits in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..table import LimitRow


class MemoryLimits:
    """Rows that are gone with the process: a `LimitStore`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], LimitRow] = {}

    async def load(self) -> Sequence[LimitRow]:
        """All rows."""
        return sorted(self._rows.values(), key=lambda row: row.numbers[0])

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        """Keep each in place of the one of its table and key."""
        for row in rows:
            self._rows[row.table, row.key] = row
            if not row.numbers:
                del self._rows[row.table, row.key]

    async def close(self) -> None:
        """Nothing is open."""
