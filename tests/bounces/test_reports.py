"""Which report is due, and under what name it is put."""

from __future__ import annotations

import email

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.bounces import OwnReports, due_report, report_id
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.history import History
from mailer.mail.outcome import NOWHERE, Outcome, Verdict
from mailer.spool import is_id
from mailer.spool.api import Entry

ID = "01JD6Q4Z8K0000000000000000"
CONTENT = b"From: anna@example.org\r\nSubject: Report\r\n\r\nSecret body\r\n"
REPORTS = OwnReports("mail.example.com", "mailer-daemon@mail.example.com")


def outcome(to: int, verdict: Verdict, at: float = 1795227329.0) -> Outcome:
    return Outcome(to, verdict, "recipient", 550, "5.1.1", "no", "rcpt", NOWHERE, at)


def entry(sender: str = "anna@example.org") -> Entry:
    people = [Recipient(f"user{number}@example.net") for number in range(3)]
    return Entry(ID, "queued", Envelope(ID, "2026-11-21T01:15:29Z", sender, people, subject="Report"), len(CONTENT), History(3), 0.0, 0.0)


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        (["fail"], "failed"),
        (["expire"], "expired"),
        (["expire", "fail"], "failed"),
        (["delivered", "expire", "defer"], "expired"),
        (["delivered", "defer"], None),
        (["cancel"], None),
        ([], None),
    ],
)
def test_what_calls_for_a_report(verdicts: list[Verdict], kind: str | None) -> None:
    """Refusal and expiry do; delivery, another try and an operator's word do not."""
    assert due_report(entry().envelope, [outcome(to, verdict) for to, verdict in enumerate(verdicts)]) == kind


def test_the_null_sender_never_gets_a_report() -> None:
    """Mail with the null reverse-path, and so every report, is never reported: nothing can go round in circles."""
    assert due_report(entry(sender="").envelope, [outcome(0, "fail")]) is None
    assert REPORTS.report_for(entry(sender=""), [outcome(0, "fail")], CONTENT) is None


def test_mail_that_a_program_sent_is_reported() -> None:
    """A report is no answer: the sender of auto-submitted mail (cron) learns that it does not arrive."""
    assert REPORTS.report_for(entry(), [outcome(0, "fail")], b"Auto-Submitted: auto-generated\r\n" + CONTENT)


def test_reports_can_be_switched_off() -> None:
    """An operator who wants none gets none."""
    quiet = OwnReports("mail.example.com", "mailer-daemon@mail.example.com", enabled=False)
    assert quiet.report_for(entry(), [outcome(0, "fail")], CONTENT) is None


def test_a_report_is_about_what_failed_now() -> None:
    """Recipients of the same attempt that were delivered or will be tried again are not in it."""
    made = REPORTS.report_for(entry(), [outcome(2, "expire"), outcome(1, "delivered"), outcome(0, "fail")], CONTENT)
    assert made is not None
    status = email.message_from_bytes(made.message).get_payload(1).as_string()
    assert "user0@" in status
    assert "user1@" not in status
    assert "user2@" in status


def test_a_report_returns_the_header_alone_unless_told_otherwise() -> None:
    """The body of a message may be large or private; it goes back only when the operator says so."""
    short = REPORTS.report_for(entry(), [outcome(0, "fail")], CONTENT)
    whole = OwnReports("mail.example.com", "p@example.com", full=True).report_for(entry(), [outcome(0, "fail")], CONTENT)
    assert short is not None
    assert whole is not None
    assert b"Secret body" not in short.message
    assert b"Secret body" in whole.message


def test_a_message_without_a_body_is_reported() -> None:
    """Content that is all header, or none at all, does no harm."""
    for content in (b"Subject: x\r\n", b"\r\n", b""):
        assert REPORTS.report_for(entry(), [outcome(0, "fail")], content)


def test_a_second_try_makes_the_same_report() -> None:
    """After a crash the same recipients fail again, at another time: the ID is the same, so it is put once."""
    first = REPORTS.report_for(entry(), [outcome(0, "fail"), outcome(2, "fail")], CONTENT)
    again = REPORTS.report_for(entry(), [outcome(2, "fail", at=1795230000.0), outcome(0, "fail", at=1795230000.0)], CONTENT)
    assert first is not None
    assert again is not None
    assert first.id == again.id
    assert email.message_from_bytes(first.message)["Message-ID"] == f"<{first.id.lower()}@mail.example.com>"


@given(st.sets(st.integers(0, 9999), min_size=1), st.sampled_from(["failed", "expired"]))
def test_the_id_of_a_report(recipients: set[int], kind: str) -> None:
    """It is an ID like any other, sorts with its message, and differs for any other recipients or kind."""
    id = report_id(ID, kind, recipients)
    assert is_id(id)
    assert id[:10] == ID[:10]
    assert id == report_id(ID, kind, [*sorted(recipients, reverse=True), *recipients])
    assert id != report_id(ID, kind, recipients | {10000})
    assert id != report_id(ID, "delayed", recipients)
    assert id != report_id(ID[:-1] + "1", kind, recipients)
