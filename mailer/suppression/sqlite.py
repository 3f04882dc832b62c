"""Entries in ``suppress.sqlite3`` beside the spool: the truth about whom nobody may mail, written by the daemon, the API and the commands.

A write is one short transaction that holds everybody else up for as long as it lasts, and is synced (``synchronous = FULL``) before it is
told; who finds another one at work waits up to `file.PATIENCE`. Readers wait for nobody, and see a change as soon as it is made.

What is kept here cannot be made anew from anything else. So a file that is damaged, or of another program, or that others than its owner
may write, is never moved aside or begun anew: everything that needs it says so, and mail waits (`mailer.queue.suppressed`). No file
is an empty list; a file that was there and is gone is trouble, and so is one with nothing in it, which was cut off: a new one gets
its name when its tables are on the disk, so that a crash leaves no file, or a whole one.

The look-up is a read of an index of SQLite in the thread of whoever asks, which takes some microseconds; `FEW` of them at most, others go
to a thread. So does the first one of a file, which may have to be mended after a crash (a WAL that is read again), and one that somebody
else who mends it holds up. The pages that are looked at stay in memory, up to `CACHE`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import contextmanager, nullcontext
from math import inf
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem, from_os
from mailer.spool.files.owner import acting

from . import file, ledger, schema
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
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    T = TypeVar("T")

NAME: Final = "suppress.sqlite3"
CACHE: Final = "PRAGMA cache_size = -65536"  # kibibytes
FEW: Final = 200  # look-ups in the thread that asks: some milliseconds
BRIEF: Final = 0.05  # seconds that a reader waits in a loop; a thread goes on for `file.PATIENCE`


class SqliteSuppression:
    """The entries in the file beside the spool at `root`: a `SuppressionList`. It may be used by several threads."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.path = f"{self.root}/{NAME}"
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None
        self._seen = -1
        self._empty = True
        self._of_domains = False
        self._reading, self._writing = Lock(), Lock()

    # Looking

    async def look(self, wanted: Sequence[tuple[str, str]], at: float) -> Sequence[SuppressionEntry | None]:
        """The entries that keep them from being mailed."""
        if len(wanted) > FEW:
            return await asyncio.to_thread(self.look_now, wanted, at)
        return await self._soon(lambda: self.look_at_once(wanted, at))

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

        def empty() -> bool:
            with self._reading, self._told():
                return self._open_if_any() is None

        return await self._soon(empty)

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
        with self._writing, self._reading:
            self._let_go()

    # In whatever thread

    def look_now(self, wanted: Sequence[tuple[str, str]], at: float) -> list[SuppressionEntry | None]:
        """As `look`, for whoever is in a thread already."""
        return _patiently(lambda: self.look_at_once(wanted, at))

    def look_at_once(self, wanted: Sequence[tuple[str, str]], at: float) -> list[SuppressionEntry | None]:
        """As `look`, waiting for nobody else longer than `BRIEF`. Raises `Problem`."""
        with self._reading, self._told():
            db = self._open_if_any()
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

    def _open_if_any(self) -> sqlite3.Connection | None:
        """The file, if there are entries in it. Raises as `_open_to_read` does."""
        db = self._open_to_read()
        if db is None:
            return None
        [seen] = db.execute("PRAGMA data_version").fetchone()
        if seen != self._seen:
            empty, of_domains = db.execute(schema.KINDS).fetchone()
            self._empty, self._of_domains, self._seen = bool(empty), bool(of_domains), seen
        return None if self._empty else db

    def _rows(self, asked: Callable[[sqlite3.Connection], Iterable[Any]], made: Callable[[Any], T]) -> list[T]:
        def found() -> list[T]:
            with self._reading, self._told():
                db = self._open_to_read()
                return [] if db is None else [made(row) for row in asked(db)]

        return _patiently(found)

    def _change(self, act: Callable[[_SqliteBook], T]) -> T:
        """Do `act` in one transaction. A crash leaves all of it or nothing."""
        with self._writing, self._as_owner(), self._told():
            db = self._open_to_write()
            db.execute("BEGIN IMMEDIATE")
            try:
                done = act(_SqliteBook(db))
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return done

    def _as_owner(self) -> Any:
        """What root makes here has to be the owner's of the spool, or nobody could use it."""
        if os.geteuid() == 0 and os.path.isdir(self.root) and os.stat(self.root).st_uid != 0:
            return acting(self.root)
        return nullcontext()

    # The file

    async def _soon(self, ask: Callable[[], T]) -> T:
        """What `ask` gives: at once, where the file is at hand and nobody else holds it up, else in a thread. Raises `Problem`."""
        if self._is_at_hand():
            try:
                return ask()
            except Problem as problem:
                if problem.kind != "try-again":
                    raise
        return await asyncio.to_thread(_patiently, ask)

    def _is_at_hand(self) -> bool:
        """Whether the file is open that there is this moment; there being none is soon said, too."""
        try:
            about = os.lstat(self.path)
        except OSError:
            return True
        return self._reader is not None and (about.st_dev, about.st_ino) == self._which

    def _open_to_read(self) -> sqlite3.Connection | None:
        """The file as it is this moment; None if there never was one. Raises `Problem`, `sqlite3.Error`, `OSError`."""
        try:
            about = os.lstat(self.path)
        except FileNotFoundError:
            if self._which is None:
                return None
            raise Problem(f"the suppression list {self.path} was there, and is gone: {file.PUT_BACK}", "io-error") from None
        which = about.st_dev, about.st_ino
        if self._reader is None or which != self._which:
            file.refuse_foreign(self.path, about)
            self._let_go_reader()
            db = file.connected(self.path, BRIEF)
            try:
                file.version(db, self.path)
                db.execute("PRAGMA query_only = 1")
                db.execute(CACHE)  # taken as it is needed: a million entries are looked up in memory
            except BaseException:
                db.close()
                raise
            self._reader, self._which, self._seen = db, which, -1
        return self._reader

    def _open_to_write(self) -> sqlite3.Connection:
        """The same, made if there is none and there never was."""
        about = os.lstat(self.path) if os.path.lexists(self.path) else None
        if about is None and self._which is not None:
            raise Problem(f"the suppression list {self.path} was there, and is gone: {file.PUT_BACK}", "io-error")
        if about is None:
            file.make(self.path)
            about = os.lstat(self.path)
        which = about.st_dev, about.st_ino
        if self._writer is None or which != self._which:
            file.refuse_foreign(self.path, about)
            self._let_go_writer()
            db = file.connected(self.path)
            try:
                found = file.version(db, self.path)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                file.bring_up(db, found)
            except BaseException:
                db.close()
                raise
            self._writer = db
            if which != self._which:
                with self._reading:
                    self._let_go_reader()
                    self._which = which
        return self._writer

    def _let_go(self) -> None:
        self._let_go_reader()
        self._let_go_writer()

    def _let_go_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _let_go_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite and the system say, as a `Problem`."""
        try:
            yield
        except sqlite3.Error as error:
            self._seen = -1
            raise file.problem(self.path, error) from None
        except OSError as error:
            raise from_os("cannot use the suppression list", self.path, error) from None


def _patiently(ask: Callable[[], T]) -> T:
    """What `ask` gives; where somebody else is at work on the file it is asked again, for `file.PATIENCE`. Raises `Problem`."""
    until = time.monotonic() + file.PATIENCE
    while True:
        try:
            return ask()
        except Problem as problem:
            if problem.kind != "try-again" or time.monotonic() > until:
                raise
        time.sleep(BRIEF)


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
                return SuppressionHealth(there, 0, f"the suppression list {entries.path} is damaged ({trouble}); {file.PUT_BACK}")
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
