"""The one writer: what it writes, that hearing twice changes nothing, and that nothing stops it."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.events import Alarm, Changed, Corrupt, Daemon, Event, Seen, Settled, Tried
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome
from mailer.spool import Entry, Spool
from mailer.status import arrears, writer
from mailer.status.reader import Reader
from mailer.status.writer import NAME, StatusWriter
from tests.fakes.mail import NOW, envelope, outcome, put
from tests.status.office import Office

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")
TABLES = ("emails", "email_recipients", "attempts")


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    db = sqlite3.connect(path)
    try:
        return {
            "emails": db.execute("SELECT * FROM emails ORDER BY id").fetchall(),
            "email_recipients": db.execute("SELECT * FROM email_recipients ORDER BY 1, 2").fetchall(),
            "attempts": db.execute("SELECT * FROM attempts ORDER BY 1, 2, 3").fetchall(),
        }
    finally:
        db.close()


def one(path: Path, table: str) -> dict[str, Any]:
    """The one row of `table`, by column."""
    db = sqlite3.connect(path)
    db.row_factory = sqlite3.Row
    try:
        statements = {
            "emails": "SELECT * FROM emails",
            "email_recipients": "SELECT * FROM email_recipients",
            "attempts": "SELECT * FROM attempts",
        }
        (row,) = db.execute(statements[table]).fetchall()
        return dict(row)
    finally:
        db.close()


def entry(*outcomes: Outcome, recipients: tuple[str, ...] = ("you@example.net",), state: str = "queued", **more: Any) -> Entry:
    letter = envelope(*recipients, **more)
    return Entry(letter.id, state, letter, 1024, History(len(recipients), outcomes), 0.0, NOW)


# What is written


def test_a_sent_message_has_one_row_of_each_kind(office: Office) -> None:
    """The columns have the names and values that other people's queries rely on."""
    told = outcome(text="Ok: queued as 4Xyz", hop=HOP, at=NOW + 1.5, seconds=0.25, queue_id="4Xyz", phase="body")
    letter = entry(told, message_id="<a@b>", subject="Hello", request_id="r-1", priority="high")
    office.writer.write([Seen(NOW, letter), Tried(NOW, letter, [told]), Settled(NOW, letter, "sent")])
    assert one(office.path, "emails") == {
        "id": letter.id, "message_id": "<a@b>", "request_id": "r-1", "from_address": "me@example.com", "subject": "Hello",
        "size": 1024, "priority": "high", "status": "sent", "queued_time": int(NOW * 1e6), "last_attempt_time": int((NOW + 1.5) * 1e6),
        "sent_time": int((NOW + 1.5) * 1e6), "next_attempt_time": None, "retry_count": 1, "error_message": None,
    }  # fmt: skip
    assert one(office.path, "email_recipients") == {
        "email_id": letter.id, "position": 0, "recipient_address": "you@example.net", "recipient_type": "to", "domain": "example.net",
        "status": "sent", "smtp_response_code": 250, "enhanced_code": "2.0.0", "smtp_response_message": "Ok: queued as 4Xyz",
        "mx_host": "mx.example.net", "last_update_time": int((NOW + 1.5) * 1e6), "cause": None, "besides": None,
    }  # fmt: skip
    assert one(office.path, "attempts") == {
        "email_id": letter.id, "position": 0, "at": int((NOW + 1.5) * 1e6), "recipient": "you@example.net", "verdict": "delivered",
        "scope": "recipient", "host": "mx.example.net", "ip": "192.0.2.1", "port": 25, "tls_wanted": "opportunistic",
        "tls_achieved": "TLSv1.3 unverified", "phase": "body", "code": 250, "enhanced_code": "2.0.0", "text": "Ok: queued as 4Xyz",
        "seconds": 0.25, "remote_queue_id": "4Xyz", "steps": None, "reused": None,
        "cause": None, "besides": None,
    }  # fmt: skip


def test_a_deferred_message_says_why_and_when_next(office: Office) -> None:
    """Its last error and its next attempt are in its row."""
    office.deferred(text="greylisted", due=NOW + 300)
    row = one(office.path, "emails")
    assert (row["status"], row["error_message"], row["next_attempt_time"]) == ("deferred", "451 4.3.0 greylisted", int((NOW + 300) * 1e6))
    assert one(office.path, "email_recipients")["status"] == "deferred"


@pytest.mark.parametrize(("verdict", "status"), [("fail", "failed"), ("expire", "expired"), ("cancel", "cancelled")])
def test_a_message_that_is_given_up_has_the_status_of_its_end(office: Office, verdict: Any, status: str) -> None:
    """Failed, expired and cancelled are different things."""
    told = outcome(verdict=verdict)
    letter = entry(told, state="failed")
    office.writer.write([Settled(NOW, letter, letter.history.status())])
    assert one(office.path, "emails")["status"] == one(office.path, "email_recipients")["status"] == status


def test_a_held_message_and_its_pending_recipients_are_held(office: Office) -> None:
    """What an operator did shows; a recipient that has the message already stays sent."""
    letter = entry(outcome(0), outcome(1, "defer"), recipients=("a@x.example", "b@x.example"), state="held")
    office.writer.write([Changed(NOW, letter, "held")])
    assert dump(office.path)["emails"][0][7] == "held"
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent", "held"]


def test_a_message_in_the_middle_of_its_attempt_is_being_sent(office: Office) -> None:
    """Of several recipients only those that were tried are written then; the rest follows when it is settled."""
    letter = entry(recipients=("a@x.example", "b@x.example", "c@x.example"))
    first = outcome(1)
    letter.history.add([first])
    office.writer.write([Tried(NOW, letter, [first])])
    assert dump(office.path)["emails"][0][7] == "sending"
    assert [row[1] for row in dump(office.path)["email_recipients"]] == [1]
    letter.history.add([outcome(0), outcome(2)])
    office.writer.write([Settled(NOW, letter, "sent")])
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent"] * 3


def test_the_message_of_a_damaged_file_has_failed(office: Office) -> None:
    """Nobody can deliver it, and its row says why; a strange name is not written anywhere."""
    id = office.put("a@x.example", "b@x.example")
    office.settle(id, outcome(0), outcome(1, "defer", due=NOW + 9))
    office.writer.write([Corrupt(NOW, id, "the checksum does not hold \ud800"), Corrupt(NOW, "no\udcffid", "its name is no ID")])
    assert dump(office.path)["emails"][0][7] == "failed"
    assert "checksum" in dump(office.path)["emails"][0][-1]
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent", "failed"]


def test_what_is_about_no_message_is_not_written(office: Office) -> None:
    """Alarms and the daemon's own news belong to the log."""
    office.writer.write([Alarm(NOW, "disk", "full"), Daemon(NOW, "started")])
    assert dump(office.path) == {table: [] for table in TABLES}


def test_a_busy_batch_leaves_out_what_was_only_seen(office: Office) -> None:
    """Anybody finds those in the spool; what was tried is written, and what is held or deferred."""
    fresh = [entry() for _ in range(100)]
    held = entry(state="held")
    office.writer.write([Seen(NOW, letter) for letter in [*fresh, held]])
    assert [row[0] for row in dump(office.path)["emails"]] == [held.id]
    office.writer.write([Seen(NOW, letter) for letter in fresh[:3]])
    assert len(dump(office.path)["emails"]) == 4


# Hearing twice

outcomes_of_two = st.lists(
    st.builds(
        outcome,
        to=st.integers(0, 1),
        verdict=st.sampled_from(["delivered", "defer", "fail", "expire"]),
        at=st.integers(0, 5).map(lambda n: NOW + n),
        text=st.text(max_size=20),
        due=st.just(NOW + 600),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(outcomes=outcomes_of_two, data=st.data())
def test_hearing_a_batch_again_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[Outcome], data: st.DataObject
) -> None:
    """Told whole, in pieces, or in pieces and again: the rows are the same, and no attempt is there twice."""
    letter = entry(*outcomes, recipients=("a@x.example", "b@x.example"))
    story: list[Event] = [Seen(NOW, letter), *(Tried(NOW, letter, [told]) for told in letter.history.outcomes)]
    story.append(Settled(NOW, letter, letter.history.status(), letter.history.due))
    cut = data.draw(st.integers(0, len(story)))
    rows = []
    for batches in ([story], [story[:cut], story[cut:]], [story[:cut], story, story]):
        path = tmp_path_factory.mktemp("status") / "status.sqlite3"
        writer = StatusWriter(str(path))
        for batch in batches:
            writer.write(batch)
        writer.close()
        rows.append(dump(path))
    assert rows[0] == rows[1] == rows[2]
    moments = {(told.to, told.at) for told in letter.history.outcomes}
    assert len(rows[0]["attempts"]) == len(moments)


def test_an_attempt_read_back_from_the_spool_is_the_one_that_was_told(office: Office) -> None:
    """After a crash the spool tells it again, with its time rounded to the microsecond as its file has it."""
    id = office.put()
    office.settle(id, outcome(verdict="defer", at=NOW + 0.123456789, due=NOW + 60))
    office.seen(id)
    assert len(dump(office.path)["attempts"]) == 1


def test_a_report_that_came_later_outlives_what_is_told_again(office: Office) -> None:
    """Bounced is news that the spool does not have."""
    id = office.put()
    told = office.settle(id, outcome())
    with office.writer.transaction() as db:
        db.execute("UPDATE email_recipients SET status = 'bounced'")
    office.writer.write(told)
    assert one(office.path, "email_recipients")["status"] == "bounced"


# Text from outside


@pytest.mark.parametrize("text", ["half a pair \ud800", "NUL \0 inside", "'); DROP TABLE emails; --", "\x1b]52;c;x\x07", "ü" * 5000, ""])
def test_any_text_can_be_stored(office: Office, text: str) -> None:
    """A reply may hold anything; what is not Unicode is replaced, what is endless is cut."""
    office.failed(text=text)
    stored = one(office.path, "email_recipients")["smtp_response_message"]
    assert stored == (text.encode("utf-8", "replace").decode()[:2000] or None)


def test_addresses_of_any_form_keep_their_domain(office: Office) -> None:
    """Quoted local parts, literals and capital letters."""
    office.sent('"a@b c"@Example.ORG', "x@[192.0.2.1]", "ü@exämple.de")
    assert [row[4] for row in dump(office.path)["email_recipients"]] == ["example.org", "[192.0.2.1]", "exämple.de"]


# Trouble


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """It says who wrote to whom; its side files have the same mode."""
    before = os.umask(0)
    try:
        writer = StatusWriter(str(tmp_path / "status.sqlite3"))
        writer.write([Seen(NOW, entry())])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        writer.close()
    finally:
        os.umask(before)
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("damage", [b"this is no database, but a letter to somebody" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_kept_aside_and_a_new_one_begun(tmp_path: Path, damage: bytes) -> None:
    """It is reported in one line; mail goes on."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    path.write_bytes(damage)
    writer = StatusWriter(str(path), reports.append)
    writer.write([Seen(NOW, entry())])
    writer.close()
    assert len(dump(path)["emails"]) == 1
    assert (tmp_path / "status.sqlite3.aside1").read_bytes() == damage
    assert len(reports) == 1
    assert "aside1" in reports[0]


def test_a_database_that_breaks_while_it_is_used_is_replaced_and_the_batch_is_not_lost(office: Office) -> None:
    """Some other program has written over it."""
    for _ in range(40):
        office.sent()
    office.writer.close()
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
        StatusWriter(str(path), reports.append).close()
        assert (tmp_path / f"status.sqlite3.aside{serial}").exists()
    assert "999" in reports[0]


def test_tables_that_are_not_ours_are_kept_aside(tmp_path: Path) -> None:
    """Somebody else's database lies at our place."""
    path, reports = tmp_path / "status.sqlite3", list[str]()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE emails (anything)")
    db.close()
    writer = StatusWriter(str(path), reports.append)
    writer.write([Seen(NOW, entry())])
    writer.close()
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
    StatusWriter(str(path), reports.append).close()
    assert path.is_file()
    assert (tmp_path / "status.sqlite3.aside1").is_dir()


def test_a_place_that_cannot_be_written_is_reported_and_tried_again(tmp_path: Path) -> None:
    """The daemon starts without it; each batch is an error until the place is there, and then nothing that was told is missing."""
    reports = list[str]()
    writer = StatusWriter(str(tmp_path / "none" / "status.sqlite3"), reports.append)
    assert len(reports) == 1
    with pytest.raises(OSError, match="No such file"):
        writer.write([Seen(NOW, entry())])
    (tmp_path / "none").mkdir()
    writer.write([Seen(NOW, entry())])
    writer.close()
    assert len(dump(tmp_path / "none" / "status.sqlite3")["emails"]) == 2


def test_a_batch_that_fails_half_way_leaves_nothing(office: Office) -> None:
    """One transaction a batch."""
    office.writer.write([])
    with office.writer.transaction() as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(sqlite3.IntegrityError):
        office.sent()
    assert dump(office.path)["emails"] == []


def test_a_full_disk_is_an_error_and_not_a_new_database(office: Office) -> None:
    """What passes with time is raised; nothing is moved aside."""
    with office.writer.transaction() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
    office.writer._db().execute(f"PRAGMA max_page_count = {pages}")
    ids = [office.put(subject="x" * 1500) for _ in range(200)]
    entries = [office.entry(id) for id in ids]
    for letter in entries:
        letter.history.add([outcome()])
    with pytest.raises(sqlite3.OperationalError):
        office.writer.write([Settled(NOW, letter, "sent") for letter in entries])
    assert dump(office.path)["emails"] == []
    assert not office.reports


def test_letters_of_many_recipients_are_written_whole(office: Office) -> None:
    """Ten thousand recipients, in one transaction."""
    addresses = [f"user{n}@example.net" for n in range(10_000)]
    letter = Entry(
        "0" * 26, "queued", Envelope("0" * 26, "2027-01-15T08:00:00Z", "", [Recipient(a) for a in addresses]), 1, History(10_000), 0.0, NOW
    )
    office.writer.write([Seen(NOW, letter)])
    assert len(dump(office.path)["email_recipients"]) == 10_000


def test_no_statement_puts_more_values_than_an_old_sqlite_takes(office: Office) -> None:
    """Before 3.32 that was 999; more of them would be an error that looks like a database which cannot be used."""
    office.writer._db().setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
    entries = [office.entry(office.put()) for _ in range(130)]
    for letter in entries:
        letter.history.add([outcome()])
    office.writer.write([Settled(NOW, letter, "sent") for letter in entries])
    assert {table: len(found) for table, found in dump(office.path).items()} == dict.fromkeys(TABLES, 130)
    assert not office.reports


# Forgetting


def test_only_what_is_done_with_is_forgotten_and_all_of_it(office: Office) -> None:
    """Retention covers every table; a pending message keeps all its rows, however old it is."""
    old = [office.sent(at=NOW - 1000), office.failed(at=NOW - 900)]
    waiting = office.deferred(at=NOW - 1100)
    recent = office.sent(at=NOW + 50)
    assert office.writer.forget(NOW + 10) == 2
    rows = dump(office.path)
    assert all({row[0] for row in rows[table]} == {waiting, recent} for table in TABLES)
    assert not {row[0] for row in rows["emails"]} & set(old)


def test_a_message_of_which_something_was_heard_lately_is_kept(office: Office) -> None:
    """It was put long ago, and settled just now."""
    id = office.put(at=NOW - 10_000)
    office.settle(id, outcome(at=NOW))
    assert office.writer.forget(NOW - 1) == 0
    assert office.writer.forget(NOW + 1) == 1


def test_forgetting_goes_on_until_nothing_is_left(office: Office) -> None:
    """More messages than one transaction deletes."""
    letters = [entry(outcome(at=NOW)) for _ in range(4500)]
    office.writer.write(
        [event for letter in letters for event in (Tried(NOW, letter, letter.history.outcomes), Settled(NOW, letter, "sent"))]
    )
    assert office.writer.forget(NOW + 1) == 4500
    assert dump(office.path) == {table: [] for table in TABLES}


def test_forgetting_reports_what_it_cannot_do(office: Office) -> None:
    """A locked or broken database is no reason to stop the daemon."""
    office.sent()
    with office.writer.transaction() as db:
        db.execute("CREATE TRIGGER keep BEFORE DELETE ON emails BEGIN SELECT RAISE(ABORT, 'not today'); END")
    assert office.writer.forget(NOW + 100) == 0
    assert "not today" in office.reports[0]


def test_who_handed_a_message_over_is_kept_and_forgotten_with_it(tmp_path: Path) -> None:
    """Told by the door at once, or found in the envelope later; for the spool's owner nothing is kept."""
    stranger, own = os.geteuid() + 1, os.geteuid()
    spool = Spool(str(tmp_path / "spool"))
    spool.prepare()
    writer = StatusWriter(f"{spool.root}/{NAME}")
    ids = [put(spool, submitter={"uid": uid}) for uid in (stranger, own, stranger)]
    writer.adopted(ids[0], stranger)
    writer.write([Seen(NOW, spool.read(id)) for id in ids])
    with Reader(writer.path) as reader:
        assert list(reader.submitted(stranger)) == [ids[2], ids[0]]
        assert list(reader.submitted(own)) == []
        assert [reader.submitter(id) for id in ids] == [stranger, None, stranger]
    for id in ids:
        entry = spool.read(id)
        entry.history.add([outcome(0)])
        writer.write([Settled(NOW, entry, "sent", 0.0)])
    assert writer.forget(NOW + 10**6) == 3
    with Reader(writer.path) as reader:
        assert list(reader.submitted(stranger)) == []
    writer.close()


def test_what_has_gathered_beside_the_file_is_put_into_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before it is much; then by somebody else than the writer, who goes on meanwhile; and the space is used again."""
    beside = Path(f"{office.path}-wal")
    office.writer.write([Settled(NOW, entry(), "sent")])
    before = office.path.stat().st_size
    office.writer.checkpoint()
    assert (office.path.stat().st_size, beside.stat().st_size > 0) == (before, True)
    monkeypatch.setattr(writer, "GATHERED", 1)
    office.writer.checkpoint()
    gathered = beside.stat().st_size
    assert office.path.stat().st_size > before
    office.writer.write([Settled(NOW, entry(), "sent")])
    assert beside.stat().st_size == gathered


def test_a_checkpoint_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    """There may be no database at all."""
    StatusWriter(str(tmp_path / "missing" / NAME)).checkpoint()


# What it does not take now


def test_what_a_locked_database_does_not_take_is_written_when_it_is_free(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many batches come meanwhile; each is an error while it lasts, and only the first one waits."""
    office.writer.close()
    monkeypatch.setattr(writer, "PATIENCE", 0.0)
    office.writer.write([])
    other = sqlite3.connect(office.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            office.sent()
    office.writer.checkpoint()
    assert dump(office.path)["emails"] == []
    other.execute("ROLLBACK")
    other.close()
    office.writer.checkpoint()
    assert {table: len(rows) for table, rows in dump(office.path).items()} == {"emails": 20, "email_recipients": 20, "attempts": 20}
    assert not office.reports


def test_what_is_kept_for_a_locked_database_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes; how much is told, and that something is to be made good."""
    office.writer.close()
    monkeypatch.setattr(writer, "PATIENCE", 0.0)
    office.writer.write([])
    monkeypatch.setattr(arrears, "KEPT", 30)
    other = sqlite3.connect(office.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(15):
        with pytest.raises(sqlite3.OperationalError):
            office.sent()
    other.close()
    office.writer.checkpoint()
    assert len(dump(office.path)["emails"]) == 10
    (told,) = office.reports
    assert told.startswith("what became of 5 messages is not in the status database")
    assert office.writer.incomplete


def test_what_is_lost_at_the_end_is_told(tmp_path: Path) -> None:
    """The disk took nothing until the daemon stopped."""
    reports: list[str] = []
    keeper = StatusWriter(str(tmp_path / "none" / NAME), reports.append)
    with pytest.raises(OSError, match="No such file"):
        keeper.write([Settled(NOW, entry(outcome()), "sent")])
    keeper.close()
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
    assert office.writer.incomplete


def test_a_database_that_is_replaced_under_a_running_daemon_is_used(office: Office, tmp_path: Path) -> None:
    """Somebody has put back an older one: that one is written from here on, and is not spoiled by the end of the other."""
    office.sent()
    office.writer.close()
    older = tmp_path / "older"
    older.write_bytes(office.path.read_bytes())
    office.sent()
    os.replace(older, office.path)
    office.sent()
    office.writer.close()
    db = sqlite3.connect(office.path)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    assert len(dump(office.path)["emails"]) == 2
