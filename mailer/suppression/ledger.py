"""What adding, removing, undoing and expiring do to entries and their log, wherever these are kept.

The kept things are a `SuppressionBook`, which whoever keeps them has in a transaction, or alone, while one of these acts works on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from .api import (
    Reason,
    SuppressionChange,
    SuppressionDone,
    SuppressionEntry,
    SuppressionFilter,
    SuppressionTerms,
    bounded,
    stronger,
)

Key = tuple[str, str]


class SuppressionBook(Protocol):
    """Entries and their log, as an act works on them."""

    def entry(self, key: Key) -> SuppressionEntry | None:
        """The entry of that key."""

    def keep(self, entry: SuppressionEntry) -> None:
        """Keep it in place of the one of its key."""

    def drop(self, key: Key) -> None:
        """Let go of the entry of that key."""

    def newest_change(self) -> int:
        """The number of the newest change, 0 without one."""

    def note(self, line: SuppressionChange) -> None:
        """Append a line to the log; its serial is chosen there."""

    def is_proved(self, key: Key, reason: Reason, evidence: str) -> bool:
        """Whether an entry of that key was added for that reason with that evidence before."""

    def ran_out(self, key: Key, reason: Reason) -> int:
        """How many entries of that key for that reason have expired, by the log."""

    def lines_of(self, change: int) -> Sequence[SuppressionChange]:
        """The lines of a change, in their order."""


def add(
    book: SuppressionBook, entries: Iterable[SuppressionEntry], terms: SuppressionTerms | None = None, change: int = 0
) -> SuppressionDone:
    """See `SuppressionList.add`."""
    change = change or book.newest_change() + 1
    stand: list[SuppressionEntry | None] = []
    changed = 0
    for asked in entries:
        new = bounded(asked)
        before = book.entry(new.key)
        proved = terms is not None and new.evidence
        if proved and book.is_proved(new.key, new.reason, new.evidence):
            stand.append(before)
            continue
        if terms is not None:
            still = before is not None and before.reason is new.reason and not before.holds(new.at)
            new = new._replace(until=terms.until(new.reason, book.ran_out(new.key, new.reason) + still, new.at))
        after = stronger(before, new)
        if after is not before:
            book.keep(after)
        if after is not before or proved:  # what is proved is noted, also where it changes nothing
            _note(book, change, new, before, after)
            changed = change
        stand.append(after)
    return SuppressionDone(changed, stand)


def remove(book: SuppressionBook, keys: Iterable[Key], by: str, at: float, note: str = "") -> SuppressionDone:
    """See `SuppressionList.remove`."""
    change, changed = book.newest_change() + 1, 0
    gone: list[SuppressionEntry | None] = []
    for key in keys:
        before = book.entry(key)
        gone.append(before)
        if before is not None:
            book.drop(key)
            book.note(SuppressionChange(0, change, at, "remove", *key, by, note, before, None))
            changed = change
    return SuppressionDone(changed, gone)


def undo(book: SuppressionBook, changes: Iterable[int], by: str, at: float) -> SuppressionDone:
    """See `SuppressionList.undo`. The latest change is undone first."""
    change, changed = book.newest_change() + 1, 0
    put_back: list[SuppressionEntry | None] = []
    for undone in sorted(set(changes), reverse=True):
        for line in reversed(book.lines_of(undone)):
            key = line.address, line.scope
            if line.before == line.after:
                continue
            if book.entry(key) != line.after:
                put_back.append(None)
                continue
            note = f"undid change {undone}"
            if line.before is None:
                book.drop(key)
                book.note(SuppressionChange(0, change, at, "remove", *key, by, note, line.after, None))
            else:
                book.keep(line.before)
                book.note(SuppressionChange(0, change, at, "add", *key, by, note, line.after, line.before))
            put_back.append(line.before or line.after)
            changed = change
    return SuppressionDone(changed, put_back)


def expire(book: SuppressionBook, over: Iterable[SuppressionEntry], at: float) -> int:
    """Let go of entries that hold no longer; how many."""
    change, many = book.newest_change() + 1, 0
    for entry in over:
        book.drop(entry.key)
        book.note(SuppressionChange(0, change, at, "expire", *entry.key, "", "", entry, None, entry.reason))
        many += 1
    return many


def fits(entry: SuppressionEntry, wanted: SuppressionFilter) -> bool:
    """Whether `entry` is one of those that are meant; `to` is another's to look at."""
    said = ((wanted.scope, entry.scope), (wanted.reason, entry.reason), (wanted.class_, entry.class_), (wanted.source, entry.source))
    return (
        (wanted.at is None or entry.holds(wanted.at)) and entry.at >= wanted.since and all(not asked or asked == is_ for asked, is_ in said)
    )


def _note(book: SuppressionBook, change: int, new: SuppressionEntry, before: SuppressionEntry | None, after: SuppressionEntry) -> None:
    book.note(SuppressionChange(0, change, new.at, "add", *new.key, new.by, new.note, before, after, new.reason, new.evidence))
