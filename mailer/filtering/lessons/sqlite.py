"""Lessons in ``lessons.sqlite3`` beside the spool: written by whatever process a user moves his mail in, and read by the daemon."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from mailer.io.database import Database, DatabaseTerms
from mailer.spool.files.owner import as_owner_of

from .api import KEPT, MOST, TRIES, Lesson

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

NAME: Final = "lessons.sqlite3"

FIRST: Final = """
BEGIN IMMEDIATE;

CREATE TABLE lesson (
    owner   TEXT NOT NULL,
    mail    TEXT NOT NULL,
    address TEXT NOT NULL,
    verdict TEXT NOT NULL,   -- spam or ham
    at      REAL NOT NULL,   -- seconds since the epoch
    PRIMARY KEY (owner, mail)
) WITHOUT ROWID;

CREATE INDEX lesson_at ON lesson (at);

CREATE TABLE heard (
    owner   TEXT NOT NULL,
    mail    TEXT NOT NULL,
    filter  TEXT NOT NULL,
    verdict TEXT NOT NULL,   -- the last that it was told, empty for none
    trying  TEXT NOT NULL,   -- what it could not learn
    tries   INTEGER NOT NULL,
    due     REAL NOT NULL,   -- when it is told again
    PRIMARY KEY (owner, mail, filter)
) WITHOUT ROWID;

PRAGMA user_version = 1;

COMMIT;
"""

TERMS: Final = DatabaseTerms(
    "the list of lessons", (FIRST,), frozenset({"lesson", "heard"}), "remove it, and restart mailer: what was not told yet is not told"
)

HEAR: Final = "INSERT OR REPLACE INTO lesson (owner, mail, address, verdict, at) VALUES (?, ?, ?, ?, ?)"
DUE: Final = """SELECT owner, mail, address, lesson.verdict, at FROM lesson LEFT JOIN heard USING (owner, mail)
    WHERE heard.filter = ?1 AND heard.verdict != lesson.verdict AND (trying != lesson.verdict OR due <= ?2)
    UNION ALL SELECT owner, mail, address, verdict, at FROM lesson
    WHERE NOT EXISTS (SELECT 1 FROM heard WHERE heard.owner = lesson.owner AND heard.mail = lesson.mail AND filter = ?1)
    ORDER BY 5, 2 LIMIT ?3"""
TOLD: Final = """INSERT INTO heard (owner, mail, filter, verdict, trying, tries, due) VALUES (?, ?, ?, ?, '', 0, 0)
    ON CONFLICT (owner, mail, filter) DO UPDATE SET verdict = excluded.verdict, trying = '', tries = 0, due = 0"""
TRIED: Final = """INSERT INTO heard (owner, mail, filter, verdict, trying, tries, due) VALUES (?1, ?2, ?3, '', ?4, ?6, ?5)
    ON CONFLICT (owner, mail, filter) DO UPDATE SET due = excluded.due, trying = excluded.trying,
        tries = CASE WHEN trying = excluded.trying THEN tries + ?6 ELSE ?6 END
    RETURNING tries"""
FORGET: Final = "DELETE FROM lesson WHERE owner = ? AND mail = ?"
FORGET_HEARD: Final = "DELETE FROM heard WHERE owner = ? AND mail = ?"
UNHEARD: Final = """SELECT 1 FROM heard WHERE owner = ? AND mail = ? AND filter = ? AND verdict = ?"""
ALL: Final = "SELECT owner, mail, address, verdict, at FROM lesson ORDER BY at, mail"
OLD: Final = "SELECT owner, mail, address, verdict, at FROM lesson WHERE at < ?"
COUNT: Final = "SELECT count(*) FROM lesson"


class SqliteLessons:
    """The lessons in the file beside the spool at `root`: `Lessons`. No file means no lessons. It may be used by several threads."""

    def __init__(self, root: str, most: int = MOST) -> None:
        self._most = most
        root = os.path.abspath(root)
        self._file = Database(f"{root}/{NAME}", TERMS, partial(as_owner_of, root))

    def hear(self, lessons: Sequence[Lesson]) -> None:
        """Keep these."""
        self._file.change(lambda db: db.executemany(HEAR, lessons))

    def due(self, filter: str, now: float, limit: int = 100) -> Sequence[Lesson]:
        """What a filter is to be told."""
        return self._file.patiently(lambda db: [] if db is None else [Lesson(*row) for row in db.execute(DUE, (filter, now, limit))])

    def told(self, filter: str, lessons: Sequence[Lesson]) -> None:
        """Note that it has heard these."""
        rows = [(each.owner, each.mail, filter, each.verdict) for each in lessons]
        self._file.change(lambda db: db.executemany(TOLD, rows))

    def failed(self, filter: str, lesson: Lesson, until: float, *, counts: bool = True) -> bool:
        """Note that it could not learn this one."""

        def failed(db: sqlite3.Connection) -> bool:
            [(tries,)] = db.execute(TRIED, (lesson.owner, lesson.mail, filter, lesson.verdict, until, int(counts))).fetchall()
            if tries >= TRIES:
                db.execute(TOLD, (lesson.owner, lesson.mail, filter, lesson.verdict))
            return int(tries) < TRIES

        return self._file.change(failed)

    def forget(self, lessons: Sequence[Lesson]) -> None:
        """Forget what is of a message that is gone."""
        self._file.change(lambda db: _forget(db, lessons))

    def waiting(self, filters: Sequence[str]) -> int:
        """How many have not been heard."""
        return self._file.patiently(lambda db: 0 if db is None else len(_unheard(db, filters)))

    def sweep(self, now: float, filters: Sequence[str]) -> int:
        """Forget what is too old, or too much."""
        if self._file.patiently(lambda db: db is None):
            return 0

        def sweep(db: sqlite3.Connection) -> int:
            gone = [Lesson(*row) for row in db.execute(OLD, (now - KEPT,))]
            surplus = int(db.execute(COUNT).fetchone()[0]) - self._most
            if not gone and surplus <= 0:
                return 0
            unheard = _unheard(db, filters)
            if surplus > len(gone):
                order = sorted((Lesson(*row) for row in db.execute(ALL)), key=lambda each: each in unheard)
                gone = [*{*gone, *order[:surplus]}]
            _forget(db, gone)
            return sum(each in unheard for each in gone)

        return self._file.change(sweep)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _forget(db: sqlite3.Connection, lessons: Sequence[Lesson]) -> None:
    rows = [(each.owner, each.mail) for each in lessons]
    db.executemany(FORGET, rows)
    db.executemany(FORGET_HEARD, rows)


def _unheard(db: sqlite3.Connection, filters: Sequence[str]) -> set[Lesson]:
    """The lessons that one of the filters has not heard."""

    def is_heard(lesson: Lesson, filter: str) -> bool:
        return db.execute(UNHEARD, (lesson.owner, lesson.mail, filter, lesson.verdict)).fetchone() is not None

    every = [Lesson(*row) for row in db.execute(ALL)]
    return {each for each in every if not all(is_heard(each, filter) for filter in filters)}
