"""Submission: whoever brings mail, what lies in the spool is complete."""

from __future__ import annotations

import email
import email.policy
import os
from collections.abc import Callable

import pytest

from mailer.mail.dates import rfc3339
from mailer.spool.files.doorbell import hang, listen
from tests.fakes.mail import NOW
from tests.submit.door import WHOLE, Door, fields


def test_a_whole_message_is_kept_to_the_byte(door: Door) -> None:
    """Nothing is added to what lacks nothing."""
    done = door.submit(WHOLE)
    assert door.spool.content(done.envelope.id) == WHOLE
    assert done.size == len(WHOLE)
    assert not done.repeat


def test_the_envelope_says_who_what_and_when(door: Door) -> None:
    """What is in the spool is what is returned."""
    done = door.submit(WHOLE, "a@example.com", "b@example.com", sender="s@example.com", priority="high")
    read = door.spool.read(done.envelope.id).envelope
    assert read.to_line() == done.envelope.to_line()
    assert (read.sender, read.message_id, read.subject, read.priority) == ("s@example.com", "<1@example.com>", "x", "high")
    assert [(person.address, person.type) for person in read.recipients] == [("a@example.com", "to"), ("b@example.com", "to")]
    assert read.created == rfc3339(NOW)
    assert read.submitter == {"uid": os.getuid(), "principal": f"unix:{os.getuid()}"}


def test_a_daemon_that_listens_hears_of_it(door: Door) -> None:
    """The bell rings after the message is there."""
    assert not door.submit().heard
    with hang(door.spool.root) as bell:
        done = door.submit()
        assert done.heard
        assert listen(bell) == [done.envelope.id]


# What is added


def test_what_the_standard_demands_is_added_once(door: Door) -> None:
    """RFC 5322 §3.6: Date and From; a Message-ID too, below what was there, and nothing that was there changes."""
    content = door.content(b"Subject: x\n\nhello\n", sender="s@example.com")
    added = fields(content)
    assert content.startswith(b"Subject: x\r\n")
    assert content.endswith(b"\r\n\r\nhello\r\n")
    assert sorted(added) == ["date", "from", "message-id", "subject"]
    assert added["from"] == "s@example.com"
    assert added["message-id"].endswith("@host.example>")
    assert email.utils.parsedate_to_datetime(added["date"]).timestamp() == NOW
    assert door.content(content) == content


def test_the_date_is_written_in_the_zone_of_this_machine(door: Door, zone: Callable[[str], None]) -> None:
    """People read it."""
    zone("Asia/Kolkata")
    assert fields(door.content(b"\n"))["date"] == "Fri, 15 Jan 2027 13:30:00 +0530"


@pytest.mark.parametrize(
    ("data", "header", "body"),
    [
        (b"", "", ""), (b"hello", "", "hello\r\n"), (b"hello\n", "", "hello\r\n"), (b"\nhello", "", "hello\r\n"), (b"a: b", "a: b", ""),
        (b"hello\nTo: x\n", "", "hello\r\nTo: x\r\n"), (b"From me Sat Nov 21\nSubject: x\n\nb", "Subject: x", "b\r\n"), (b"From ", "", ""),
        (b">From x\nFrom y\nSubject: x\n\n>From z\n", "Subject: x", ">From z\r\n"),
        (b" x\nSubject: x\n\nb", "", " x\r\nSubject: x\r\n\r\nb\r\n"),
    ],
)  # fmt: skip
def test_anything_becomes_a_message(door: Door, data: bytes, header: str, body: str) -> None:
    """Nothing at all, a line of text, a header alone, what a mailbox put in front of it."""
    content = door.content(data).decode()
    top, _, rest = content.partition("\r\n\r\n")
    assert rest == body
    assert top.startswith(header)
    assert {"date", "from", "message-id"} <= set(fields(content.encode()))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Anna", '"Anna" <s@example.com>'), ('A "B" \\C', '"A \\"B\\" \\\\C" <s@example.com>'),
        ("a\r\nBcc: x@example.com", '"a Bcc: x@example.com" <s@example.com>'),
        ("\x00\x1b", "s@example.com"), ("Ärger, GmbH", "=?utf-8?b?w4RyZ2VyLCBHbWJI?= <s@example.com>"),
    ],
)  # fmt: skip
def test_a_full_name_stands_in_the_field_that_is_added(door: Door, name: str, written: str) -> None:
    """Quoted, or encoded where it is not ASCII; never a second field."""
    content = door.content(b"\n", sender="s@example.com", full_name=name)
    assert f"From: {written}\r\n".encode() in content
    assert b"bcc:" not in content.lower().replace(b'"a bcc:', b"")


# What it holds


def test_what_is_asked_of_those_who_carry_it_is_kept(door: Door) -> None:
    """The words of DSN lie in the envelope, where delivery finds them."""
    asked = {"ret": "HDRS", "envid": "q+1", "notify": "DELAY,FAILURE"}
    assert dict(door.submit(options=asked).envelope.options) == asked
    assert door.spool.read(door.spool.ids("queued")[0]).envelope.options == asked


@pytest.mark.parametrize("asked", [{"ret": "SOME"}, {"envid": "a\r\nb"}, {"envid": "x" * 101}, {"notify": "NEVER,DELAY"}, {"notify": 1}])
def test_what_cannot_be_asked_is_refused(door: Door, asked: dict[str, object]) -> None:
    """Else the daemon would find it out with nobody there to tell."""
    assert door.refused(options=asked).kind == "bad-message"
