"""A file of SQLite that several use: made whole, never begun anew, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from mailer.io.database import Database, DatabaseBusy, DatabaseTerms
from mailer.io.haste import hurrying
from mailer.mail.problem import Problem

FIRST = "BEGIN; CREATE TABLE things (name TEXT); PRAGMA user_version = 1; COMMIT;"
SECOND = "BEGIN; ALTER TABLE things ADD COLUMN more TEXT; PRAGMA user_version = 2; COMMIT;"
TERMS = DatabaseTerms("the list of things", (FIRST,), frozenset({"things"}), "put back a copy")
COUNT = "SELECT count(*) FROM things"


def add(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO things (name) VALUES ('one')")


def count(db: sqlite3.Connection | None) -> int:
    return -1 if db is None else int(db.execute(COUNT).fetchone()[0])


@pytest.fixture
def file(tmp_path: Path) -> Database:
    return Database(str(tmp_path / "things"), TERMS)


def test_no_file_is_an_empty_one_until_something_is_changed(file: Database) -> None:
    """Then it is there, for its owner alone, and another who reads it sees the change."""
    assert file.read(count) == -1
    assert not os.path.exists(file.path)
    file.change(add)
    assert os.stat(file.path).st_mode & 0o777 == 0o600
    other = Database(file.path, TERMS)
    assert (file.read(count), other.read(count)) == (1, 1)
    other.change(add)
    assert asyncio.run(file.soon(count)) == asyncio.run(file.aside(count)) == 2
    file.close()
    other.close()


def test_a_change_that_fails_changes_nothing(file: Database) -> None:
    """Nor does it keep the next one from its turn."""
    file.change(add)

    def fail(db: sqlite3.Connection) -> None:
        add(db)
        raise KeyError

    with pytest.raises(KeyError):
        file.change(fail)
    file.change(add)
    assert file.read(count) == 2
    file.close()


def test_a_file_of_an_older_version_is_brought_up(file: Database) -> None:
    """By whoever comes first, be it to read. And one of a later version is left alone."""
    file.change(add)
    file.close()
    later = Database(file.path, TERMS._replace(steps=(FIRST, SECOND)))
    assert later.read(lambda db: db is not None and db.execute("SELECT more FROM things").fetchall()) == [(None,)]
    later.change(lambda db: db.execute("UPDATE things SET more = 'x'"))
    later.close()
    with pytest.raises(Problem, match="has version 2, and this mailer knows versions up to 1"):
        file.read(count)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "was cut off"), (b"no database at all" * 100, "is damaged"), (None, "another program")],
    ids=["empty", "text", "other"],
)
def test_what_is_no_file_of_ours_is_never_begun_anew(file: Database, content: bytes | None, why: str) -> None:
    """It stays as it is, and whoever needs it is told."""
    if content is None:
        with sqlite3.connect(file.path) as db:
            db.execute("CREATE TABLE others (name TEXT)")
        db.close()
    else:
        Path(file.path).write_bytes(content)
    os.chmod(file.path, 0o600)
    before = Path(file.path).read_bytes()
    for ask in (lambda: file.read(count), lambda: file.change(add)):
        with pytest.raises(Problem, match=why) as caught:
            ask()
        assert "put back a copy" in str(caught.value)
    assert Path(file.path).read_bytes() == before
    file.close()


def test_a_file_that_was_there_and_is_gone_is_trouble(file: Database) -> None:
    """Not an empty one."""
    file.change(add)
    assert file.read(count) == 1
    os.unlink(file.path)
    for ask in (lambda: file.read(count), lambda: file.change(add)):
        with pytest.raises(Problem, match="was there, and is gone"):
            ask()
    file.close()


def test_a_file_that_others_may_write_is_refused(file: Database) -> None:
    """Whoever can write it could let himself in."""
    file.change(add)
    file.close()
    os.chmod(file.path, 0o666)
    with pytest.raises(Problem, match="may be written by others"):
        file.read(count)


# One that is put in the place of another


def replace(file: Database, many: int) -> None:
    """Put a file with so many things in the place of the one that is there, which nobody has open for writing."""
    other = Database(f"{file.path}.new", TERMS)
    for _ in range(many):
        other.change(add)
    other.close()
    os.rename(other.path, file.path)


def test_who_writes_follows_to_the_file_that_was_put_there(file: Database) -> None:
    """Also where somebody has read it before: a change is of the file that everybody else reads."""
    file.change(add)
    with closing(sqlite3.connect(file.path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    replace(file, 3)
    assert file.read(count) == 3
    file.change(add)
    other = Database(file.path, TERMS)
    assert (file.read(count), other.read(count)) == (4, 4)
    for each in (file, other):
        each.close()


def test_a_file_that_is_replaced_while_its_writer_waits_is_let_go_of(file: Database) -> None:
    """What he waited for was the old one, in which nobody would ever find his change."""
    file.change(add)
    begun, waiting = file._open_to_write(), sqlite3.connect(file.path, isolation_level=None)
    assert begun is file._writer
    waiting.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    real = file._open_to_write

    def replaced_meanwhile() -> sqlite3.Connection:
        db = real()
        if file._open_to_write is not real:
            file._open_to_write = real  # type: ignore[method-assign]
            replace(file, 5)
        return db

    file._open_to_write = replaced_meanwhile  # type: ignore[method-assign]
    file.change(add)
    assert file.read(count) == 6
    waiting.close()
    file.close()


def test_a_file_that_says_it_is_none_because_it_was_replaced_is_asked_again(file: Database) -> None:
    """Who opened the old one a moment before is told to try again, not that it is another program's."""
    file.change(add)
    file.close()

    def slow(path: str, patience: float) -> sqlite3.Connection:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA user_version = 99")
        if patience:
            replace(file, 2)
        return db

    with pytest.raises(Problem) as caught:
        Database(file.path, TERMS, connect=slow).read(count)
    assert caught.value.kind == "try-again"
    assert Database(file.path, TERMS).read(count) == 2


def test_what_whoever_asks_refuses_is_asked_once(file: Database) -> None:
    """That something passes with time is no sign that somebody else is at work on the file."""
    file.change(add)
    asked = 0

    def refusing(_: sqlite3.Connection | None) -> int:
        nonlocal asked
        asked += 1
        raise Problem("there is no room; try again", "try-again")

    for ask in (file.soon, file.aside):
        with pytest.raises(Problem, match="no room"):
            asyncio.run(ask(refusing))
    assert asked == 2


@pytest.mark.parametrize("by", ["process", "thread"])
def test_who_is_in_haste_waits_for_nobody(file: Database, by: str) -> None:
    """Neither for another process that writes nor for a thread; without haste he has all his patience again."""
    file.change(add)
    other = Database(file.path, TERMS)
    begun, go = Event(), Event()

    def hold(db: sqlite3.Connection) -> None:
        begun.set()
        assert go.wait(10)

    with ThreadPoolExecutor(2) as pool:
        holding = pool.submit((other if by == "process" else file).change, hold)
        assert begun.wait(10)
        with hurrying(), pytest.raises(DatabaseBusy, match="try again"):
            file.change(add)
        waiting = pool.submit(file.change, add)
        go.set()
        holding.result()
        waiting.result()
    with hurrying():
        file.change(add)
    assert file.read(count) == 3
    file.close()
    other.close()
