"""Rows of limits in ``limits.sqlite3`` in the spool, which the daemon writes, and each process where users log in."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms
from mailer.mail.problem import Problem

from ..table import Happening, LimitRow
from .api import HEARD

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
SECOND: Final = """
BEGIN IMMEDIATE;

CREATE TABLE happened (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    process TEXT NOT NULL,   -- where
    what    TEXT NOT NULL,   -- failed, came
    ip      TEXT NOT NULL,
    user    TEXT NOT NULL,   -- the key of who came
    at      REAL NOT NULL    -- seconds since the epoch
);

CREATE INDEX happened_at ON happened (at);

PRAGMA user_version = 2;

COMMIT;
"""
LOAD: Final = "SELECT name, key, numbers FROM remembered ORDER BY at"
KEEP: Final = "INSERT OR REPLACE INTO remembered (name, key, at, numbers) VALUES (?, ?, ?, ?)"
KEEP_FIRST: Final = """INSERT INTO remembered (name, key, at, numbers)
    SELECT ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM remembered WHERE name = 'secret')"""
LAST: Final = "SELECT coalesce(max(number), 0) FROM happened"
SAY: Final = "INSERT INTO happened (process, what, ip, user, at) VALUES (?, ?, ?, ?, ?)"
SAID: Final = "SELECT number, process, what, ip, user, at FROM happened WHERE number > ? ORDER BY number"
OLD: Final = "DELETE FROM happened WHERE at < ?"
DROP: Final = "DELETE FROM remembered WHERE name = ? AND key = ?"

TERMS: Final = DatabaseTerms("the file of limits", (FIRST, SECOND), frozenset({"remembered"}), "move it away, and restart mailer")


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
            db.executemany(KEEP, (_bound(row) for row in rows if row.numbers and row.table != "secret"))
            db.executemany(KEEP_FIRST, (_bound(row) for row in rows if row.numbers and row.table == "secret"))
            db.executemany(DROP, ((row.table, _text(row.key)) for row in rows if not row.numbers))

        await asyncio.to_thread(self._file.change, kept)

    async def last(self) -> int:
        """The number of the last thing that was said."""

        def last(db: sqlite3.Connection | None) -> int:
            return 0 if db is None else int(db.execute(LAST).fetchone()[0])

        return await self._file.aside(last)

    async def say(self, process: str, happenings: Sequence[Happening]) -> None:
        """Let others hear of it."""

        def say(db: sqlite3.Connection) -> None:
            db.executemany(SAY, ((process, each.what, each.ip, _text(each.user), each.at) for each in happenings))
            db.execute(OLD, (max(each.at for each in happenings) - HEARD,))

        await asyncio.to_thread(self._file.change, say)

    async def heard(self, after: int, process: str) -> tuple[int, Sequence[Happening]]:
        """What was said by others."""

        def heard(db: sqlite3.Connection | None) -> list[tuple[int, str, Happening]]:
            rows = [] if db is None else db.execute(SAID, (after,))
            return [(number, who, Happening(*said)) for number, who, *said in rows]

        found = await self._file.soon(heard)
        return max((number for number, _, _ in found), default=after), [each for _, who, each in found if who != process]

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


def _bound(row: LimitRow) -> tuple[str, str, float, str]:
    return row.table, _text(row.key), row.numbers[0], json.dumps(row.numbers)


def _text(key: str) -> str:
    """A text that SQLite takes."""
    return key.encode("utf-8", "replace").decode()
