"""The one writer: what it writes, and that hearing twice changes nothing."""

from __future__ import annotations

from asyncio import run
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.events import Alarm, Changed, Corrupt, Daemon, Event, Seen, Settled, Tried
from mailer.mail.outcome import Outcome
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.chance import examples
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office
from tests.status.rows import HOP, TABLES, dump, entry, one

# What is written


def test_a_sent_message_has_one_row_of_each_kind(office: Office) -> None:
    """The columns have the names and values that other people's queries rely on."""
    told = outcome(text="Ok: queued as 4Xyz", hop=HOP, at=NOW + 1.5, seconds=0.25, queue_id="4Xyz", phase="body")
    letter = entry(told, message_id="<a@b>", subject="Hello", request_id="r-1", priority="high")
    office.write([Seen(NOW, letter), Tried(NOW, letter, [told]), Settled(NOW, letter, "sent")])
    assert one(office.path, "emails") == {
        "id": letter.id, "message_id": "<a@b>", "request_id": "r-1", "from_address": "me@example.com", "subject": "Hello",
        "size": 1024, "priority": "high", "status": "sent", "queued_time": int(NOW * 1e6), "last_attempt_time": int((NOW + 1.5) * 1e6),
        "sent_time": int((NOW + 1.5) * 1e6), "next_attempt_time": None, "retry_count": 1, "error_message": None,
        "stream": None,
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
    office.write([Settled(NOW, letter, letter.history.status())])
    assert one(office.path, "emails")["status"] == one(office.path, "email_recipients")["status"] == status


def test_a_held_message_and_its_pending_recipients_are_held(office: Office) -> None:
    """What an operator did shows; a recipient that has the message already stays sent."""
    letter = entry(outcome(0), outcome(1, "defer"), recipients=("a@x.example", "b@x.example"), state="held")
    office.write([Changed(NOW, letter, "held")])
    assert dump(office.path)["emails"][0][7] == "held"
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent", "held"]


def test_a_message_in_the_middle_of_its_attempt_is_being_sent(office: Office) -> None:
    """Of several recipients only those that were tried are written then; the rest follows when it is settled."""
    letter = entry(recipients=("a@x.example", "b@x.example", "c@x.example"))
    first = outcome(1)
    letter.history.add([first])
    office.write([Tried(NOW, letter, [first])])
    assert dump(office.path)["emails"][0][7] == "sending"
    assert [row[1] for row in dump(office.path)["email_recipients"]] == [1]
    letter.history.add([outcome(0), outcome(2)])
    office.write([Settled(NOW, letter, "sent")])
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent"] * 3


def test_the_message_of_a_damaged_file_has_failed(office: Office) -> None:
    """Nobody can deliver it, and its row says why; a strange name is not written anywhere."""
    id = office.put("a@x.example", "b@x.example")
    office.settle(id, outcome(0), outcome(1, "defer", due=NOW + 9))
    office.write([Corrupt(NOW, id, "the checksum does not hold \ud800"), Corrupt(NOW, "no\udcffid", "its name is no ID")])
    assert dump(office.path)["emails"][0][7] == "failed"
    assert "checksum" in dump(office.path)["emails"][0][13]
    assert [row[5] for row in dump(office.path)["email_recipients"]] == ["sent", "failed"]


def test_what_is_about_no_message_is_not_written(office: Office) -> None:
    """Alarms and the daemon's own news belong to the log."""
    office.write([Alarm(NOW, "disk", "full"), Daemon(NOW, "started")])
    assert dump(office.path) == {table: [] for table in TABLES}


def test_a_busy_batch_leaves_out_what_was_only_seen(office: Office) -> None:
    """Anybody finds those in the spool; what was tried is written, and what is held or deferred."""
    fresh = [entry() for _ in range(100)]
    held = entry(state="held")
    office.write([Seen(NOW, letter) for letter in [*fresh, held]])
    assert [row[0] for row in dump(office.path)["emails"]] == [held.id]
    office.write([Seen(NOW, letter) for letter in fresh[:3]])
    assert len(dump(office.path)["emails"]) == 4


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


# Hearing twice


@settings(max_examples=examples(60), deadline=None)
@given(outcomes=outcomes_of_two, data=st.data())
@pytest.mark.slow
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
        writer = SqliteRecorder(str(path))
        for batch in batches:
            run(writer.write(batch))
        run(writer.close())
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
    with office.recorder.transaction() as db:
        db.execute("UPDATE email_recipients SET status = 'bounced'")
    office.write(told)
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
