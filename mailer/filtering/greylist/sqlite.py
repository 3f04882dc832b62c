"""The greylist in ``greylist.sqlite3`` beside the spool, so that a restart puts nobody off again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms

from .api import MOST, GreyRow, judged

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from .api import GreylistTerms

NAME: Final = "greylist.sqlite3"

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE greylist (
    key    TEXT PRIMARY KEY,  -- a digest of who writes to whom
    first  REAL NOT NULL,     -- seconds since the epoch
    last   REAL NOT NULL,
    passed INTEGER NOT NULL   -- whether he came again in time
) WITHOUT ROWID;

CREATE INDEX greylist_last ON greylist (last);

PRAGMA user_version = 1;

COMMIT;
"""

TERMS: Final = DatabaseTerms(
    "the greylist", (FIRST,), frozenset({"greylist"}), "remove it, and restart mailer: what it knew is learned again"
)

ROW: Final = "SELECT first, last, passed FROM greylist WHERE key = ?"
KEEP: Final = "INSERT OR REPLACE INTO greylist (key, first, last, passed) VALUES (?, ?, ?, ?)"
COUNT: Final = "SELECT count(*) FROM greylist"
EXPIRE: Final = "DELETE FROM greylist WHERE (passed AND ?1 - last > ?2) OR (NOT passed AND ?1 - first > ?3)"
OLDEST: Final = "DELETE FROM greylist WHERE key IN (SELECT key FROM greylist ORDER BY last LIMIT ?)"


class SqliteGreylist:
    """Rows in the file beside the spool at `root`: a `Greylist` of at most `most` rows."""

    def __init__(self, root: str, most: int = MOST) -> None:
        self._most = most
        self._many = -1  # rows, as far as this process knows
        self._database = Database(f"{root}/{NAME}", TERMS)

    async def met(self, keys: Sequence[str], at: float, terms: GreylistTerms) -> Sequence[float]:
        """Note that they have come."""

        def note(db: sqlite3.Connection) -> list[float]:
            return [self._note(db, key, at, terms) for key in keys]

        return await asyncio.to_thread(self._database.change, note)

    def _note(self, db: sqlite3.Connection, key: str, at: float, terms: GreylistTerms) -> float:
        found = db.execute(ROW, (key,)).fetchone()
        row, wait = judged(GreyRow(found[0], found[1], bool(found[2])) if found else None, at, terms)
        db.execute(KEEP, (key, *row))
        if found is None:
            self._make_room(db)
        return wait

    def _make_room(self, db: sqlite3.Connection) -> None:
        """Count the rows once, and what is new from then on."""
        self._many = int(db.execute(COUNT).fetchone()[0]) if self._many < 0 else self._many + 1
        if self._many > self._most:
            self._many -= db.execute(OLDEST, (self._many - self._most,)).rowcount

    async def expire(self, at: float, terms: GreylistTerms) -> int:
        """Forget what is over."""
        if await self._database.aside(lambda db: db is None):
            return 0

        def forget(db: sqlite3.Connection) -> int:
            self._many = -1
            return db.execute(EXPIRE, (at, terms.keep, terms.retry)).rowcount

        return await asyncio.to_thread(self._database.change, forget)

    async def count(self) -> int:
        """How many rows there are."""
        return await self._database.aside(lambda db: 0 if db is None else int(db.execute(COUNT).fetchone()[0]))

    async def close(self) -> None:
        """Let go of the file."""
        await asyncio.to_thread(self._database.close)
