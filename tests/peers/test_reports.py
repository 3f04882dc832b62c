"""Reports of a real Postfix are read: of what it refuses itself, and of what another host refused."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from mailer.dsn.reading import Report, ReportKind, read

from .postfix import Postfix, scratch
from .smtpsink import SmtpSink

pytestmark = [pytest.mark.peer("postfix", "smtp-sink", root=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """It takes mail for anybody, and reports to bounces@sender.example; the host of refusing.example refuses all."""
    with SmtpSink("-f", "rcpt") as refusing, scratch("reports") as home:
        ways = {
            "gone.example": "error:5.1.1 User unknown in virtual mailbox table",
            "full.example": "error:5.2.2 mailbox full",
            "refusing.example": f"smtp:[127.0.0.1]:{refusing.port}",
        }
        lines = ", ".join(f"{{{name} = {way}}}" for name, way in ways.items())
        postfix = Postfix(home, {"transport_maps": f"inline:{{{lines}}}", "smtpd_reject_unlisted_recipient": "no"})
        postfix.receives("bounces", domain="sender.example")
        with postfix:
            yield postfix


def reported(postfix: Postfix, mark: str, *to: str) -> Report:
    """What Postfix reports of a message for these, read."""
    header = f"X-Test: {mark}\r\nMessage-ID: <{mark}@sender.example>\r\nFrom: bounces@sender.example\r\nSubject: Hello\r\n"
    with smtplib.SMTP("127.0.0.1", postfix.port) as client:
        client.sendmail("bounces@sender.example", to, header.encode() + b"\r\nHello\r\n")
    (message,) = postfix.mailboxes.reports(mark, "bounces")
    return read(message.encode())


@pytest.mark.parametrize(
    ("to", "status", "name", "hard"),
    [
        ("user@gone.example", "5.1.1", "unknown-user", True),
        ("user@full.example", "5.2.2", "full", False),
        ("user@refusing.example", "5.3.0", "protocol", False),
    ],
)
def test_a_refusal_is_reported(postfix: Postfix, to: str, status: str, name: str, hard: bool) -> None:
    """Whom it is about, the code, the reason, and which message came back."""
    mark = to.partition("@")[2].partition(".")[0]
    report = reported(postfix, mark, to)
    (user,) = report.recipients
    assert (report.kind, report.message_id) == (ReportKind.BOUNCE, f"{mark}@sender.example")
    assert (user.address, user.action, user.status, user.hard) == (to, "failed", status, hard)
    assert user.class_ == name, user.diagnostic
    assert "bounces@sender.example" in report.paths


def test_each_recipient_has_his_own_reason(postfix: Postfix) -> None:
    """In one report."""
    found = reported(postfix, "two", "a@gone.example", "b@full.example").recipients
    assert {each.address: each.class_ for each in found} == {"a@gone.example": "unknown-user", "b@full.example": "full"}
