"""Rows of limits in ``limits.sqlite3`` in the spool, which the daemon alone writes."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms
from mailer.mail.problem import Problem

from ..table import LimitRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

NAME: Final = "limits.sqlite3"

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE remembered (
    name    TEXT NOT NULL,   -- failure, familiar, day, recipient, secret
    key     TEXT NOT NULL,
    at      REAL NOT NULL,   -- seconds since the epoch
    numbers TEXT NOT NULL,   -- a JSON array, of which the first is that time
    PRIMARY KEY (name, key)
) WITHOUT ROWID;

PRAGMA user_version = 1;

COMMIT;
"""
LOAD: Final = "SELECT name, key, numbers FROM remembered ORDER BY at"
KEEP: Final = "INSERT OR REPLACE INTO remembered (name, key, at, numbers) VALUES (?, ?, ?, ?)"
DROP: Final = "DELETE FROM remembered WHERE name = ? AND key = ?"

TERMS: Final = DatabaseTerms("the file of limits", (FIRST,), frozenset({"remembered"}), "move it away, and restart mailer")


class SqliteLimits:
    """Rows in the file in the directory `root`: a `LimitStore`."""

    def __init__(self, root: str) -> None:
        self._file = Database(f"{os.path.abspath(root)}/{NAME}", TERMS)

    async def load(self) -> Sequence[LimitRow]:
        """All rows."""

        def loaded(db: sqlite3.Connection | None) -> list[LimitRow]:
            return [] if db is None else [_row(*row) for row in db.execute(LOAD)]

        return await self._file.aside(loaded)

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        """Keep each in place of the one of its table and key."""

        def kept(db: sqlite3.Connection) -> None:
            there = (row for row in rows if row.numbers)
            db.executemany(KEEP, ((row.table, _text(row.key), row.numbers[0], json.dumps(row.numbers)) for row in there))
            db.executemany(DROP, ((row.table, _text(row.key)) for row in rows if not row.numbers))

        await asyncio.to_thread(self._file.change, kept)

    async def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _row(name: str, key: str, numbers: str) -> LimitRow:
    """A row as it was written. Raises `Problem` for one that somebody else has: then none is believed."""
    try:
        found = tuple(float(each) for each in json.loads(numbers))
        if not found or (name == "secret" and not bytes.fromhex(key)):
            raise ValueError
    except (ValueError, TypeError):
        raise Problem(f"{TERMS.what} has a row {name!r} that is none; {TERMS.remedy}", "bad-config") from None
    return LimitRow(name, key, found)


def _text(key: str) -> str:
    """A text that SQLite takes."""
    return key.encode("utf-8", "replace").decode()
