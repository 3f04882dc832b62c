"""What the database missed is made good from the spool; only history can be lost."""

from __future__ import annotations

import os
from asyncio import run
from pathlib import Path

import pytest

from mailer.mail.outcome import Hop
from mailer.status.catchup import BATCH, catch_up, missed, settle_left
from mailer.status.sqlite.reader import Reader
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office
from tests.status.test_writer import dump


def statuses(office: Office) -> dict[str, str]:
    return {row[0]: row[7] for row in dump(office.path)["emails"]}


def test_a_deleted_database_is_rebuilt_for_everything_that_is_in_the_spool(office: Office) -> None:
    """With every attempt that the files tell of. What was sent and gone stays lost; that is the promise."""
    deferred, failed, held, sent = office.deferred(), office.failed(), office.held(), office.sent()
    office.settle(deferred, outcome(verdict="defer", at=NOW + 60, due=NOW + 900, hop=Hop("mx.example.net", "192.0.2.1", 25)))
    before = dump(office.path)
    office.close()
    for path in Path(office.spool.root).glob("status.sqlite3*"):
        path.unlink()
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert statuses(office) == {deferred: "deferred", failed: "failed", held: "held"}
    after = dump(office.path)
    assert after["attempts"] == [row for row in before["attempts"] if row[0] != sent]
    assert len(after["attempts"]) == 3


def test_what_operators_did_while_no_daemon_ran_is_written_down(office: Office) -> None:
    """Held, cancelled."""
    held, cancelled = office.deferred(), office.deferred()
    office.spool.hold(held)
    office.spool.cancel(cancelled, NOW)
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert statuses(office) == {held: "held", cancelled: "cancelled"}


def test_a_message_whose_end_was_lost_with_the_power_was_sent(office: Office) -> None:
    """A pending file leaves the spool in one way only. No reply is made up."""
    id = office.deferred()
    os.unlink(office.spool.path("deferred", id))
    run(catch_up(office.recorder, office.spool, office.reports.append))
    with Reader(str(office.path)) as reader:
        record = reader.record(id)
    assert record is not None
    assert (record.status, record.sent_at, record.next_attempt_at) == ("sent", None, None)
    assert "lost" in record.error
    assert [(recipient.status, recipient.code, recipient.reply) for recipient in record.recipients] == [("sent", 0, "")]


def test_catching_up_with_nothing_missed_changes_nothing(office: Office) -> None:
    """The usual start; and what is over stays over."""
    office.sent(), office.failed(), office.deferred(), office.put()
    before = dump(office.path)
    run(catch_up(office.recorder, office.spool, office.reports.append))
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert dump(office.path) == before


def test_many_are_written_in_batches(office: Office) -> None:
    """More than one transaction takes."""
    ids = [office.held() for _ in range(BATCH + 10)]
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert statuses(office) == dict.fromkeys(ids, "held")


def test_a_damaged_file_does_not_stop_it(office: Office) -> None:
    """The daemon's scan will report it."""
    bad, good = office.held(), office.held()
    Path(office.spool.path("held", bad)).write_bytes(b"")
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert statuses(office) == {good: "held"}


def test_a_database_that_cannot_be_written_is_reported(tmp_path: Path, either: Office) -> None:
    """Mail is delivered all the same."""
    reports: list[str] = []
    writer = SqliteRecorder(str(tmp_path / "none" / "x"), reports.append)
    run(catch_up(writer, either.spool, reports.append))
    assert len(reports) == 2


@pytest.mark.parametrize("damage", [b"x" * 9000, b""])
def test_a_damaged_database_is_replaced_and_filled(office: Office, damage: bytes) -> None:
    """In one go, at the start."""
    held = office.held()
    office.close()
    office.path.write_bytes(damage)
    run(catch_up(office.recorder, office.spool, office.reports.append))
    assert statuses(office) == {held: "held"}


def test_what_was_missed_can_be_told_while_mail_is_delivered(office: Office) -> None:
    """First what has left, then one event for each message that the database does not know, in as many pieces as one likes."""
    gone, there = office.deferred(), office.deferred()
    office.spool.cancel(there, NOW)
    with office.spool.claim(gone) as claim:
        office.spool.drop(claim)
    known = run(settle_left(office.recorder, office.spool, office.reports.append))
    assert known is not None
    assert statuses(office)[gone] == "sent"
    events = [event for event in missed(office.spool, known) if event is not None]
    assert [event.entry.id for event in events] == [there]
    office.write(events)
    assert statuses(office) == {gone: "sent", there: "cancelled"}
    assert [*missed(office.spool, run(settle_left(office.recorder, office.spool, office.reports.append)) or {})] == [None]
