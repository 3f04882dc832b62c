"""Reports, read back by the email package of the standard library."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.report import report
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.outcome import NOWHERE, Cause, Hop, Outcome

ID = "01JD6Q4Z8K0000000000000000"
AT = 1795227329.0
HOP = Hop("mx1.example.net", "192.0.2.1", 25)
HEADER = b"From: anna@example.org\r\nTo: bob@example.net\r\nSubject: Report\r\n"
NO_SUCH_USER = Outcome(0, "fail", "recipient", 550, "5.1.1", "no such user", "rcpt", HOP, AT)
TIMED_OUT = Outcome(0, "expire", "destination", 451, "4.4.1", "connect timed out", "connect", HOP, AT, cause=Cause.TIMEOUT)


def envelope(*recipients: str, sender: str = "anna@example.org", subject: str = "Report", message_id: str = "<1@example.org>") -> Envelope:
    people = [Recipient(address) for address in recipients or ("bob@example.net",)]
    return Envelope(ID, "2026-11-21T01:15:29.5Z", sender, people, message_id=message_id, subject=subject)


def write(to: Envelope, *outcomes: Outcome, header: bytes = HEADER, content: bytes = b"", expired: bool = False) -> bytes:
    return report(
        envelope=to,
        outcomes=outcomes,
        kind="expired" if expired else "failed",
        header=header,
        content=content,
        reporting_host="mail.example.com",
        postmaster="mailer-daemon@mail.example.com",
        at=AT,
        message_id="<2@mail.example.com>",
    )


def parse(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def blocks(data: bytes) -> list[Message]:
    """The blocks of fields in the part for programs: the message's, then one a recipient."""
    part = parse(data).get_payload(1)
    assert isinstance(part, Message)
    found = part.get_payload()
    assert isinstance(found, list)
    return [block for block in found if block.keys()]


def letter(data: bytes) -> str:
    """The part for people."""
    part = parse(data).get_payload(0)
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def test_the_header_of_a_report() -> None:
    """A report names its author, its reader, the message it answers, and that no person wrote it."""
    message = parse(write(envelope(), NO_SUCH_USER))
    assert message["From"] == "Mail Delivery System <mailer-daemon@mail.example.com>"
    assert message["To"] == "anna@example.org"
    assert message["Subject"] == "Not delivered: Report"
    assert message["Date"] == "Sat, 21 Nov 2026 02:15:29 +0000"
    assert message["Message-ID"] == "<2@mail.example.com>"
    assert message["In-Reply-To"] == message["References"] == "<1@example.org>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["MIME-Version"] == "1.0"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"


def test_the_parts_of_a_report() -> None:
    """Three parts, in the order that RFC 6522 wants: for the person, for programs, the original header."""
    parts = parse(write(envelope(), NO_SUCH_USER)).get_payload()
    assert [part.get_content_type() for part in parts] == ["text/plain", "message/delivery-status", "text/rfc822-headers"]
    assert parts[2].get_content() == HEADER.decode()


def test_the_fields_about_the_message() -> None:
    """RFC 3464 §2.2: who reports, when the message came, and by what name we know it."""
    first = blocks(write(envelope(), NO_SUCH_USER))[0]
    assert dict(first) == {
        "Reporting-MTA": "dns; mail.example.com",
        "Arrival-Date": "Sat, 21 Nov 2026 01:15:29 +0000",
        "X-Mailer-Queue-ID": ID,
        "X-Mailer-Sender": "rfc822; anna@example.org",
    }


def test_the_fields_about_a_refused_recipient() -> None:
    """RFC 3464 §2.3: the address, what became of it, and what which host said when."""
    assert dict(blocks(write(envelope(), NO_SUCH_USER))[1]) == {
        "Final-Recipient": "rfc822; bob@example.net",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx1.example.net",
        "Diagnostic-Code": "smtp; 550 5.1.1 no such user",
        "Last-Attempt-Date": "Sat, 21 Nov 2026 02:15:29 +0000",
    }


def test_what_we_noticed_ourselves_is_not_said_to_be_smtp() -> None:
    """A time-out is our observation, not a reply; the type of the diagnostic says so, and nobody is named who would have said it.

    RFC 3464 §2.3.5, §2.3.6.
    """
    block = blocks(write(envelope(), TIMED_OUT, expired=True))[1]
    assert block["Diagnostic-Code"] == "x-mailer; 451 4.4.1 connect timed out"
    assert block["Remote-MTA"] is None
    assert block["Action"] == "failed"
    assert block["Status"] == "4.4.1"


def test_what_we_noticed_later_in_a_session_is_ours_too() -> None:
    """However far it got: the certificate that we do not accept was never a reply of the host."""
    expired = TIMED_OUT._replace(code=454, enhanced="4.7.5", text="TLS: expired", phase="starttls", cause=Cause.TLS)
    block = blocks(write(envelope(), expired, expired=True))[1]
    assert (block["Diagnostic-Code"], block["Remote-MTA"]) == ("x-mailer; 454 4.7.5 TLS: expired", None)
    theirs = expired._replace(text="TLS not available", cause=None)
    assert blocks(write(envelope(), theirs, expired=True))[1]["Diagnostic-Code"] == "smtp; 454 4.7.5 TLS not available"


def test_what_went_wrong_elsewhere_stands_besides() -> None:
    """The letter tells the reason of the address that got furthest, and the others below it."""
    elsewhere = TIMED_OUT._replace(besides="2001:db8::1: no connection: Connection refused")
    assert "Besides: 2001:db8::1: no connection: Connection refused" in " ".join(letter(write(envelope(), elsewhere, expired=True)).split())


def test_nothing_is_said_about_a_host_that_was_never_reached() -> None:
    """Without a host there is no Remote-MTA, and without a reply no Diagnostic-Code."""
    silent = Outcome(0, "expire", "us", 0, "", "", "", NOWHERE)
    block = blocks(write(envelope(), silent, expired=True))[1]
    assert dict(block) == {"Final-Recipient": "rfc822; bob@example.net", "Action": "failed", "Status": "4.4.7"}
    assert "What happened" not in letter(write(envelope(), silent, expired=True))


@pytest.mark.parametrize("enhanced", ["", "5", "5.1", "2.0.0", "5.1.1.1", "5.x.1", "5.1.٣", "5.1.1000"])
def test_a_status_that_is_none_is_replaced(enhanced: str) -> None:
    """What is no RFC 3463 code of a failure does not get into the Status field."""
    refused = NO_SUCH_USER._replace(enhanced=enhanced)
    assert blocks(write(envelope(), refused))[1]["Status"] == "5.0.0"
    assert blocks(write(envelope(), refused._replace(verdict="expire")))[1]["Status"] == "4.4.7"


def test_each_recipient_has_its_block() -> None:
    """A report about several recipients says for each what became of it; others are counted, not named."""
    data = write(envelope("bob@example.net", "eve@example.net", "zoe@example.com"), NO_SUCH_USER, TIMED_OUT._replace(to=2))
    assert [block["Final-Recipient"] for block in blocks(data)[1:]] == ["rfc822; bob@example.net", "rfc822; zoe@example.com"]
    assert "eve@example.net" not in letter(data)
    assert "The other recipient of the message is not part" in letter(data)


@pytest.mark.slow
def test_a_thousand_recipients_do_not_make_a_letter_that_nobody_reads() -> None:
    """The letter writes out a hundred recipients; the part for programs has all."""
    people = [f"user{number}@example.net" for number in range(1000)]
    data = write(envelope(*people), *(NO_SUCH_USER._replace(to=to) for to in range(1000)))
    assert "and 900 more" in letter(data)
    assert len(blocks(data)) == 1001


def test_the_letter_says_what_happened_and_what_to_do() -> None:
    """The sender reads which recipient, the other side's own words, what they mean, and what to do now."""
    text = " ".join(letter(write(envelope(), NO_SUCH_USER)).split())
    assert "could not be delivered to the recipient below. It will not be tried again." in text
    assert "Subject: Report" in text
    assert "<bob@example.net> What happened at mx1.example.net: 550 5.1.1 no such user" in text
    assert "What that means: There is no such mailbox there." in text
    assert "What you can do: Check the address" in text


def test_the_letter_about_an_expired_message() -> None:
    """When time ran out, the letter says so, with the last trouble that was met."""
    data = write(envelope(), TIMED_OUT, expired=True)
    text = " ".join(letter(data).split())
    assert "in the time that it may take" in text
    assert "What this mail system found on the way to mx1.example.net: 451 4.4.1 connect timed out" in text
    assert "did not answer in time. The trouble did not pass" in text
    assert parse(data)["Subject"] == "Not delivered in time: Report"


def test_international_recipients_are_written_in_seven_bits() -> None:
    """RFC 6533 §3: an address beyond ASCII has its own type, and characters that a 7-bit part can carry."""
    data = write(envelope("jörg+a=b@bücher.example"), NO_SUCH_USER)
    assert data.isascii()
    assert blocks(data)[1]["Final-Recipient"] == r"utf-8; j\x{F6}rg\x{2B}a\x{3D}b@b\x{FC}cher.example"
    assert "<jörg+a=b@bücher.example>" in letter(data)


def test_an_international_sender_is_written_as_it_is() -> None:
    """Only the To field of a report to a sender beyond ASCII is not 7-bit; that sender needs SMTPUTF8 anyway."""
    data = write(envelope(sender="jörg@example.org"), NO_SUCH_USER)
    assert "To: <jörg@example.org>\r\n".encode() in data
    assert blocks(data)[0]["X-Mailer-Sender"] == r"utf-8; j\x{F6}rg@example.org"


def test_the_header_beyond_ascii_is_encoded() -> None:
    """Raw 8-bit header lines, which no standard allows there, come back byte for byte."""
    header = b"Subject: Gr\xfc\xdfe\r\nX-Long: " + b"x" * 2000 + b"\r\n"
    data = write(envelope(), NO_SUCH_USER, header=header)
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert parse(data).get_payload(2).get_payload(decode=True) == header


def test_a_huge_header_is_cut_at_a_line() -> None:
    """A report carries at most 64 KiB of the original header."""
    header = b"X: " + b"y" * 90 + b"\r\n"
    returned = parse(write(envelope(), NO_SUCH_USER, header=header * 2000)).get_payload(2).get_content()
    assert len(returned) < 64 * 1024
    assert returned.encode() == header * (returned.count("X:"))


def test_the_whole_message_goes_back_where_it_can() -> None:
    """With the content, part three is the message; one that is not 7-bit may not be encoded, so its header goes alone."""
    whole = parse(write(envelope(), NO_SUCH_USER, content=HEADER + b"\r\nHello\r\n")).get_payload(2)
    assert whole.get_content_type() == "message/rfc822"
    assert whole.get_payload(0).get_content() == "Hello\r\n"
    eight_bit = parse(write(envelope(), NO_SUCH_USER, content=HEADER + b"\r\nGr\xc3\xbc\xc3\x9fe\r\n")).get_payload(2)
    assert eight_bit.get_content_type() == "text/rfc822-headers"


def test_a_boundary_in_the_original_ends_no_part() -> None:
    """A message that holds the line that would end a part gets a report with another one."""
    guessed = f"X: a\r\n--=_{ID}.0--\r\nX: b\r\n".encode()
    data = write(envelope(), NO_SUCH_USER, header=guessed)
    assert len(parse(data).get_payload()) == 3
    assert parse(data).get_boundary() == f"=_{ID}.1"


@pytest.mark.parametrize("message_id", ["", "no brackets", "<a b@c>", "<ä@b>", "<a@b>\r\nBcc: x", "<" + "a" * 2000 + "@b>"])
def test_a_strange_message_id_is_not_answered(message_id: str) -> None:
    """Only what can stand in a References field does."""
    message = parse(write(envelope(message_id=message_id), NO_SUCH_USER))
    assert message["References"] is None
    assert message["Bcc"] is None


def test_an_unreadable_date_is_left_out() -> None:
    """An envelope that somebody else wrote may have no time that we can read; the report does without."""
    strange = envelope()
    strange.created = "yesterday"
    data = write(strange, NO_SUCH_USER)
    assert blocks(data)[0]["Arrival-Date"] is None
    assert "Sent:" not in letter(data)


def test_a_subject_beyond_ascii_is_read_back() -> None:
    """The subject of the report tells which message it is about, in any script."""
    assert parse(write(envelope(subject="Bericht über Äpfel"), NO_SUCH_USER))["Subject"] == "Not delivered: Bericht über Äpfel"
    assert parse(write(envelope(subject=""), NO_SUCH_USER))["Subject"] == "Not delivered: (no subject)"


hostile = st.text(st.sampled_from("a:b-=_? \t\r\n\0\x1b\x7f\x85\u2028\u202eé\U0001f600\ud800") | st.characters(codec=None), max_size=200)


@given(text=hostile, host=hostile, subject=hostile, enhanced=hostile, id=hostile)
def test_nothing_from_outside_leaves_its_place(text: str, host: str, subject: str, enhanced: str, id: str) -> None:
    """Whatever a server or a sender wrote, the report is 7-bit, has its fields once, three parts, and no stray line end."""
    outcome = Outcome(0, "fail", "recipient", 550, enhanced, text, "rcpt", Hop(host, "192.0.2.1", 25), AT)
    data = write(envelope(subject=subject, message_id=id), outcome)
    assert data.isascii()
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    names = list(email.message_from_bytes(data).keys())
    assert [name for name in names if name not in ("In-Reply-To", "References")] == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert len(email.message_from_bytes(data).get_payload()) == 3
    fields = blocks(data)[1].keys()
    assert set(fields) <= {"Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code", "Last-Attempt-Date"}
    assert len(fields) == len(set(fields))
