"""What people are shown is the union of spool and database, in every state that the two can be in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from mailer.events import Seen
from mailer.mail.history import SCHEDULED, STATUSES
from mailer.mail.problem import Problem
from mailer.spool.api import Entry
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite
from mailer.status.api import Filter, Page
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office


def status_of(office: Office, id: str) -> str | None:
    with office.view() as view:
        record = view.message(id)
        return record.status if record else None


def listed(office: Office, wanted: Filter | None = None) -> list[str]:
    with office.view() as view:
        return [record.id for record in view.messages(wanted or Filter()).items]


def counts(office: Office) -> dict[str, int]:
    with office.view() as view:
        return {status: count for status, count in view.summary().counts.items() if count}


# One message


def test_a_message_that_no_daemon_has_seen_is_queued(either: Office) -> None:
    """From the moment when ``mailer send`` has returned."""
    assert status_of(either, either.put()) == "queued"


@pytest.mark.parametrize("known", [True, False])
def test_the_spool_tells_the_state_whether_or_not_the_database_knows_the_message(either: Office, known: bool) -> None:
    """The database may have been deleted; nothing that is in the spool is lost by that."""
    deferred, failed, held = either.deferred(known=known), either.failed(known=known), either.held()
    assert [status_of(either, id) for id in (deferred, failed, held)] == ["deferred", "failed", "held"]
    assert counts(either) == {"deferred": 1, "failed": 1, "held": 1}


def test_each_recipient_has_its_own_outcome(either: Office) -> None:
    """Also of a message that is still in the spool and unknown to the database."""
    id = either.put("a@x.example", "b@x.example", "c@x.example")
    either.settle(id, outcome(0), outcome(1, "fail", text="no"), outcome(2, "defer", text="later", due=NOW + 9), known=False)
    with either.view() as view:
        record = view.message(id)
    assert record is not None
    assert [(recipient.status, recipient.reply) for recipient in record.recipients] == [
        ("sent", "a reply"),
        ("failed", "no"),
        ("deferred", "later"),
    ]


def test_a_sent_message_is_known_from_the_database(either: Office) -> None:
    """Its file is gone."""
    assert status_of(either, either.sent()) == "sent"


def test_what_an_operator_did_while_no_daemon_ran_shows_at_once(either: Office) -> None:
    """The database still says deferred; the spool is right."""
    id = either.deferred()
    either.spool.hold(id)
    assert (status_of(either, id), listed(either, Filter(states=frozenset({"held"})))) == ("held", [id])
    assert listed(either, Filter(states=frozenset({"deferred"}))) == []
    either.spool.release(id)
    assert (status_of(either, id), counts(either)) == ("queued", {"queued": 1})
    either.spool.cancel(id, NOW)
    assert (status_of(either, id), counts(either)) == ("cancelled", {"cancelled": 1})
    assert listed(either, Filter(states=frozenset({"cancelled"}))) == [id]


def test_a_message_that_is_being_delivered_is_sending(either: Office) -> None:
    """As the daemon's lock on its file tells."""
    id = either.put()
    with FileLock(f"{either.spool.root}/daemon.lock"), either.spool.claim(id):
        assert (status_of(either, id), counts(either)) == ("sending", {"sending": 1})
        assert listed(either, Filter(states=frozenset({"sending"}))) == [id]


def test_a_message_that_has_just_left_the_spool_is_not_lost_from_sight(either: Office) -> None:
    """Its end is not in the database yet: it shows as being sent, everywhere."""
    id = either.put()
    either.seen(id)
    os.unlink(either.spool.path("queued", id))
    assert (status_of(either, id), counts(either), listed(either)) == ("sending", {"sending": 1}, [id])


def test_a_message_that_was_settled_between_two_looks_is_over(either: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file was read, then the database said that it was sent, and now the file is gone."""
    id = either.put()
    entry = either.entry(id)
    either.settle(id, outcome())
    monkeypatch.setattr(SpoolDirectory, "read", lambda *_: entry)
    assert status_of(either, id) == "sent"


def test_the_spool_is_right_about_a_message_that_it_still_has(either: Office) -> None:
    """A crash came between the commit and the unlink: it will be delivered again."""
    id = either.put()
    entry = either.entry(id)
    entry.history.add([outcome()])
    either.write([Seen(NOW, entry)])
    assert status_of(either, id) == "queued"
    assert listed(either, Filter(states=frozenset({"queued"}))) == [id]


def test_a_report_that_came_later_shows_for_its_recipient(office: Office) -> None:
    """One of two has bounced, while the other is still being tried."""
    id = office.put("a@x.example", "b@x.example")
    office.settle(id, outcome(0), outcome(1, "defer", due=NOW + 60))
    with office.recorder.transaction() as db:
        db.execute("UPDATE email_recipients SET status = 'bounced' WHERE position = 0")
    with office.view() as view:
        record = view.message(id)
    assert record is not None
    assert [recipient.status for recipient in record.recipients] == ["bounced", "deferred"]
    assert listed(office, Filter(states=frozenset({"bounced"}))) == [id]


def test_a_damaged_file_is_told_of_and_stops_no_list(either: Office) -> None:
    """One message that cannot be read, between two that can."""
    first, bad, last = either.put(at=NOW), either.put(at=NOW + 1), either.put(at=NOW + 2)
    Path(either.spool.path("queued", bad)).write_bytes(b"mailer/1 nonsense")
    with pytest.raises(Problem, match="damaged"):
        status_of(either, bad)
    with either.view() as view:
        assert [record.id for record in view.messages().items] == [last, first]
        assert any("1 unreadable" in note for note in view.notes)


def test_what_a_later_version_wrote_is_told_apart(either: Office) -> None:
    """Nothing is wrong with it, so nobody is told that it is damaged: neither beside a list nor by name."""
    first, later = either.put(at=NOW), either.put(at=NOW + 1)
    path = Path(either.spool.path("queued", later))
    path.write_bytes(path.read_bytes().replace(b"mailer/1", b"mailer/2", 1))
    with pytest.raises(Problem, match="its format is 2, and this version knows 1"):
        status_of(either, later)
    with either.view() as view:
        assert [record.id for record in view.messages().items] == [first]
        (note,) = (note for note in view.notes if "left out" in note)
        assert note == "left out: 1 file of the spool that a later version of mailer wrote, and can deliver"


# By name


@pytest.mark.parametrize("known", [True, False])
def test_a_message_is_found_by_any_of_its_names(either: Office, known: bool) -> None:
    """ID in any case, Message-ID with or without brackets, request id; in the database or only in the spool."""
    id = either.deferred(known=known, message_id="<a@b.example>", request_id="nightly")
    either.deferred(known=known)  # it has no request id, and is not meant by no name
    with either.view() as view:
        for name in (id, id.lower(), "<a@b.example>", "a@b.example", "nightly"):
            assert [record.id for record in view.find(name)] == [id], name
        for name in ("", "a@b", "night", "%", "'", "\0", "\ud800", "x" * 100_000):
            assert view.find(name) == []


def test_two_messages_of_one_name_are_both_found_oldest_first(either: Office) -> None:
    """The same Message-ID, once over and once still in the spool."""
    first, second = either.sent(message_id="<m@x>", at=NOW), either.put(message_id="<m@x>", at=NOW + 1)
    with either.view() as view:
        assert [record.id for record in view.find("m@x")] == [first, second]


# Lists


def test_a_list_has_each_message_once_newest_first(either: Office) -> None:
    """From both halves, merged."""
    ids = [
        either.sent(at=NOW), either.put(at=NOW + 1), either.deferred(at=NOW + 2), either.failed(at=NOW + 3, known=False),
        either.held(at=NOW + 4), either.sent(at=NOW + 5), either.deferred(at=NOW + 6, known=False),
    ]  # fmt: skip
    assert listed(either) == ids[::-1]


@pytest.mark.parametrize("known", [True, False])
def test_filters_select_from_both_halves(either: Office, known: bool) -> None:
    """The same selectors for rows and for files."""
    bob = either.deferred("bob@example.net", known=known, sender="robot@example.com", at=NOW)
    ann = either.failed("ann@example.org", known=known, sender="", at=NOW + 100)
    both = either.put("bob@example.net", "ann@example.org", at=NOW + 200)
    assert listed(either, Filter(to="BOB@example.net")) == [both, bob]
    assert listed(either, Filter(domain="example.org")) == [both, ann]
    assert listed(either, Filter(sender="<>")) == [ann]
    assert listed(either, Filter(sender="robot@*", states=frozenset({"deferred", "failed"}))) == [bob]
    assert listed(either, Filter(since=NOW + 50, before=NOW + 150)) == [ann]
    assert listed(either, Filter(to="' OR '1'='1")) == listed(either, Filter(domain="%")) == listed(either, Filter(to="a\0b")) == []


def test_a_list_reads_no_more_files_than_it_shows(either: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest two of fifty; the summary reads none."""
    for n in range(50):
        either.put(at=NOW + n)
    read: list[str] = []
    plain = SpoolDirectory.read

    def reading(self: SpoolDirectory, id: str, state: str | None = None) -> Entry:
        read.append(id)
        return plain(self, id, state)

    monkeypatch.setattr(SpoolDirectory, "read", reading)
    with either.view() as view:
        assert len(view.messages(limit=2).items) == 2
        assert len(read) == 2
        read.clear()
        assert view.summary().counts["queued"] == 50
        assert read == []
        assert view.messages(Filter(states=frozenset({"held"}))).items == []
        assert read == []


def test_a_page_has_a_bound_in_recipients(either: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message may have thousands, and a page of five hundred of those would fill the memory; the list goes on behind it."""
    monkeypatch.setattr("mailer.status.view.PEOPLE", 4)
    ids = [either.put("a@example.org", "b@example.org", "c@example.org") for _ in range(3)]
    with either.view() as view:
        page = view.messages()
        assert ([record.id for record in page.items], page.cursor) == (ids[:0:-1], ids[1])
        assert [record.id for record in view.messages(cursor=page.cursor).items] == ids[:1]
        assert [record.id for record in view.queue(Filter()).items] == ids[:2]


def test_the_queue_is_listed_oldest_first(either: Office) -> None:
    """With the same filters; what the database knows to be something else is not read."""
    first, second, third = (
        either.deferred("a@x.example", at=NOW),
        either.put("a@x.example", at=NOW + 1),
        either.deferred("b@y.example", at=NOW + 2),
    )
    with either.view() as view:
        assert [record.id for record in view.queue(Filter()).items] == [first, second, third]
        assert [record.id for record in view.queue(Filter(domain="x.example")).items] == [first, second]
        assert [record.id for record in view.queue(Filter(to="\0")).items] == []


# Failures


def test_failed_recipients_come_from_both_halves_newest_first(either: Office) -> None:
    """One that the database has, one that only the spool has, and one of a message that is still pending."""
    known = either.failed("a@x.example", at=NOW)
    unknown = either.put("b@x.example")
    either.settle(unknown, outcome(verdict="fail", at=NOW + 50), known=False)
    partly = either.put("c@x.example", "d@x.example")
    either.settle(partly, outcome(0, "expire", at=NOW + 70), outcome(1, "defer", due=NOW + 900, at=NOW + 70))
    with either.view() as view:
        assert [(item.id, item.recipient.address) for item in view.undelivered().items] == [
            (partly, "c@x.example"), (unknown, "b@x.example"), (known, "a@x.example"),
        ]  # fmt: skip
        assert [item.id for item in view.undelivered(Filter(since=NOW + 60)).items] == [partly]
        assert [item.id for item in view.undelivered(Filter(to="b@*")).items] == [unknown]


# The summary


def test_the_summary_counts_every_message_once(either: Office) -> None:
    """Whatever state it is in, and whoever knows it."""
    either.put(), either.deferred(), either.deferred(known=False), either.held(), either.sent(), either.sent(), either.failed()
    either.failed(known=False)
    assert counts(either) == {"queued": 1, "deferred": 2, "held": 1, "sent": 2, "failed": 2}


def test_a_failed_message_that_is_put_back_counts_as_queued_only(either: Office) -> None:
    """The database has not heard of it yet."""
    id = either.failed()
    os.rename(either.spool.path("failed", id), either.spool.path("queued", id))
    assert counts(either) == {"queued": 1}


def test_the_summary_tells_the_oldest_and_the_next(either: Office) -> None:
    """And the last failures, and what was set aside."""
    either.put(at=NOW - 500), either.put(at=NOW), either.deferred(due=NOW + 60), either.deferred(due=NOW + 30)
    failed = either.failed()
    Path(either.spool.root, "corrupt", "x").touch()
    with either.view() as view:
        summary = view.summary()
    assert summary.oldest["queued"] == pytest.approx(NOW - 500)
    assert summary.next_attempt_at == pytest.approx(NOW + 30)
    assert summary.corrupt == 1
    assert [item.id for item in summary.failures] == [failed]
    assert not summary.daemon.running


@pytest.mark.parametrize("known", [True, False])
def test_the_summary_counts_mail_for_later_by_itself(either: Office, known: bool) -> None:
    """It was not put off, so neither the oldest nor the next try is its; whether or not the database knows it."""
    either.deferred(at=NOW - 50, due=NOW + 60)
    for due in (NOW + 900, NOW + 30):
        either.scheduled(due, at=NOW - 500, known=known)
    with either.view() as view:
        summary = view.summary()
        assert [record.word for record in view.messages(Filter(states=frozenset({SCHEDULED}))).items] == [SCHEDULED, SCHEDULED]
        assert [record.word for record in view.messages(Filter(states=frozenset({"deferred"}))).items] == ["deferred"]
    assert counts(either) == {"deferred": 1, SCHEDULED: 2}
    assert summary.oldest == {"deferred": pytest.approx(NOW - 50), SCHEDULED: pytest.approx(NOW - 500)}
    assert (summary.next_attempt_at, summary.leaves_at) == (pytest.approx(NOW + 60), pytest.approx(NOW + 30))


def test_a_spool_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """And is not made by looking at it."""
    with sqlite.view(SpoolDirectory(str(tmp_path / "none"))) as view:
        assert view.summary().counts == dict.fromkeys((*STATUSES, SCHEDULED), 0)
        assert (view.messages(), view.undelivered(), view.message("0" * 26), view.notes) == (Page([]), Page([]), None, [])
    assert list(tmp_path.iterdir()) == []


def test_a_broken_database_leaves_the_spool_to_be_seen(office: Office) -> None:
    """With a note that history is missing."""
    id = office.deferred()
    office.close()
    office.path.write_bytes(b"broken" * 1000)
    with office.view() as view:
        assert [record.id for record in view.messages().items] == [id]
        assert view.summary().counts["deferred"] == 1
        assert any("without history" in note for note in view.notes)
