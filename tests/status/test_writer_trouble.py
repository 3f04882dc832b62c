"""The one writer in trouble: a database that is broken, locked or gone stops nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
from asyncio import run
from pathlib import Path

import pytest

from mailer.events import Seen, Settled
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.history import History
from mailer.spool.api import Entry
from mailer.status.api import StatusError
from mailer.status.sqlite import NAME, file, rows
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office
from tests.status.rows import TABLES, dump, entry

# Trouble


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """It says who wrote to whom; its side files have the same mode."""
    before = os.umask(0)
    try:
        writer = SqliteRecorder(str(tmp_path / "status.sqlite3"))
        run(writer.write([Seen(NOW, entry())]))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        run(writer.close())
    finally:
        os.umask(before)
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("damage", [b"this is no database, but a letter to somebody" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_kept_aside_and_a_new_one_begun(tmp_path: Path, damage: bytes) -> None:
    """It is reported in one line; mail goes on."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    path.write_bytes(damage)
    writer = SqliteRecorder(str(path), reports.append)
    run(writer.write([Seen(NOW, entry())]))
    run(writer.close())
    assert len(dump(path)["emails"]) == 1
    assert (tmp_path / "status.sqlite3.aside1").read_bytes() == damage
    assert len(reports) == 1
    assert "aside1" in reports[0]


def test_a_database_that_breaks_while_it_is_used_is_replaced_and_the_batch_is_not_lost(office: Office) -> None:
    """Some other program has written over it."""
    for _ in range(40):
        office.sent()
    office.close()
    size = office.path.stat().st_size
    with office.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    last = office.put()
    office.seen(last)
    office.settle(last, outcome())
    assert [row[0] for row in dump(office.path)["emails"]] == [last]
    assert office.reports
    assert Path(f"{office.path}.aside1").exists()


def test_a_database_of_a_later_version_is_kept_aside(tmp_path: Path) -> None:
    """An older program does not guess at newer tables; the second one aside does not overwrite the first."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    for serial in (1, 2):
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 999")
        db.close()
        run(SqliteRecorder(str(path), reports.append).close())
        assert (tmp_path / f"status.sqlite3.aside{serial}").exists()
    assert "999" in reports[0]


def test_tables_that_are_not_ours_are_kept_aside(tmp_path: Path) -> None:
    """Somebody else's database lies at our place."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE emails (anything)")
    db.close()
    writer = SqliteRecorder(str(path), reports.append)
    run(writer.write([Seen(NOW, entry())]))
    run(writer.close())
    assert len(reports) == 1


def test_tables_that_vanish_are_made_anew(office: Office) -> None:
    """Somebody has dropped a table under a running daemon."""
    db = sqlite3.connect(office.path)
    db.execute("DROP TABLE attempts")
    db.close()
    office.sent()
    assert len(dump(office.path)["attempts"]) == 1
    assert len(office.reports) == 1


def test_what_is_no_file_is_moved_aside(tmp_path: Path) -> None:
    """A directory at its place does not stop the daemon."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    path.mkdir()
    run(SqliteRecorder(str(path), reports.append).close())
    assert path.is_file()
    assert (tmp_path / "status.sqlite3.aside1").is_dir()


def test_a_place_that_cannot_be_written_is_reported_and_tried_again(tmp_path: Path) -> None:
    """The daemon starts without it; each batch is an error until the place is there, and then nothing that was told is missing."""
    reports = list[str]()
    writer = SqliteRecorder(str(tmp_path / "none" / "status.sqlite3"), reports.append)
    assert len(reports) == 1
    with pytest.raises(StatusError, match="No such file"):
        run(writer.write([Seen(NOW, entry())]))
    (tmp_path / "none").mkdir()
    run(writer.write([Seen(NOW, entry())]))
    run(writer.close())
    assert len(dump(tmp_path / "none" / "status.sqlite3")["emails"]) == 2


def test_a_batch_that_fails_half_way_leaves_nothing(office: Office) -> None:
    """One transaction a batch."""
    office.write([])
    with office.recorder.transaction() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StatusError):
        office.sent()
    assert dump(office.path)["emails"] == []


def test_a_full_disk_is_an_error_and_not_a_new_database(office: Office) -> None:
    """What passes with time is raised; nothing is moved aside."""
    with office.recorder.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    office.recorder._db().execute(f"PRAGMA max_page_count = {pages}")
    ids = [office.put(subject="x" * 1500) for _ in range(200)]
    entries = [office.entry(id) for id in ids]
    for letter in entries:
        letter.history.add([outcome()])
    with pytest.raises(StatusError):
        office.write([Settled(NOW, letter, "sent") for letter in entries])
    assert dump(office.path)["emails"] == []
    assert not office.reports


@pytest.mark.slow
def test_letters_of_many_recipients_are_written_whole(office: Office) -> None:
    """Ten thousand recipients, in one transaction."""
    addresses = [f"user{n}@example.net" for n in range(10_000)]
    letter = Entry(
        "0" * 26, "queued", Envelope("0" * 26, "2027-01-15T08:00:00Z", "", [Recipient(a) for a in addresses]), 1, History(10_000), 0.0, NOW
    )
    office.write([Seen(NOW, letter)])
    assert len(dump(office.path)["email_recipients"]) == 10_000


def test_no_statement_puts_more_values_than_an_old_sqlite_takes(office: Office) -> None:
    """Before 3.32 that was 999; more of them would be an error that looks like a database which cannot be used."""
    office.recorder._db().setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    entries = [office.entry(office.put()) for _ in range(130)]
    for letter in entries:
        letter.history.add([outcome()])
    office.write([Settled(NOW, letter, "sent") for letter in entries])
    assert {table: len(found) for table, found in dump(office.path).items()} == dict.fromkeys(TABLES, 130)
    assert not office.reports


# What it does not take now


def test_what_a_locked_database_does_not_take_is_written_when_it_is_free(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches come meanwhile; each is an error while it lasts, and only the first one waits."""
    office.close()
    monkeypatch.setattr(file, "PATIENT", 0.0)
    office.write([])
    other = sqlite3.connect(office.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        with pytest.raises(StatusError, match="locked"):
            office.sent()
    run(office.recorder.maintain())
    assert dump(office.path)["emails"] == []
    other.execute("ROLLBACK")
    other.close()
    run(office.recorder.maintain())
    assert {table: len(rows) for table, rows in dump(office.path).items()} == {"emails": 20, "email_recipients": 20, "attempts": 20}
    assert not office.reports


def test_what_is_kept_for_a_locked_database_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; how much is told, and that something is to be made good."""
    office.close()
    monkeypatch.setattr(file, "PATIENT", 0.0)
    office.write([])
    monkeypatch.setattr(rows, "KEPT", 30)
    other = sqlite3.connect(office.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(15):
        with pytest.raises(StatusError):
            office.sent()
    other.close()
    run(office.recorder.maintain())
    assert len(dump(office.path)["emails"]) == 10
    (told,) = office.reports
    assert told.startswith("what became of 5 messages is not in the status database")
    assert office.recorder.incomplete


def test_what_is_lost_at_the_end_is_told(tmp_path: Path) -> None:
    """The disk took nothing until the daemon stopped."""
    reports: list[str] = []
    keeper = SqliteRecorder(str(tmp_path / "none" / NAME), reports.append)
    with pytest.raises(StatusError, match="No such file"):
        run(keeper.write([Settled(NOW, entry(outcome()), "sent")]))
    run(keeper.close())
    assert reports[-1].startswith("what became of 1 messages is not in the status database")


@pytest.mark.parametrize("gone", [(NAME,), (NAME, f"{NAME}-wal", f"{NAME}-shm"), (f"{NAME}-wal", f"{NAME}-shm")])
def test_a_database_that_is_deleted_under_a_running_daemon_is_made_anew(office: Office, gone: tuple[str, ...]) -> None:
    """Nothing more goes into a file that nobody can find, and what the spool knows is to be told again."""
    office.sent()
    for name in gone:
        office.path.with_name(name).unlink()
    office.sent()
    assert len(dump(office.path)["emails"]) == (2 if NAME not in gone else 1)
    (told,) = office.reports
    assert "was removed or replaced while it was in use" in told
    assert office.recorder.incomplete


def test_a_database_that_is_replaced_under_a_running_daemon_is_used(office: Office, tmp_path: Path) -> None:
    """Somebody has put back an older one: that one is written from here on, and is not spoiled by the end of the other."""
    office.sent()
    office.close()
    older = tmp_path / "older"
    older.write_bytes(office.path.read_bytes())
    office.sent()
    os.replace(older, office.path)
    office.sent()
    office.close()
    db = sqlite3.connect(office.path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert len(dump(office.path)["emails"]) == 2
