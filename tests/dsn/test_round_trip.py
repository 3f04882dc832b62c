"""Reports that we write are read by us, of all kinds, with addresses in any letters, and with what comes back."""

from __future__ import annotations

import pytest

from mailer.dsn.fields import STATUS_OF_EXPIRY, Kind
from mailer.dsn.reading import Report, read
from mailer.dsn.report import report
from mailer.mail.delivery_options import NOTHING, Request
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.outcome import Cause, Hop, Outcome

ID = "01JD6Q4Z8K0000000000000000"
AT = 1795227329.0
HOP = Hop("mx1.example.net", "192.0.2.1", 25)
HEADER = (
    b"Return-Path: <anna@example.org>\r\nFrom: anna@example.org\r\nTo: bob@example.net\r\nMessage-ID: <1@example.org>\r\nSubject: Hello\r\n"
)
GONE = Outcome(0, "fail", "recipient", 550, "5.1.1", "no such user", "rcpt", HOP, AT)
LATE = Outcome(0, "defer", "destination", 451, "4.4.1", "connect timed out", "connect", HOP, AT, cause=Cause.TIMEOUT)
THERE = Outcome(0, "delivered", "recipient", 250, "2.1.5", "taken", "body", HOP, AT)


BOB = ("bob@example.net",)


def there_and_back(kind: Kind, *outcomes: Outcome, to: tuple[str, ...] = BOB, asked: Request = NOTHING, full: bool = False) -> Report:
    """What is read of the report about these."""
    people = [*map(Recipient, to)]
    return read(
        report(
            envelope=Envelope(ID, "2026-11-21T01:15:29.5Z", "anna@example.org", people, message_id="<1@example.org>", subject="Hello"),
            outcomes=outcomes,
            kind=kind,
            header=HEADER,
            content=HEADER + b"\r\nHi\r\n" if full else b"",
            reporting_host="mail.example.com",
            postmaster="mailer-daemon@mail.example.com",
            at=AT,
            message_id="<2@mail.example.com>",
            asked=asked,
        )
    )


@pytest.mark.parametrize(
    ("kind", "outcome", "read_as", "action", "status"),
    [
        ("failed", GONE, "bounce", "failed", "5.1.1"),
        ("expired", LATE._replace(verdict="expire", enhanced=""), "bounce", "failed", STATUS_OF_EXPIRY),
        ("delayed", LATE, "delay", "delayed", "4.4.1"),
        ("relayed", THERE, "delivered", "relayed", "2.1.5"),
        ("delivered", THERE, "delivered", "delivered", "2.1.5"),
    ],
)
@pytest.mark.parametrize("full", [False, True], ids=["header", "whole"])
def test_each_kind(kind: Kind, outcome: Outcome, read_as: str, action: str, status: str, full: bool) -> None:
    """Kind, recipient, action, code, and the message that it is about."""
    found = there_and_back(kind, outcome, full=full)
    (bob,) = found.recipients
    assert (found.kind, bob.address, bob.action, bob.status) == (read_as, "bob@example.net", action, status)
    assert (found.message_id, found.at, found.sender) == ("1@example.org", AT, "mailer-daemon@mail.example.com")
    assert "anna@example.org" in found.paths
    assert found.header == HEADER


def test_what_a_host_said() -> None:
    """Its words and its name, and what they mean."""
    (bob,) = there_and_back("failed", GONE).recipients
    assert (bob.diagnostic, bob.remote, bob.class_, bob.hard) == (GONE.reply, "mx1.example.net", "unknown-user", True)


@pytest.mark.parametrize("address", ["zoë@exämple.net", "用户@例子.example", r"back\slash+plus=is@example.net", '"a b"@example.net'])
def test_addresses_of_any_letters(address: str) -> None:
    """RFC 6533 there and back."""
    assert there_and_back("failed", GONE, to=(address,)).recipients[0].address == address


def test_many_recipients() -> None:
    """Each with its own."""
    to = tuple(f"u{n}@example.net" for n in range(300))
    found = there_and_back("failed", *(GONE._replace(to=n) for n in range(300)), to=to)
    assert tuple(each.address for each in found.recipients) == to


def test_what_the_sender_asked_for_comes_back() -> None:
    """His name for the message, and for the recipient. RFC 3461 §4.2, §4.4"""
    asked = Request.read({"envid": "QQ314159", "recipients": {"bob@example.net": {"orcpt": "rfc822;bob@alias.example"}}})
    found = there_and_back("failed", GONE, asked=asked)
    assert found.envid == "QQ314159"
    assert (found.recipients[0].original, found.recipients[0].final) == ("bob@alias.example", "bob@example.net")
