"""Reports that programs wrote for programs: RFC 3464 in all forms that it comes in, RFC 6533, and what is said of policies."""

from __future__ import annotations

import pytest

from mailer.dsn.classes import WhoseFault
from mailer.dsn.reading import Report, ReportKind, read

HEAD = (
    "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\n"
    "To: <bounces+a@example.org>\n"
    "Subject: Undelivered\n"
    "Date: Mon, 30 Nov 2026 10:00:00 +0000\n"
    "MIME-Version: 1.0\n"
)
BACK = (
    "Return-Path: <bounces+token@example.org>\n"
    "Message-ID: <one@out.example.org>\n"
    "From: Anna <anna@example.org>\n"
    "To: eva@example.net\n"
    "Subject: Hello\n"
)


def dsn(status: str, *, back: str = BACK, letter: str = "It failed.", kind: str = "message/delivery-status") -> bytes:
    """A report with this part for programs."""
    return (
        f'{HEAD}Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\n\n{letter}\n\n--b\nContent-Type: {kind}\n\n{status}\n--b\nContent-Type: text/rfc822-headers\n\n{back}\n--b--\n"
    ).encode()


def one(status: str, **more: str) -> Report:
    """The report, which names one recipient."""
    report = read(dsn(status, **more))
    assert len(report.recipients) == 1
    return report


REFUSED = (
    "Reporting-MTA: dns; mx.example.net\n"
    "Original-Envelope-Id: QQ1\n"
    "\n"
    "Final-Recipient: rfc822; eva@example.net\n"
    "Action: failed\n"
    "Status: 5.1.1\n"
    "Remote-MTA: dns; in.example.net\n"
    "Diagnostic-Code: smtp; 550 5.1.1 <eva@example.net>:\n"
    "  Recipient address rejected: User unknown\n"
)


def test_a_report_says_all_that_it_says() -> None:
    """Of the recipient, of the message, of itself."""
    report = one(REFUSED)
    eva = report.recipients[0]
    assert (report.kind, report.message_id, report.envid) == (ReportKind.BOUNCE, "one@out.example.org", "QQ1")
    assert (report.sender, report.at) == ("MAILER-DAEMON@mx.example.net", 1796032800.0)
    assert (eva.address, eva.action, eva.status, eva.remote) == ("eva@example.net", "failed", "5.1.1", "in.example.net")
    assert eva.diagnostic == "550 5.1.1 <eva@example.net>: Recipient address rejected: User unknown"
    assert (eva.class_, eva.hard, eva.fault) == ("unknown-user", True, WhoseFault.RECIPIENT)
    assert report.paths == ("bounces+token@example.org", "bounces+a@example.org")
    assert report.header.startswith(b"Return-Path: <bounces+token@example.org>\r\n")


@pytest.mark.parametrize(
    "status",
    [
        REFUSED.replace("\n\nFinal", "\nFinal"),  # no empty line between the blocks
        REFUSED.replace("\n\nFinal", "\n\n\n\nFinal"),
        REFUSED.replace("Remote-MTA", "\nRemote-MTA"),  # one within a block
        REFUSED.replace("Final-Recipient: rfc822; ", "Final-Recipient: "),
        REFUSED.replace("rfc822; eva@example.net", "RFC822;<eva@example.net>"),
        REFUSED.replace("rfc822; eva", "rfc822;rfc822; eva"),
        REFUSED.replace("Action: failed", "Action: Failed (fatal)"),
        REFUSED.replace("Action: failed\n", ""),
        REFUSED.replace("5.1.1\nRemote", "5.1.1 (bad destination mailbox address)\nRemote"),
        REFUSED.replace("Status: 5.1.1\n", ""),
        REFUSED.replace("Reporting-MTA: dns; mx.example.net\nOriginal-Envelope-Id: QQ1\n\n", ""),
        REFUSED.replace("Final-Recipient", "FINAL-RECIPIENT").replace("Action", "ACTION"),
        "\n\n" + REFUSED,
    ],
)
def test_forms_of_the_same_report(status: str) -> None:
    """What writers make of RFC 3464 says the same."""
    eva = one(status).recipients[0]
    assert (eva.address, eva.action, eva.status, eva.class_) == ("eva@example.net", "failed", "5.1.1", "unknown-user")


def test_each_recipient_is_read() -> None:
    """Not the first alone, nor those before one that is only late; the worst makes the kind."""
    blocks = [
        f"Final-Recipient: rfc822; u{n}@example.net\nAction: {action}\nStatus: {status}\n" for n, (action, status) in enumerate(STATES)
    ]
    report = read(dsn("Reporting-MTA: dns; x\n\n" + "\n".join(blocks)))
    assert [(each.address, each.action) for each in report.recipients] == [
        (f"u{n}@example.net", action) for n, (action, _) in enumerate(STATES)
    ]
    assert report.kind is ReportKind.BOUNCE
    assert [each.hard for each in report.recipients] == [False, False, True, False]


STATES = [("delayed", "4.4.1"), ("delivered", "2.1.5"), ("failed", "5.1.1"), ("relayed", "2.0.0")]


@pytest.mark.parametrize(
    ("action", "kind"), [("delayed", "delay"), ("delivered", "delivered"), ("relayed", "delivered"), ("expanded", "delivered")]
)
def test_what_is_no_failure(action: str, kind: str) -> None:
    """Late, there, passed on."""
    report = one(f"Final-Recipient: rfc822; eva@example.net\nAction: {action}\nStatus: {'4.0.0' if kind == 'delay' else '2.0.0'}\n")
    assert report.kind == kind
    assert not report.recipients[0].hard


def test_the_sender_knows_the_original_recipient() -> None:
    """He is whom the report is about; where the message ended stands beside him."""
    eva = one(
        "Original-Recipient: rfc822; eva@example.net\nFinal-Recipient: rfc822; e.mueller@in.example.net\nAction: failed\nStatus: 5.2.2\n"
    ).recipients[0]
    assert (eva.address, eva.original, eva.final) == ("eva@example.net", "eva@example.net", "e.mueller@in.example.net")
    assert (eva.class_, eva.hard) == ("full", False)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("message/delivery-status", r"utf-8; zo\x{EB}@ex\x{E4}mple.net"),
        ("message/global-delivery-status", "utf-8; zoë@exämple.net"),
        ("message/global-delivery-status", r"utf-8; <zo\x{eb}@exämple.net>"),
    ],
)
def test_an_address_beyond_ascii(kind: str, written: str) -> None:
    """In both forms of RFC 6533 §3."""
    assert one(f"Final-Recipient: {written}\nAction: failed\nStatus: 5.1.1\n", kind=kind).recipients[0].address == "zoë@exämple.net"


@pytest.mark.parametrize("escape", [r"\x{0}", r"\x{D800}", r"\x{FFFFFF}", r"\x{1B}[2J"])
def test_an_escape_is_no_way_to_the_terminal(escape: str) -> None:
    """What no address has becomes U+FFFD."""
    assert "\x1b" not in one(f"Final-Recipient: utf-8; a{escape}@example.net\nAction: failed\nStatus: 5.1.1\n").recipients[0].address


@pytest.mark.parametrize(
    ("status", "diagnostic", "name", "hard"),
    [
        ("5.7.1", "smtp; 550 5.7.1 blocked using zen.spamhaus.org", "blocked", False),
        ("4.4.7", "smtp; 451 4.1.1 user unknown", "unknown-user", False),  # every try was put off
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", "full", False),
        ("5.3.4", "smtp; 552 5.3.4 message too large", "too-large", False),
        ("5.0.0", "smtp; 550 5.1.1 no such user", "unknown-user", True),
        ("5.1.1", "smtp; 550 5.1.1 mailbox over quota", "full", False),
        ("5.4.4", "x-mailer; no such domain", "bad-domain", True),
        ("5.0.0", "smtp; 550 it did not work", "other", False),
    ],
)
def test_only_an_address_that_is_gone_is_hard(status: str, diagnostic: str, name: str, hard: bool) -> None:
    """A block of ours, a full mailbox, a time that is up say nothing against the address."""
    eva = one(f"Final-Recipient: rfc822; eva@example.net\nAction: failed\nStatus: {status}\nDiagnostic-Code: {diagnostic}\n").recipients[0]
    assert (eva.class_, eva.hard, eva.status) == (name, hard, status)


def test_a_number_of_a_version_is_no_code() -> None:
    """A failure has a code of a failure."""
    status = (
        "Final-Recipient: rfc822; eva@example.net\nAction: failed\nDiagnostic-Code: smtp; Gate 2.0.12 on 5.4.3.2: 550 5.1.1 no such user\n"
    )
    assert one(status).recipients[0].status == "5.1.1"


def test_the_letter_tells_what_the_fields_do_not() -> None:
    """A code of three zeros and no diagnostic: the person was told why."""
    status = "Final-Recipient: rfc822; eva@example.net\nAction: failed\nStatus: 5.0.0\n"
    assert one(status, letter="account is full (quota exceeded)").recipients[0].class_ == "full"


def test_structure_is_stronger_than_any_field() -> None:
    """A report that says that it is an automatic answer, as all do, is a report."""
    content = dsn(REFUSED).replace(
        b"MIME-Version", b"Auto-Submitted: auto-replied\nX-Autoreply: yes\nPrecedence: auto_reply\nMIME-Version", 1
    )
    assert read(content).kind is ReportKind.BOUNCE


def test_a_person_who_forwards_the_parts_of_a_report() -> None:
    """His program attaches them one by one: the mail is his."""
    content = dsn(REFUSED).replace(b"multipart/report; report-type=delivery-status", b"multipart/mixed")
    forwarded = content.replace(b"Mail Delivery System <MAILER-DAEMON@mx.example.net>", b"Bob <bob@example.net>")
    assert read(content).kind is ReportKind.BOUNCE
    assert read(forwarded.replace(b"Subject: ", b"Subject: Fwd: ")).kind is ReportKind.NONE


def test_a_part_in_a_transfer_encoding() -> None:
    """RFC 6522 allows 7 bits alone; some encode it all the same."""
    from base64 import encodebytes

    plain = dsn(REFUSED)
    coded = plain.replace(REFUSED.encode(), encodebytes(REFUSED.encode())).replace(
        b"message/delivery-status\n", b"message/delivery-status\nContent-Transfer-Encoding: base64\n"
    )
    assert read(coded).recipients == read(plain).recipients


def test_a_report_whose_parts_lost_their_types() -> None:
    """A gateway made one text of it."""
    flat = f"{HEAD}\nYour message could not be delivered.\n\n{REFUSED}\n{BACK}".encode()
    assert [(each.address, each.class_) for each in read(flat).recipients] == [("eva@example.net", "unknown-user")]


def test_a_report_within_one_of_a_gateway() -> None:
    """What a mail system wraps is the report."""
    inner = dsn(REFUSED)
    outer = f'{HEAD}Content-Type: multipart/mixed; boundary="o"\n\n--o\nContent-Type: message/rfc822\n\n'.encode() + inner + b"\n--o--\n"
    assert read(outer).recipients == read(inner).recipients


READ = "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; eva@example.net\n"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ('Content-Type: application/gzip; name="example.net!example.org!1795910400!1795996800.xml.gz"\n\nx\n', "dmarc"),
        ('Content-Type: application/zip\nContent-Disposition: attachment; filename="a.net!b.org!179591040!1795996800.zip"\n\nx\n', "dmarc"),
        ("Content-Type: application/tlsrpt+gzip\n\nx\n", "tlsrpt"),
        ('Content-Type: application/zip; name="a!b!c!d.zip"\n\nx\n', "none"),
        (f"{READ}Disposition: manual-action/MDN-sent-manually; displayed\n", "auto-reply"),
        (f"{READ}Disposition: manual-action/MDN-sent-automatically; deleted\n", "auto-reply"),
    ],
)  # fmt: skip
def test_reports_of_policies_and_of_reading(parts: str, kind: str) -> None:
    """Known by what is attached."""
    content = (
        f'From: noreply@example.net\nSubject: Report\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n\nSee below.\n--b\n{parts}--b--\n'
    )
    assert read(content.encode()).kind == kind
