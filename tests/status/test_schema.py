"""The tables, their versions, and that the indexes serve the queries they are for."""

from __future__ import annotations

import sqlite3
from asyncio import run
from pathlib import Path

import pytest

from mailer.mail.history import UNDELIVERED
from mailer.mail.pattern import fits
from mailer.status.api import Filter
from mailer.status.received import ReceivedFilter
from mailer.status.sqlite import NAME, reader, received, schema, writer

EMAILS = (
    "id message_id request_id from_address subject size priority status queued_time last_attempt_time sent_time next_attempt_time "
    "retry_count error_message stream"
)
RECIPIENTS = (
    "email_id position recipient_address recipient_type domain status smtp_response_code enhanced_code smtp_response_message mx_host "
    "last_update_time cause besides"
)
ATTEMPTS = (
    "email_id position at recipient verdict scope host ip port tls_wanted tls_achieved phase code enhanced_code text "
    "seconds remote_queue_id steps reused cause besides"
)
DIALOGS = "email_id at position lines"
ALARMS = "kind key since last times severity text remedy told updated_at"
DESTINATIONS = (
    "key kind waiting sessions window window_cap breaker failures open_until breaker_reason paused_until pause_reason rate_until "
    "last_reply last_at wait wait_detail wait_until updated_at"
)
ARRIVALS = "email_id time door client_ip client_name hello protocol tls user from_address recipients size verdict why proxy"
REFUSALS = (
    "hour network reason from_address recipient_address user crowd first_time last_time times door client_ip client_name hello protocol "
    "tls phase reply why proxy"
)
REFUSED = ("hour", "network", "reason", "sender", "recipient", "user", "crowd", "door", "ip", "name", "hello", "protocol", "tls", "phase",
           "reply", "why", "proxy")  # fmt: skip


@pytest.fixture
def db() -> sqlite3.Connection:
    """A new database in memory, that knows patterns as a reader's does."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.create_function("fits", 2, fits, deterministic=True)
    return db


def columns(db: sqlite3.Connection, table: str) -> str:
    return " ".join(row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def test_the_columns_are_those_that_are_promised(db: sqlite3.Connection) -> None:
    """Other people's queries name them."""
    schema.migrate(db)
    assert columns(db, "emails") == EMAILS
    assert columns(db, "email_recipients") == RECIPIENTS
    assert columns(db, "attempts") == ATTEMPTS
    assert columns(db, "dialogs") == DIALOGS
    assert columns(db, "destinations") == DESTINATIONS
    assert columns(db, "alarms") == ALARMS
    assert columns(db, "arrivals") == ARRIVALS
    assert columns(db, "refusals") == REFUSALS


def test_a_new_database_is_brought_to_the_last_version_and_stays_there(db: sqlite3.Connection) -> None:
    """Migrating twice does nothing."""
    assert schema.version(db) == 0
    schema.migrate(db)
    schema.migrate(db)
    assert schema.version(db) == schema.VERSION == 7


def test_each_step_is_taken_once_and_in_order(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version adds its step; what the first one stored is still there."""
    schema.migrate(db)
    db.execute("INSERT INTO attempts (email_id, position, at, recipient, verdict, scope) VALUES ('x', 0, 1, 'a', 'defer', 'host')")
    step = "BEGIN; ALTER TABLE attempts ADD COLUMN more INTEGER; PRAGMA user_version = 8; COMMIT;"
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, step))
    monkeypatch.setattr(schema, "VERSION", 8)
    schema.migrate(db)
    assert schema.version(db) == 8
    assert db.execute("SELECT recipient, more FROM attempts").fetchall() == [("a", None)]


def test_a_step_that_fails_leaves_the_version_it_began_with(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it has happened."""
    schema.migrate(db)
    step = "BEGIN; ALTER TABLE emails ADD COLUMN more TEXT; PRAGMA user_version = 8; SELECT nonsense; COMMIT;"
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, step))
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db)
    assert columns(db, "emails") == EMAILS
    assert db.execute("PRAGMA user_version").fetchone() == (7,)


@pytest.mark.parametrize("steps", [schema.STEPS[:1], schema.STEPS[:2]])
def test_a_database_of_an_earlier_version_keeps_what_it_knows(tmp_path: Path, steps: tuple[str, ...]) -> None:
    """Its attempts have no steps, its messages no dialogs, and all the rest is as it was."""
    path = tmp_path / NAME
    before = sqlite3.connect(path, isolation_level=None)
    for step in steps:
        before.executescript(step)
    id = "01KAHGWV7J5ZQ0C9XK3M2T8B4R"
    before.execute("INSERT INTO emails VALUES (?, '<a@b>', 'r', 'me@a', 's', 9, 'high', 'deferred', 5, 6, NULL, 7, 2, '451 no')", (id,))
    before.execute("INSERT INTO email_recipients VALUES (?, 0, 'you@b', 'to', 'b', 'deferred', 451, NULL, 'no', 'mx', 6)", (id,))
    before.execute(
        "INSERT INTO attempts (email_id, position, at, recipient, verdict, scope) VALUES (?, 0, 6, 'you@b', 'defer', 'host')", (id,)
    )
    before.close()
    run(writer.SqliteRecorder(str(path)).close())
    with reader.Reader(str(path)) as read:
        record = read.record(id)
        assert record is not None
        assert (record.status, record.attempts, record.recipients[0].why) == ("deferred", 2, "451 no")
        (known,) = read.attempts(id)
        assert (known.recipient, known.steps, known.reused) == ("you@b", {}, False)
        assert read.dialogs(id) == {}
        assert [*read.standings()] == []


def test_a_later_version_is_refused(db: sqlite3.Connection) -> None:
    """Its tables may mean something else."""
    db.execute("PRAGMA user_version = 99")
    with pytest.raises(schema.Unusable, match="99"):
        schema.migrate(db)


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (reader.NAMED, "emails_message_id"),
        (reader.NAMED, "emails_request_id"),
        (reader.BY_STATUS, "emails_status"),
        (reader.BY_SENDER, "emails_from"),
        (reader.BY_DOMAIN, "recipients_address"),
        (reader.BY_RECIPIENT, "recipients_address"),
        (reader.UNDELIVERED, "recipients_undelivered"),
        (reader.REPORTED, "recipients_undelivered"),
        (reader.COUNTS, "emails_status"),
        (schema.UNSENT, "emails_status"),
        (reader.SUBMITTED.replace("?", ":since"), "submitters_uid"),
        (reader.ATTEMPTS.replace("?", ":name"), "USING PRIMARY KEY (email_id=?)"),
        (reader.DIALOGS.replace("?", ":name"), "USING PRIMARY KEY (email_id=?)"),
        (writer.FORGET_OLD_DIALOGS.replace(":all", ":limit"), "USING PRIMARY KEY (email_id<?)"),
        (reader.WAITING, "emails_status (status=? AND id>?)"),
        (writer.PUT_OFF.replace("?", ":after"), "emails_status (status=? AND id>?)"),
        (writer.OLD, "emails_status (status=? AND id<?)"),
        (received.ARRIVALS.replace("?", ":since"), "arrivals_time (time>?)"),
        (received.REFUSALS.replace("?", ":since"), "refusals_time (last_time>?)"),
        (received.LIKE_IT, "USING PRIMARY KEY (hour=? AND network=? AND reason=? AND crowd=?)"),
        (received.ADD_REFUSAL, "USING PRIMARY KEY (hour=? AND network=? AND reason=? AND crowd=? AND from_address=?"),
        (received.TRIM_REFUSALS.replace("?", ":limit"), "refusals_time"),
    ],
)
def test_every_question_is_answered_by_its_index(db: sqlite3.Connection, statement: str, index: str) -> None:
    """No list of a filter reads the whole table."""
    schema.migrate(db)
    others = ("name", "bracketed", "status", "since", "before", "limit", "at", "id", "position", "after", *REFUSED)
    bound = reader.bound_of(Filter()) | dict.fromkeys(others, 1)
    plan = " / ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, bound))
    assert index in plan


def test_lists_by_status_come_in_order_without_sorting(db: sqlite3.Connection) -> None:
    """The newest twenty of a million sent messages are the first twenty rows of the index."""
    schema.migrate(db)
    bound = reader.bound_of(Filter()) | {"status": "sent", "after": ""}
    for statement in (reader.BY_STATUS, reader.BY_AGE, reader.WAITING):
        plan = " / ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + statement, bound))
        assert "TEMP B-TREE" not in plan


def test_the_words_of_the_partial_index_are_those_of_the_program() -> None:
    """SQL names them where Python cannot."""
    words = ", ".join(f"'{word}'" for word in UNDELIVERED)
    assert f"WHERE status IN ({words})" in " ".join(schema.FIRST.split())
    assert f"status IN ({words})" in reader.UNDELIVERED


def test_the_file_is_in_the_mode_that_lets_others_read(tmp_path: Path) -> None:
    """Write-ahead logging: readers never wait for the writer, nor it for them."""
    made = writer.SqliteRecorder(str(tmp_path / "status.sqlite3"))
    with made.transaction() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (1,)
    run(made.close())


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_whoever_looks_before_the_daemon_has_run_sees_an_older_database(tmp_path: Path, version: int) -> None:
    """Read as it is: no alarms are known, and all the rest is there; the daemon brings it to the last version."""
    path = tmp_path / NAME
    before = sqlite3.connect(path, isolation_level=None)
    for step in schema.STEPS[:version]:
        before.executescript(step)
    id = "01KAHGWV7J5ZQ0C9XK3M2T8B4R"
    stream = ", NULL" if version > 5 else ""
    row = f"(?, '<a@b>', 'r', 'me@a', 's', 9, 'high', 'deferred', 5, 6, NULL, 7, 2, '451 no'{stream})"
    before.execute(f"INSERT INTO emails VALUES {row}", (id,))
    before.close()
    with reader.Reader(str(path)) as read:
        assert read.alarms() == []
        assert [*read.dmarc_sums(0), *read.tls_sums(0), *read.aggregate_reports(0)] == []
        assert ([*read.received(ReceivedFilter())], read.arrival(id)) == ([], None)
        assert read.trouble == ""
        assert read.record(id) is not None
    made = writer.SqliteRecorder(str(path))
    assert run(made.alarms()) == []
    run(made.close())
    with sqlite3.connect(path) as now:
        assert schema.version(now) == schema.VERSION
