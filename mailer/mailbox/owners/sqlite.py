"""Owners in a file of SQLite, ``owners.sqlite3`` beside the mailboxes: where there is one machine.

`mailer.io.database` says how the file is read, written and looked after.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from mailer.io.database import Database, DatabaseTerms
from mailer.mailbox.engine.sqlite import SqliteRows
from mailer.spool.files.owner import as_owner_of

from . import schema
from .rows import RowOwners

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from mailer.mailbox.engine.api import Rows

T = TypeVar("T")
NAME: Final = "owners.sqlite3"
TERMS: Final = DatabaseTerms(
    "the database of mailboxes' owners", schema.SQLITE, frozenset({"owner"}), "put back a copy, and restart mailer"
)  # fmt: skip


class SqliteOwners(RowOwners):
    """The owners in the file at `path`. It may be used by several threads. No file means no owners, unless `missing` raises `Problem`."""

    def __init__(self, path: str, missing: Callable[[], object] = bool) -> None:
        self.path = os.path.abspath(path)
        super().__init__(OwnerFile(Database(self.path, TERMS, partial(as_owner_of, os.path.dirname(self.path))), missing))


class OwnerFile:
    """A file as `OwnerTables`; where it is not there, `missing` may say that it should be. Nobody writes who has not read."""

    def __init__(self, file: Database, missing: Callable[[], object] = bool) -> None:
        self._file = file
        self._missing = missing

    def read(self, ask: Callable[[Rows | None], T]) -> T:
        """What `ask` makes of the rows that are there."""

        def asked(db: sqlite3.Connection | None) -> T:
            if db is not None:
                return ask(SqliteRows(db))
            self._missing()
            return ask(None)

        return self._file.patiently(asked)

    def change(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction."""
        return self._file.change(lambda db: act(SqliteRows(db)))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
