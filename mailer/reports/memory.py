"""Reports in memory: for tests, and for whoever needs them no longer than his process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .api import LoadedReport, ReportRow, report_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .api import Facts, SettledReport


class MemoryReports:
    """See `mailer.reports.api.Reports`. `at` is the time that reports are settled at, in seconds since the epoch."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at
        self._rows: dict[str, ReportRow] = {}
        self._contents: dict[str, bytes] = {}
        self._settled: dict[str, float] = {}
        self._marks: dict[str, Mapping[str, Any]] = {}

    @property
    def rows(self) -> list[ReportRow]:
        """All that is kept, in the order of IDs."""
        return [row for _, row in sorted(self._rows.items())]

    async def take(self, content: bytes, facts: Facts) -> str:
        """Keep it."""
        return (await self.take_all([(content, facts)]))[0]

    async def take_all(self, came: Sequence[tuple[bytes, Facts]]) -> Sequence[str]:
        """Keep them."""
        ids = []
        for content, facts in came:
            ids.append(id := report_id(content))
            self._rows.setdefault(id, ReportRow(id, "new", facts, len(content)))
            self._contents.setdefault(id, content)
        return ids

    async def waiting(self, limit: int, after: str = "") -> Sequence[str]:
        """The reports that are new."""
        return sorted(id for id, row in self._rows.items() if row.state == "new" and id > after)[:limit]

    async def load(self, ids: Sequence[str]) -> Sequence[LoadedReport]:
        """The reports of these that are there."""
        return [LoadedReport(id, self._rows[id].facts, self._contents[id]) for id in ids if id in self._rows]

    async def settle(self, settled: Sequence[SettledReport]) -> None:
        """Note it."""
        for id, state, note in settled:
            if id in self._rows:
                self._rows[id] = replace(self._rows[id], state=state, note=dict(note))
                self._settled[id] = self.at

    async def bookmark(self, source: str) -> Mapping[str, Any]:
        """What was remembered."""
        return self._marks.get(source, {})

    async def remember(self, source: str, mark: Mapping[str, Any]) -> None:
        """Remember it."""
        self._marks[source] = dict(mark)

    async def sweep(self, now: float, retention: float) -> int:
        """Forget what was settled long ago."""
        old = [id for id, at in self._settled.items() if now - at > retention and self._rows[id].state != "new"]
        for id in old:
            del self._rows[id], self._contents[id], self._settled[id]
        return len(old)
