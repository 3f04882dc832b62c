"""Reading the database: always possible, never harmful, and not fooled."""

from __future__ import annotations

import sqlite3
import threading
from asyncio import run
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.events import Event, Settled, Tried
from mailer.mail.history import STATUSES, History
from mailer.spool.api import Entry
from mailer.status.api import Filter
from mailer.status.sqlite.reader import Reader
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.chance import examples
from tests.fakes.mail import NOW, envelope, outcome
from tests.fakes.users import as_somebody_else, public_directory
from tests.status.office import Office

NASTY = [
    "'",
    '"',
    "' OR 1=1 --",
    "'); DROP TABLE emails; --",
    "%",
    "_",
    "\\",
    "*",
    "a\0b",
    "\ud800",
    "NEAR(",
    "?1",
    ":to_like",
    "x" * 60_000,
]


def everything(reader: Reader, wanted: Filter) -> list[str]:
    return list(reader.ids(wanted))


def test_a_database_that_is_not_there_is_empty_and_is_not_made(tmp_path: Path) -> None:
    """No daemon has run yet."""
    with Reader(str(tmp_path / "status.sqlite3")) as reader:
        assert (reader.counts(), everything(reader, Filter()), reader.named("x"), reader.trouble) == ({}, [], [], "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", None])
def test_a_database_that_is_just_being_made_is_empty(tmp_path: Path, content: bytes | None) -> None:
    """The file is there, its tables are not."""
    path = tmp_path / "status.sqlite3"
    if content is None:
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.close()
    else:
        path.write_bytes(content)
    with Reader(str(path)) as reader:
        assert (reader.counts(), reader.record("0" * 26), reader.trouble) == ({}, None, "")


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"SQLite format 3\0" + b"\xff" * 4080])
def test_a_file_that_is_no_database_is_trouble_and_no_error(tmp_path: Path, content: bytes) -> None:
    """The caller shows what the spool knows, and says so."""
    path = tmp_path / "status.sqlite3"
    path.write_bytes(content)
    with Reader(str(path)) as reader:
        assert (reader.counts(), everything(reader, Filter())) == ({}, [])
        assert reader.trouble
    assert path.read_bytes() == content


def test_a_later_version_is_trouble_and_no_error(office: Office) -> None:
    """The daemon was upgraded, this shell still has the older program."""
    with office.recorder.transaction() as db:
        db.execute("PRAGMA user_version = 77")
    with Reader(str(office.path)) as reader:
        assert "77" in reader.trouble


def test_a_reader_sees_what_is_committed_while_the_writer_has_the_file_open(office: Office) -> None:
    """Write-ahead logging; no need to wait for a checkpoint."""
    id = office.sent()
    with Reader(str(office.path)) as reader:
        assert reader.record(id) is not None
        later = office.sent()
        assert reader.counts() == {"sent": 2}
        assert reader.record(later) is not None


def test_a_reader_does_not_hold_up_the_writer(office: Office) -> None:
    """A list that is read slowly, while the daemon goes on."""
    for _ in range(5):
        office.sent()
    with Reader(str(office.path)) as reader:
        slow = reader.ids(Filter())
        next(slow)
        office.sent()
        assert len(list(slow)) == 4


def test_a_closed_database_is_read_without_leaving_anything_behind(office: Office) -> None:
    """The daemon has stopped; one may still look."""
    id = office.sent()
    office.close()
    with Reader(str(office.path)) as reader:
        assert reader.record(id) is not None
        assert not reader.trouble


def test_who_may_only_read_can_read() -> None:
    """The daemon has stopped, and the side files that SQLite wants cannot be made. While it runs, they are there."""
    with public_directory() as directory:
        office = Office(directory)
        id = office.sent()
        for path in (Path(office.spool.root), *directory.glob("spool/status.*")):
            path.chmod(0o555 if path.is_dir() else 0o444)

        def known() -> bool:
            with Reader(str(office.path)) as reader:
                return reader.record(id) is not None and not reader.trouble

        assert as_somebody_else(known)
        Path(office.spool.root).chmod(0o755)
        office.close()
        Path(office.spool.root).chmod(0o555)
        assert sorted(path.name for path in directory.glob("spool/status.*")) == ["status.sqlite3"]
        assert as_somebody_else(known)
        Path(office.spool.root).chmod(0o755)


def test_a_killed_daemon_leaves_a_readable_database(office: Office, tmp_path: Path) -> None:
    """Its write-ahead log is still there, and has the last commits."""
    id = office.sent()
    copy = tmp_path / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        (copy / f"status.sqlite3{suffix}").write_bytes(Path(f"{office.path}{suffix}").read_bytes())
    with Reader(str(copy / "status.sqlite3")) as reader:
        assert reader.record(id) is not None


def test_a_reader_cannot_write(office: Office) -> None:
    """There is one writer."""
    with Reader(str(office.path)) as reader:
        assert list(reader._rows("DELETE FROM emails", ())) == []
        assert "readonly" in reader.trouble


@pytest.mark.slow
def test_a_database_that_is_made_while_it_is_read_is_never_an_error(tmp_path: Path) -> None:
    """Readers and the birth of the file, many times."""
    for turn in range(20):
        path = tmp_path / f"{turn}.sqlite3"
        maker = threading.Thread(target=lambda path=path: run(SqliteRecorder(str(path)).close()))
        maker.start()
        while maker.is_alive():
            with Reader(str(path)) as reader:
                assert reader.counts() == {}
                assert not reader.trouble, reader.trouble
        maker.join()


# Selecting


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hundred messages of all kinds; read only."""
    path = tmp_path_factory.mktemp("library") / "status.sqlite3"
    writer = SqliteRecorder(str(path))
    for n in range(200):
        letter = envelope(
            f"user{n % 7}@d{n % 3}.example", f"O'Brien%_{n}@x.example", sender=f"s{n % 5}@example.com" if n % 4 else "", at=NOW + n
        )
        told = [outcome(0), outcome(1, "fail" if n % 2 else "delivered", at=NOW + n)]
        entry = Entry(letter.id, "queued", letter, 1, History(2, told), 0.0, NOW + n)
        status = STATUSES[n % len(STATUSES)] if n % 2 else "sent"
        events: list[Event] = [Tried(NOW, entry, told), Settled(NOW, entry, status)]
        run(writer.write(events))
    run(writer.close())
    return path


selectors = st.one_of(
    st.sampled_from(
        ["", "user1@d0.example", "USER1@D0.EXAMPLE", "*@d1.example", "user*", "o'brien%_3@x.example", "O'Brien*", "nobody@x.example"]
    ),
    st.sampled_from(NASTY),
)
filters = st.builds(
    Filter,
    to=selectors,
    sender=st.sampled_from(["", "<>", "s1@example.com", "s*@example.com", "S2@EXAMPLE.COM", "'"]),
    domain=st.sampled_from(["", "d0.example", "D2.Example", "*.example", "none.example", "%"]),
    states=st.frozensets(st.sampled_from(STATUSES), max_size=3),
    since=st.sampled_from([0.0, NOW + 50]),
    before=st.sampled_from([0.0, NOW + 150]),
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=filters)
@pytest.mark.slow
def test_the_database_selects_what_the_filter_says(library: Path, wanted: Filter) -> None:
    """Whatever index it takes, and whatever is in the selector: the same messages as when each is looked at, newest first."""
    with Reader(str(library)) as reader:
        ids = everything(reader, Filter())
        records = [record for id in ids if (record := reader.record(id))]
        assert len(records) == 200
        expected = [record.id for record in records if wanted.possible and wanted.matches(record)]
        found = everything(reader, wanted) if wanted.possible else []
        assert found == sorted(set(found), reverse=True)
        by_id = {record.id: record for record in records}
        assert [id for id in found if wanted.matches(by_id[id])] == expected
        assert not reader.trouble


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_in_a_selector_is_sql(library: Path, nasty: str) -> None:
    """Neither in an ID, nor in a Message-ID, nor in an address: nothing is found, and everything is still there."""
    with Reader(str(library)) as reader:
        assert reader.record(nasty) is None
        assert reader.named(nasty) == []
        for wanted in (Filter(to=nasty), Filter(sender=nasty), Filter(domain=nasty)):
            if "*" not in nasty:
                assert everything(reader, wanted) == []
                assert list(reader.undelivered(wanted)) == []
        assert not reader.trouble
        assert sum(reader.counts().values()) == 200


def test_no_pattern_keeps_the_database_busy(office: Office) -> None:
    """Nine asterisks among equal letters can share them in more ways than anybody lives to see: none of them is tried twice."""
    endless = "*a" * 9 + "*b"
    long = f"{'a' * 64}@{'a' * 63}.example"
    office.failed(long, sender=long)
    with Reader(str(office.path)) as reader:
        for wanted in (Filter(to=endless), Filter(sender=endless), Filter(domain=endless)):
            assert everything(reader, wanted) == []
            assert list(reader.undelivered(wanted)) == []
        assert len(everything(reader, Filter(to="*a@*A.*"))) == 1
        assert not reader.trouble


def test_undelivered_recipients_come_newest_first_and_since_means_when_it_failed(library: Path) -> None:
    """Ninety-nine failures; those after a moment; those of a domain."""
    with Reader(str(library)) as reader:
        found = [item for _, item in reader.undelivered(Filter())]
        assert len(found) == 100
        assert [item.recipient.updated_at for item in found] == sorted((item.recipient.updated_at for item in found), reverse=True)
        assert len(list(reader.undelivered(Filter(since=NOW + 100)))) == 50
        assert list(reader.undelivered(Filter(domain="d0.example"))) == []


def test_a_message_is_found_by_message_id_and_by_request_id(office: Office) -> None:
    """With or without angle brackets; two messages may share a name."""
    first = office.sent(message_id="<a@b>", request_id="r")
    second = office.sent(message_id="<a@b>")
    with Reader(str(office.path)) as reader:
        assert reader.named("<a@b>") == reader.named("a@b") == [first, second]
        assert reader.named("r") == [first]


def test_damaged_rows_are_left_out_and_counted(office: Office) -> None:
    """Somebody has written into the file; the rest is still shown."""
    good, bad = office.failed(), office.failed()
    with office.recorder.transaction() as db:
        db.execute("UPDATE emails SET queued_time = -5 WHERE id = ?", (bad,))
        db.execute("UPDATE email_recipients SET recipient_type = 'x' WHERE email_id = ?", (bad,))
        db.execute("INSERT INTO emails SELECT 'no id', NULL, NULL, '', '', 1, 'normal', 'sent', 1, NULL, NULL, NULL, 0, NULL, NULL")
    with Reader(str(office.path)) as reader:
        assert [id for id in reader.ids(Filter()) if reader.record(id)] == [good]
        assert [item.id for _, item in reader.undelivered(Filter())] == [good]
        assert reader.damaged == 3


def test_bytes_that_are_no_text_do_not_stop_a_list(office: Office) -> None:
    """Invalid UTF-8 in a text column becomes U+FFFD."""
    id = office.sent()
    with office.recorder.transaction() as db:
        db.execute("UPDATE emails SET subject = CAST(X'FF41' AS TEXT)")
    with Reader(str(office.path)) as reader:
        record = reader.record(id)
    assert record is not None
    assert record.subject == "\ufffdA"
