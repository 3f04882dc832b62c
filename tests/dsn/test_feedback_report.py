"""Feedback reports: whole ones, sparse ones, blackened ones, and those of before RFC 5965."""

from __future__ import annotations

import pytest

from mailer.dsn.reading import ReportKind, read

BACK = (
    "Return-Path: <bounces+token@example.org>\n"
    "Message-ID: <one@out.example.org>\n"
    "From: Anna <anna@example.org>\n"
    "To: Eva <eva@example.net>\n"
    "Subject: Hello\n"
)


def arf(fields: str, back: str = BACK) -> bytes:
    """A report with this part for programs."""
    return (
        'From: <feedback@example.net>\nSubject: FW: Hello\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        f"--b\n\nThis is an email abuse report.\n\n--b\nContent-Type: message/feedback-report\n\n{fields}\n"
        f"--b\nContent-Type: message/rfc822\n\n{back}\nHi\n--b--\n"
    ).encode()


FULL = (
    "Feedback-Type: abuse\n"
    "User-Agent: Loop/1\n"
    "Version: 1\n"
    "Original-Mail-From: <bounces+other@example.org>\n"
    "Original-Rcpt-To: <eva@example.net>\n"
    "Source-IP: 192.0.2.1\n"
)


@pytest.mark.parametrize(
    ("fields", "back", "whom"),
    [
        (FULL, BACK, ["eva@example.net"]),
        ("Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\n", BACK, ["eva@example.net"]),
        ("Feedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: redacted@example.net\n", BACK, ["eva@example.net"]),
        (
            "Feedback-Type: abuse\nVersion: 1\nRemoval-Recipient: eva@example.net\n",
            "Message-ID: <one@out.example.org>\n",
            ["eva@example.net"],
        ),
        ("Feedback-Type: abuse\n", "X-HmXmrOriginalRecipient: eva@example.net\nMessage-ID: <one@out.example.org>\n", ["eva@example.net"]),
        ("Feedback-Type: abuse\n", "Message-ID: <one@out.example.org>\nTo: undisclosed-recipients:;\n", [""]),
        (
            "Feedback-Type: abuse\nOriginal-Rcpt-To: a@example.net\nOriginal-Rcpt-To: b@example.net\n",
            BACK,
            ["a@example.net", "b@example.net"],
        ),
        ("", BACK, ["eva@example.net"]),
    ],
)
def test_whom_a_complaint_is_of(fields: str, back: str, whom: list[str]) -> None:
    """The fields say it, else what came back."""
    report = read(arf(fields, back))
    assert report.kind is ReportKind.COMPLAINT
    assert [each.address for each in report.recipients] == whom
    assert all(each.hard and each.class_ == "complaint" for each in report.recipients)
    assert report.message_id == "one@out.example.org"


def test_where_a_token_may_stand() -> None:
    """In what the provider was told, and in what came back."""
    assert read(arf(FULL)).paths[:2] == ("bounces+other@example.org", "bounces+token@example.org")


@pytest.mark.parametrize("kind", ["auth-failure", "fraud", "virus", "not-spam", "other", "dmarc"])
def test_what_is_no_wish_of_a_person_spares_nobody(kind: str) -> None:
    """A failed check says nothing of whoever got the mail."""
    (found,) = read(arf(f"Feedback-Type: {kind}\nVersion: 1\nOriginal-Rcpt-To: eva@example.net\n")).recipients
    assert (found.class_, found.hard) == ("feedback", False)


def test_a_complaint_of_an_older_loop() -> None:
    """Microsoft's has a subject and the message, no more."""
    content = (
        f"From: staff@hotmail.com\n"
        f"Subject: complaint about message from 192.0.2.1\n"
        f'Content-Type: multipart/mixed; boundary="b"\n'
        f"\n"
        f"--b\n"
        f"Content-Type: message/rfc822\n"
        f"\n"
        f"X-HmXmrOriginalRecipient: eva@example.net\n"
        f"{BACK}\n"
        f"Hi\n"
        f"--b--\n"
    )
    report = read(content.encode())
    assert (report.kind, [each.address for each in report.recipients]) == (ReportKind.COMPLAINT, ["eva@example.net"])
