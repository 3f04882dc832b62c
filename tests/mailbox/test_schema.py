"""The tables of a mailbox, and how those of an earlier version become these."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mailer.mailbox import schema
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.owners.memory import MemoryOwners
from tests.peers.postgresql import PASSWORD, PostgreSQL

from .premises import ANN, NOW, put


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    """With all that is in it."""
    path, owner, bodies = str(tmp_path / "index.sqlite3"), MemoryOwners().make(ANN, NOW), MemoryBodies(lambda: NOW)
    box = OwnMailbox(owner, SqliteEngine(path), bodies)
    mails = put(box, "INBOX", 2)
    box.close()
    db = sqlite3.connect(path)
    later = [table for table in schema.PARTS if f"CREATE TABLE {table} (" not in schema.FIRST]
    changes = "DROP INDEX mail_uidl; ALTER TABLE folder DROP COLUMN recent;"
    db.executescript(f"{''.join(f'DROP TABLE {table};' for table in later)} {changes} PRAGMA user_version = 1")
    db.close()
    box = OwnMailbox(owner, SqliteEngine(path), bodies)
    assert list(box.wanted()) == []
    box.subscribe("b", True)
    box.annotate(1, [("/private/comment", b"x")])
    assert list(box.wanted()) == ["b"]
    assert [entry.mail for entry in box.entries(1)] == mails
    assert box.recent(1) == 0
    put(box, "INBOX", 1)
    assert box.recent(1) == 1
    box.close()


@pytest.mark.peer("postgresql")
def test_a_database_of_the_first_version_goes_on(postgresql: PostgreSQL) -> None:
    """The same tables, as if they had been made at once."""
    from mailer.mailbox.engine.connections import Connections

    url = postgresql.url(postgresql.schema())
    for steps in (schema.POSTGRESQL[:1], schema.POSTGRESQL, schema.POSTGRESQL):
        connections = Connections(url, {"mailboxes": steps}, PASSWORD)
        with connections.lent() as db:
            there = {row[0] for row in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}
        connections.close()
        assert ("wanted" in there) is (len(steps) > 1)
    assert there >= {*schema.PARTS, "word"}
    assert "".join(schema.POSTGRESQL).count("CREATE") == schema.ddl("postgresql").count("CREATE")
