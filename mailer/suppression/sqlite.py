"""Entries in ``suppress.sqlite3`` beside the spool: the truth about whom nobody may mail, written by the daemon, the API and the commands.

`mailer.io.database` says how the file is read, written, and looked after. It is never begun anew: where it cannot be used, mail waits
(`mailer.queue.suppressed`).

The look-up is a read of an index of SQLite in the thread of whoever asks, which takes some microseconds; `FEW` of them at most, others go
to a thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import nullcontext
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io.database import Database, DatabaseTerms
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem
from mailer.spool.files.owner import acting

from . import ledger, schema
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
from .rows import as_text, entry_of, line_of, micro, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

NAME: Final = "suppress.sqlite3"
FEW: Final = 200  # look-ups in the thread that asks: some milliseconds
PUT_BACK: Final = "put back a copy, or an export (`mailer suppress import`), and restart mailer"
TERMS: Final = DatabaseTerms("the suppression list", schema.STEPS, frozenset({"entries", "log"}), PUT_BACK)


class SqliteSuppression:
    """The entries in the file beside the spool at `root`: a `SuppressionList`. It may be used by several threads."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.path = f"{self.root}/{NAME}"
        self._file = Database(self.path, TERMS, self._as_owner)
        self._seen = (0, 0)  # the file, and what was the newest change to it
        self._empty = True
        self._of_domains = False

    # Looking

    async def look(self, wanted: Sequence[tuple[str, str]], at: float) -> Sequence[SuppressionEntry | None]:
        """The entries that keep them from being mailed."""
        if len(wanted) > FEW:
            return await asyncio.to_thread(self.look_now, wanted, at)
        return await self._file.soon(lambda db: self._looked(db, wanted, at))

    async def listing(
        self, *, after: tuple[str, str] = ("", ""), limit: int = 1000, wanted: SuppressionFilter | None = None
    ) -> Sequence[SuppressionEntry]:
        """Entries in the order of their keys."""
        asked = wanted or SuppressionFilter()
        holding = None if asked.at is None else micro(asked.at)
        said = [asked.scope, asked.reason, asked.class_, asked.source, micro(asked.since), holding, *after, asked.to, limit]
        if asked.to and "*" not in asked.to:
            return await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.LISTING_OF_ADDRESS, said), entry_of))
        return await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.LISTING, said), entry_of))

    async def log(self, address: str = "", *, since: float = 0.0, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log, the newest first."""
        if not address:
            return await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.LOG, [micro(since), limit]), line_of))
        said = [micro(since), limit, address, domain_key_of(address)]
        return await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.LOG_OF_ADDRESS, said), line_of))

    async def is_empty(self) -> bool:
        """Whether there are no entries."""
        return await self._file.soon(lambda db: self._if_any(db) is None)

    async def newest(self) -> int:
        """The serial of the newest line of the log."""
        found = await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.NEWEST), lambda row: int(row[0])))
        return found[0] if found else 0

    async def news(self, serial: int, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log behind that serial."""
        return await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.NEWS, (serial, limit)), line_of))

    async def count(self) -> int:
        """How many entries there are."""
        found = await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.COUNT), lambda row: int(row[0])))
        return found[0] if found else 0

    async def check(self) -> str:
        """What is wrong with the file, by all that is in it; empty for nothing. Raises `Problem` where it cannot be read at all."""
        said = await asyncio.to_thread(lambda: self._rows(lambda db: db.execute("PRAGMA quick_check(1)"), lambda row: str(row[0])))
        return "" if said in ([], ["ok"]) else said[0]

    # Changing

    async def add(self, entries: Sequence[SuppressionEntry], *, terms: SuppressionTerms | None = None, change: int = 0) -> SuppressionDone:
        """Add entries."""
        return await asyncio.to_thread(self._change, lambda book: ledger.add(book, entries, terms, change))

    async def remove(self, keys: Sequence[tuple[str, str]], *, by: str, at: float, note: str = "") -> SuppressionDone:
        """Take entries off the list."""
        return await asyncio.to_thread(self._change, lambda book: ledger.remove(book, keys, by, at, note))

    async def undo(self, changes: Sequence[int], *, by: str, at: float) -> SuppressionDone:
        """Put back what was before."""
        return await asyncio.to_thread(self._change, lambda book: ledger.undo(book, changes, by, at))

    async def told(self) -> int:
        """The serial of the last line that was told."""
        found = await asyncio.to_thread(lambda: self._rows(lambda db: db.execute(schema.TOLD), lambda row: int(row[0])))
        return found[0] if found else 0

    async def note_told(self, serial: int) -> None:
        """Note it."""
        await asyncio.to_thread(lambda: self._change(lambda book: book.db.execute(schema.NOTE_TOLD, (serial,))))

    async def expire(self, at: float, *, keep_log: float = inf) -> int:
        """Let go of what holds no longer. Where there is no file, none is made."""

        def over(book: _SqliteBook) -> int:
            rows = book.db.execute(schema.OVER, (micro(at),)).fetchall()
            many = ledger.expire(book, map(entry_of, rows), at)
            if keep_log < inf:
                book.db.execute(schema.FORGET, (micro(at - keep_log),))
            return many

        return await asyncio.to_thread(lambda: self._change(over) if os.path.lexists(self.path) else 0)

    async def close(self) -> None:
        """Let go of the file."""
        self.close_now()

    def close_now(self) -> None:
        """As `close`, for whoever is in a thread."""
        self._file.close()

    # In whatever thread

    def look_now(self, wanted: Sequence[tuple[str, str]], at: float) -> list[SuppressionEntry | None]:
        """As `look`, for whoever is in a thread already."""
        return self._file.patiently(lambda db: self._looked(db, wanted, at))

    def look_at_once(self, wanted: Sequence[tuple[str, str]], at: float) -> list[SuppressionEntry | None]:
        """As `look`, waiting for nobody else longer than `BRIEF`. Raises `Problem`."""
        return self._file.read(lambda db: self._looked(db, wanted, at))

    def _looked(self, db: sqlite3.Connection | None, wanted: Sequence[tuple[str, str]], at: float) -> list[SuppressionEntry | None]:
        db = self._if_any(db)
        if db is None:
            return [None] * len(wanted)
        now, find = micro(at), db.cursor().execute
        found: list[SuppressionEntry | None] = []
        for address, stream in wanted:
            key = key_of(address)
            rows = find(schema.OF_ADDRESS, (key, now)).fetchall()
            if self._of_domains:
                rows += find(schema.OF_ADDRESS, (domain_key_of(key), now)).fetchall()
            found.append(_nearest(rows, key, stream_name(stream)) if rows else None)
        return found

    def _if_any(self, db: sqlite3.Connection | None) -> sqlite3.Connection | None:
        """The file, if there are entries in it."""
        if db is None:
            return None
        seen = (self._file.generation, db.execute("PRAGMA data_version").fetchone()[0])
        if seen != self._seen:
            empty, of_domains = db.execute(schema.KINDS).fetchone()
            self._empty, self._of_domains, self._seen = bool(empty), bool(of_domains), seen
        return None if self._empty else db

    def _rows(self, asked: Callable[[sqlite3.Connection], Iterable[Any]], made: Callable[[Any], T]) -> list[T]:
        return self._file.patiently(lambda db: [] if db is None else [made(row) for row in asked(db)])

    def _change(self, act: Callable[[_SqliteBook], T]) -> T:
        """Do `act` in one transaction. A crash leaves all of it or nothing."""
        return self._file.change(lambda db: act(_SqliteBook(db)))

    def _as_owner(self) -> Any:
        """What root makes here has to be the owner's of the spool, or nobody could use it."""
        if os.geteuid() == 0 and os.path.isdir(self.root) and os.stat(self.root).st_uid != 0:
            return acting(self.root)
        return nullcontext()


class SuppressionHealth(NamedTuple):
    """How the list is: whether it is `there`, how many `entries` it has, and what is wrong with it, if anything is.

    With `busy` it could not be looked at this moment, which says nothing about what is in it.
    """

    there: bool
    entries: int = 0
    trouble: str = ""
    busy: bool = False


def health(root: str) -> SuppressionHealth:
    """How the list beside the spool at `root` is, by all that is in it. Raises nothing; it may take its time."""
    entries = SqliteSuppression(root)
    there = os.path.lexists(entries.path)

    async def look() -> SuppressionHealth:
        try:
            if trouble := await entries.check():
                return SuppressionHealth(there, 0, f"the suppression list {entries.path} is damaged ({trouble}); {PUT_BACK}")
            return SuppressionHealth(there, await entries.count())
        except Problem as problem:
            return SuppressionHealth(there, 0, str(problem), problem.kind == "try-again")
        finally:
            await entries.close()

    return asyncio.run(look())


class _SqliteBook:
    """The entries in a transaction of `db`: a `SuppressionBook`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def entry(self, key: ledger.Key) -> SuppressionEntry | None:
        row = self.db.execute(schema.ENTRY, key).fetchone()
        return None if row is None else entry_of(row)

    def keep(self, entry: SuppressionEntry) -> None:
        self.db.execute(schema.KEEP, row_of(entry))

    def drop(self, key: ledger.Key) -> None:
        self.db.execute(schema.DROP, key)

    def newest_change(self) -> int:
        return int(self.db.execute(schema.NEWEST_CHANGE).fetchone()[0])

    def note(self, line: SuppressionChange) -> None:
        entries = as_text(line.before), as_text(line.after)
        said = (line.change, micro(line.at), line.act, line.address, line.scope, line.by, line.note, *entries, line.reason, line.evidence)
        self.db.execute(schema.NOTE, said)

    def is_proved(self, key: ledger.Key, reason: Reason, evidence: str) -> bool:
        return self.db.execute(schema.PROVED, (*key, reason.value, evidence)).fetchone() is not None

    def ran_out(self, key: ledger.Key, reason: Reason) -> int:
        return int(self.db.execute(schema.RAN_OUT, (*key, reason.value)).fetchone()[0])

    def lines_of(self, change: int) -> Sequence[SuppressionChange]:
        return [line_of(row) for row in self.db.execute(schema.LINES, (change,))]


def _nearest(rows: Sequence[Any], key: str, scope: str) -> SuppressionEntry | None:
    found = {entry.key: entry for entry in map(entry_of, rows)}
    return next((found[each] for each in precedence(key, scope) if each in found), None)
