"""Entries and lines of the log as rows of ``suppress.sqlite3``, and back. Times there are whole microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .api import REASONS, Reason, SuppressionChange, SuppressionEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def micro(at: float) -> int:
    """Microseconds of seconds."""
    return round(at * 1_000_000)


def row_of(entry: SuppressionEntry) -> tuple[Any, ...]:
    """The columns of an entry."""
    until = None if entry.until is None else micro(entry.until)
    return (*entry[:2], entry.reason.value, *entry[3:6], micro(entry.at), until, *entry[8:])


def entry_of(row: Sequence[Any]) -> SuppressionEntry:
    """The entry that its columns say."""
    address, scope, reason, class_, source, evidence, at, until, by, note = row
    known = REASONS.get(reason, Reason.MANUAL)  # a later version has more of them: whoever stands here is not mailed
    return SuppressionEntry(
        address, scope, known, class_, source, evidence, at / 1e6, None if until is None else until / 1e6, by, note,
    )  # fmt: skip


def as_text(entry: SuppressionEntry | None) -> str | None:
    """An entry as the log has it: a JSON array; None for none."""
    if entry is None:
        return None
    import json

    return json.dumps(row_of(entry), separators=(",", ":"))


def of_text(text: str | None) -> SuppressionEntry | None:
    """The entry that the log has."""
    if text is None:
        return None
    import json

    return entry_of(json.loads(text))


def line_of(row: Sequence[Any]) -> SuppressionChange:
    """The line of the log that its columns say."""
    serial, change, at, act, address, scope, by, note, before, after, reason, evidence = row
    made = of_text(before), of_text(after)
    return SuppressionChange(serial, change, at / 1e6, act, address, scope, by, note, *made, reason, evidence)
