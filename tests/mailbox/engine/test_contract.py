"""Rows are kept alike by all engines."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.engine.api import Engine, Rows
from mailer.mailbox.engine.sealed import opened
from mailer.mailbox.engine.sqlite import MemoryEngine, SqliteEngine
from tests.peers.postgresql import NEEDED, PASSWORD

ADD = "INSERT INTO keyword (owner, folder, word, name) VALUES (?, ?, ?, ?)"
ALL = "SELECT word, name FROM keyword WHERE owner = ? ORDER BY word"
SET = "UPDATE keyword SET name = ? WHERE owner = ? AND word = ?"
UPSERT = """INSERT INTO keyword (owner, folder, word, name) VALUES (?, ?, ?, ?)
    ON CONFLICT (owner, folder, word) DO UPDATE SET name = excluded.name RETURNING word, name"""
LIKE = "SELECT word FROM keyword WHERE owner = ? AND name LIKE '100%?' AND name <> '''?'"


@pytest.fixture(params=["sqlite", "encrypted", "memory", pytest.param("postgresql", marks=NEEDED)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "postgresql":
        from mailer.mailbox.engine.connections import Connections
        from mailer.mailbox.engine.postgres import TURN, PostgresEngine

        tables = {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),)}
        connections = Connections(request.getfixturevalue("postgresql").url(), tables, PASSWORD)
        yield PostgresEngine(connections, 7)
        connections.close()
    else:
        connect = (lambda path, patience: opened(path, patience, [b"k" * 32])) if request.param == "encrypted" else None
        engine = MemoryEngine(7) if request.param == "memory" else SqliteEngine(str(tmp_path / "index.sqlite3"), 7, connect=connect)
        engine.change(lambda _: None)
        yield engine
        engine.close()


def words(engine: Engine) -> list[tuple[str, str]]:
    return [(word, name) for word, name in engine.read(lambda rows: rows.run(ALL, (7,)))]


def test_what_a_change_did_is_there_when_it_returns(engine: Engine) -> None:
    """And its result is whatever the change made."""

    def act(rows: Rows) -> int:
        rows.many(ADD, [(7, 1, word, word.upper()) for word in ("b", "a", "c")])
        rows.many(ADD, [])
        return rows.change(SET, ("X", 7, "b")) + rows.change(SET, ("X", 7, "z"))

    assert engine.change(act) == 1
    assert words(engine) == [("a", "A"), ("b", "X"), ("c", "C")]


def test_a_change_that_raises_has_changed_nothing(engine: Engine) -> None:
    """The error is that of whoever raised it."""

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, 1, "a", "A"))
        raise LookupError("x")

    with pytest.raises(LookupError):
        engine.change(act)
    assert words(engine) == []
    engine.change(lambda rows: rows.change(ADD, (7, 1, "b", "B")))
    assert words(engine) == [("b", "B")]


def test_a_statement_gives_back_the_rows_that_it_made(engine: Engine) -> None:
    """In place of those that were there, too."""
    assert engine.change(lambda rows: list(rows.run(UPSERT, (7, 1, "a", "A")))) == [("a", "A")]
    assert engine.change(lambda rows: list(rows.run(UPSERT, (7, 1, "a", "Ä")))) == [("a", "Ä")]
    assert engine.change(lambda rows: list(rows.run(SET, ("B", 7, "a")))) == []


def test_values_come_back_as_they_went(engine: Engine) -> None:
    """Numbers of 63 bits, octets, times, texts of any script; what is in quotes in a statement is text."""
    put = "INSERT INTO delivered (owner, spool_id, recipient, place, folder, uid, mail, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    row = (2**63 - 1, "é'?%s\U0001f600", "", 0, int(Flag.SEEN | Flag.DRAFT), 2**32 - 2, "\\x41", 1_796_127_000.123456)
    got = "SELECT owner, spool_id, recipient, place, folder, uid, mail, at FROM delivered WHERE owner = ?"
    engine.change(lambda rows: rows.change(put, (*row[:4], Flag.SEEN | Flag.DRAFT, *row[5:])))
    assert list(engine.read(lambda rows: rows.run(got, (2**63 - 1,)))) == [row]
    octets = bytes(range(256))
    body = "INSERT INTO text (owner, mail, body) VALUES (?, ?, ?)"
    engine.change(lambda rows: rows.change(body, (7, "m", octets)))
    assert list(engine.read(lambda rows: rows.run("SELECT body FROM text WHERE owner = ?", (7,)))) == [(octets,)]
    engine.change(lambda rows: rows.change(ADD, (7, 1, "a", "100 percent?")))
    assert list(engine.read(lambda rows: rows.run(LIKE, (7,)))) == [("a",)]


def test_texts_are_in_the_order_of_their_symbols(engine: Engine) -> None:
    """Whatever the language of the database."""
    engine.change(lambda rows: rows.many(ADD, [(7, 1, word, "") for word in ("b", "B", "é", "a b", "ab", "A", "~", "1")]))
    assert [word for word, _ in words(engine)] == sorted(word for word, _ in words(engine))


def test_changes_at_once_are_one_after_the_other(engine: Engine) -> None:
    """Each sees what those before it did."""
    engine.change(lambda rows: rows.change(ADD, (7, 1, "count", "0")))

    def count(_: int) -> None:
        def act(rows: Rows) -> None:
            number = int(rows.run("SELECT name FROM keyword WHERE owner = ? AND word = ?", (7, "count"))[0][0])
            rows.change(SET, (str(number + 1), 7, "count"))

        engine.change(act)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(count, range(30)))
    assert words(engine) == [("count", "30")]


def test_what_is_read_is_of_one_moment(engine: Engine) -> None:
    """A change between two questions is in neither answer."""
    engine.change(lambda rows: rows.change(ADD, (7, 1, "a", "A")))
    changed = threading.Event()

    def change() -> None:
        engine.change(lambda rows: rows.change(SET, ("X", 7, "a")))
        changed.set()

    def ask(rows: Rows) -> tuple[object, object]:
        first = rows.run(ALL, (7,))
        thread.start()
        changed.wait(0.2 if isinstance(engine, MemoryEngine) else 60)  # one in memory is asked by one at a time
        return list(first), list(rows.run(ALL, (7,)))

    thread = threading.Thread(target=change)
    assert engine.read(ask) == ([("a", "A")], [("a", "A")])
    thread.join(60)
    assert words(engine) == [("a", "X")]


def test_what_is_there_twice_is_refused_whole(engine: Engine) -> None:
    """It is trouble of a database, and said as such or raised as it is in memory."""
    engine.change(lambda rows: rows.change(ADD, (7, 1, "a", "A")))
    with pytest.raises((Problem, sqlite3.Error)):
        engine.change(lambda rows: rows.many(ADD, [(7, 1, "b", "B"), (7, 1, "a", "A")]))
    assert words(engine) == [("a", "A")]
