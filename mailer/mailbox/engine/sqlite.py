"""The rows of one owner in a file of SQLite, ``index.sqlite3`` in his directory, or in memory.

`mailer.io.database` says how the file is read, written, synced and looked after: one writer, who is waited for, and readers that wait for
nobody. What is read is of one moment, however many questions it takes.
"""

from __future__ import annotations

import os
import sqlite3
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from mailer.io.database import SMALL_CACHE, Database, DatabaseTerms
from mailer.io.durable import forget
from mailer.mail.problem import Problem, from_os
from mailer.mailbox import schema
from mailer.spool.files.owner import as_owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.io.database import Connect

    from .api import Rows

T = TypeVar("T")

NAME: Final = "index.sqlite3"
REMEDY: Final = "put back a backup, or rebuild it from the messages: mailer doctor --repair"
TERMS: Final = DatabaseTerms("the index of a mailbox", schema.STEPS, schema.NAMES, REMEDY, SMALL_CACHE)


class SqliteRows:
    """A transaction of the connection `db`: `Rows`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def run(self, sql: str, values: Sequence[object] = ()) -> Sequence[tuple[Any, ...]]:
        """The rows that `sql` gives."""
        STATEMENT = sql  # noqa: N806 - a constant of whoever asks, as the tests of the house see to
        return self._db.execute(STATEMENT, values).fetchall()

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Do `sql`, and say how many rows it touched."""
        STATEMENT = sql  # noqa: N806 - as above
        return self._db.execute(STATEMENT, values).rowcount

    def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Do `sql` for each of `rows`."""
        STATEMENT = sql  # noqa: N806 - as above
        self._db.executemany(STATEMENT, rows)


class SqliteEngine:
    """The rows in the file at `path`: an `Engine`. The file is made at the first change; until then nothing is in it.

    `connect` opens the file where it is encrypted. `owner` is the number of the owner in the rows.
    """

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, path: str, owner: int = 1, *, connect: Connect | None = None) -> None:
        self.path = path
        self.owner = owner
        self._connect = connect
        self._file = self._database()

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment."""

        def asked(db: sqlite3.Connection | None) -> T:
            if db is None:
                raise Problem(f"{TERMS.what} {self.path} is not there; {REMEDY}", "no-such")
            db.execute("BEGIN")
            try:
                return ask(SqliteRows(db))
            finally:
                db.execute("ROLLBACK")

        return self._file.patiently(asked)

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction."""
        return self._file.change(lambda db: act(SqliteRows(db)))

    def set_aside(self, now: float) -> str:
        """Where the file is damaged, give it another name. Raises `Problem`."""
        if not self._file.damage():
            return ""
        self.close()
        aside = f"{self.path}.damaged-{int(now)}"
        try:
            for suffix in ("-wal", "-shm", ""):
                if os.path.lexists(f"{self.path}{suffix}"):
                    os.rename(f"{self.path}{suffix}", f"{aside}{suffix}")
        except OSError as error:
            raise from_os(f"cannot put aside {TERMS.what}", self.path, error) from None
        self._file = self._database()
        return aside

    def forget(self) -> None:
        """Remove the file. Raises `Problem`."""
        self.close()
        for path in (f"{self.path}-shm", f"{self.path}-wal", self.path):
            try:
                forget(path)
            except OSError as error:
                raise from_os(f"cannot remove {TERMS.what}", path, error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _database(self) -> Database:
        return Database(self.path, TERMS, partial(as_owner_of, os.path.dirname(self.path)), self._connect)


class MemoryEngine:
    """The rows in memory: an `Engine` for tests, and for what is looked at and thrown away."""

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, owner: int = 1) -> None:
        self.owner = owner
        self._lock = RLock()
        self._db = _in_memory()

    def read(self, ask: Callable[[Rows], T]) -> T:
        """What `ask` makes of the rows of one moment."""
        with self._lock:
            return ask(SqliteRows(self._db))

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                done = act(SqliteRows(self._db))
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            return done

    def set_aside(self, now: float) -> str:  # noqa: ARG002 - of the interface
        """Nothing damages what is in memory."""
        return ""

    def forget(self) -> None:
        """Remove all rows."""
        with self._lock:
            self._db.close()
            self._db = _in_memory()

    def close(self) -> None:
        """Nothing is to be let go of: what is in memory may be asked again."""


def _in_memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    for STEP in schema.STEPS:  # noqa: N806 - each is one
        db.executescript(STEP)
    return db
