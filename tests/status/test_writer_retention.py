"""What the one writer forgets, and what it tidies up."""

from __future__ import annotations

import os
from asyncio import run
from pathlib import Path

import pytest

from mailer.events import Seen, Settled, Tried
from mailer.mail.principal import parse, unix
from mailer.spool.files.store import SpoolDirectory
from mailer.status.sqlite import NAME, writer
from mailer.status.sqlite.reader import Reader
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.mail import NOW, outcome, put
from tests.status.office import Office
from tests.status.rows import TABLES, dump, entry


def test_only_what_is_done_with_is_forgotten_and_all_of_it(office: Office) -> None:
    """Retention covers every table; a pending message keeps all its rows, however old it is."""
    old = [office.sent(at=NOW - 1000), office.failed(at=NOW - 900)]
    waiting = office.deferred(at=NOW - 1100)
    recent = office.sent(at=NOW + 50)
    assert run(office.recorder.forget(NOW + 10)) == 2
    rows = dump(office.path)
    assert all({row[0] for row in rows[table]} == {waiting, recent} for table in TABLES)
    assert not {row[0] for row in rows["emails"]} & set(old)


def test_a_message_of_which_something_was_heard_lately_is_kept(office: Office) -> None:
    """It was put long ago, and settled just now."""
    id = office.put(at=NOW - 10_000)
    office.settle(id, outcome(at=NOW))
    assert run(office.recorder.forget(NOW - 1)) == 0
    assert run(office.recorder.forget(NOW + 1)) == 1


@pytest.mark.slow
def test_forgetting_goes_on_until_nothing_is_left(office: Office) -> None:
    """More messages than one transaction deletes."""
    letters = [entry(outcome(at=NOW)) for _ in range(4500)]
    office.write([event for letter in letters for event in (Tried(NOW, letter, letter.history.outcomes), Settled(NOW, letter, "sent"))])
    assert run(office.recorder.forget(NOW + 1)) == 4500
    assert dump(office.path) == {table: [] for table in TABLES}


def test_forgetting_reports_what_it_cannot_do(office: Office) -> None:
    """A locked or broken database is no reason to stop the daemon."""
    office.sent()
    with office.recorder.transaction() as db:
        db.execute("CREATE TRIGGER keep BEFORE DELETE ON emails BEGIN SELECT RAISE(ABORT, 'not today'); END")
    assert run(office.recorder.forget(NOW + 100)) == 0
    assert "not today" in office.reports[0]


def test_who_handed_a_message_over_is_kept_and_forgotten_with_it(tmp_path: Path) -> None:
    """Told by the door at once, or found in the envelope later, a user or not; for the spool's owner nothing is kept."""
    stranger, own, later = unix(os.geteuid() + 1), unix(os.geteuid()), parse("smtp:anna@example.com")
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    writer = SqliteRecorder(f"{spool.root}/{NAME}")
    ids = [put(spool, submitter=who) for who in ({"uid": stranger.uid}, own.as_submitter(), stranger.as_submitter(), later.as_submitter())]
    writer.adopted(ids[0], stranger)
    run(writer.write([Seen(NOW, spool.read(id)) for id in ids]))
    with Reader(writer.path) as reader:
        assert list(reader.submitted(stranger)) == [ids[2], ids[0]]
        assert list(reader.submitted(own)) == []
        assert list(reader.submitted(later)) == [ids[3]]
        assert [reader.submitter(id) for id in ids] == [stranger, None, stranger, later]
    for id in ids:
        entry = spool.read(id)
        entry.history.add([outcome(0)])
        run(writer.write([Settled(NOW, entry, "sent", 0.0)]))
    assert run(writer.forget(NOW + 10**6)) == 4
    with Reader(writer.path) as reader:
        assert list(reader.submitted(stranger)) == []
    run(writer.close())


def test_what_has_gathered_beside_the_file_is_put_into_it(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before it is much; then by somebody else than the writer, who goes on meanwhile; and the space is used again."""
    beside = Path(f"{office.path}-wal")
    office.write([Settled(NOW, entry(), "sent")])
    before = office.path.stat().st_size
    run(office.recorder.maintain())
    assert (office.path.stat().st_size, beside.stat().st_size > 0) == (before, True)
    monkeypatch.setattr(writer, "GATHERED", 1)
    run(office.recorder.maintain())
    gathered = beside.stat().st_size
    assert office.path.stat().st_size > before
    office.write([Settled(NOW, entry(), "sent")])
    assert beside.stat().st_size == gathered


def test_a_checkpoint_that_cannot_be_made_stops_nothing(tmp_path: Path) -> None:
    """There may be no database at all."""
    run(SqliteRecorder(str(tmp_path / "missing" / NAME)).maintain())
