"""Entries in memory: for tests, and for what ends with its process. `ledger` says what is done to them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from mailer.mail.address_key import key_of
from mailer.mail.pattern import fits as fits_pattern

from . import ledger
from .address import domain_key_of
from .api import (
    Reason,
    SuppressionChange,
    SuppressionDone,
    SuppressionEntry,
    SuppressionFilter,
    SuppressionTerms,
    precedence,
    stream_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class MemorySuppression:
    """Entries in memory: a `SuppressionList`."""

    def __init__(self) -> None:
        self._book = _MemoryBook()
        self._told = 0

    async def look(self, wanted: Sequence[tuple[str, str]], at: float) -> Sequence[SuppressionEntry | None]:
        """The entries that keep them from being mailed."""
        entries = self._book.entries
        if not entries:
            return [None] * len(wanted)
        found: list[SuppressionEntry | None] = []
        for address, stream in wanted:
            keys = precedence(key_of(address), stream_name(stream))
            found.append(next((entries[key] for key in keys if key in entries and entries[key].holds(at)), None))
        return found

    async def add(self, entries: Sequence[SuppressionEntry], *, terms: SuppressionTerms | None = None, change: int = 0) -> SuppressionDone:
        """Add entries."""
        return ledger.add(self._book, entries, terms, change)

    async def remove(self, keys: Sequence[tuple[str, str]], *, by: str, at: float, note: str = "") -> SuppressionDone:
        """Take entries off the list."""
        return ledger.remove(self._book, keys, by, at, note)

    async def undo(self, changes: Sequence[int], *, by: str, at: float) -> SuppressionDone:
        """Put back what was before."""
        return ledger.undo(self._book, changes, by, at)

    async def listing(
        self, *, after: tuple[str, str] = ("", ""), limit: int = 1000, wanted: SuppressionFilter | None = None
    ) -> Sequence[SuppressionEntry]:
        """Entries in the order of their keys."""
        ordered = (self._book.entries[key] for key in sorted(self._book.entries) if key > after)
        asked = wanted or SuppressionFilter()
        found = [each for each in ordered if ledger.fits(each, asked) and (not asked.to or fits_pattern(asked.to, each.address))]
        return found[:limit]

    async def log(self, address: str = "", *, since: float = 0.0, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log, the newest first."""
        names = (address, domain_key_of(address))
        lines = (line for line in reversed(self._book.lines) if line.at >= since and (not address or line.address in names))
        return [line for _, line in zip(range(limit), lines, strict=False)]

    async def is_empty(self) -> bool:
        """Whether there are no entries."""
        return not self._book.entries

    async def newest(self) -> int:
        """The serial of the newest line of the log."""
        return self._book.lines[-1].serial if self._book.lines else 0

    async def news(self, serial: int, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log behind that serial."""
        return [line for line in self._book.lines if line.serial > serial][:limit]

    async def told(self) -> int:
        """The serial of the last line that was told."""
        return self._told

    async def note_told(self, serial: int) -> None:
        """Note it."""
        self._told = serial

    async def expire(self, at: float, *, keep_log: float = inf) -> int:
        """Let go of what holds no longer."""
        book = self._book
        many = ledger.expire(book, [entry for entry in book.entries.values() if not entry.holds(at)], at)
        book.lines = [line for line in book.lines if line.at >= at - keep_log]
        return many

    async def count(self) -> int:
        """How many entries there are."""
        return len(self._book.entries)

    async def close(self) -> None:
        """Nothing is open."""


class _MemoryBook:
    def __init__(self) -> None:
        self.entries: dict[ledger.Key, SuppressionEntry] = {}
        self.lines: list[SuppressionChange] = []
        self._serial = 0

    def entry(self, key: ledger.Key) -> SuppressionEntry | None:
        return self.entries.get(key)

    def keep(self, entry: SuppressionEntry) -> None:
        self.entries[entry.key] = entry

    def drop(self, key: ledger.Key) -> None:
        self.entries.pop(key, None)

    def newest_change(self) -> int:
        return self.lines[-1].change if self.lines else 0

    def note(self, line: SuppressionChange) -> None:
        self._serial += 1
        self.lines.append(line._replace(serial=self._serial))

    def is_proved(self, key: ledger.Key, reason: Reason, evidence: str) -> bool:
        facts = (*key, reason, evidence)
        return any((line.address, line.scope, line.reason, line.evidence) == facts for line in self.lines if line.act == "add")

    def ran_out(self, key: ledger.Key, reason: Reason) -> int:
        return sum((line.address, line.scope, line.reason) == (*key, reason) for line in self.lines if line.act == "expire")

    def lines_of(self, change: int) -> Sequence[SuppressionChange]:
        return [line for line in self.lines if line.change == change]
