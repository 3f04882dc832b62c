"""What a message holds when it is taken: mended, within its limits, and one message."""

from __future__ import annotations

import email
import email.policy
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.mail.message import normalise
from mailer.mail.problem import Problem
from mailer.submit import Submission, prepare
from tests.fakes.mail import NOW
from tests.mail.test_message import SMUGGLING
from tests.submit.door import WHOLE, Door, fields


def test_what_not_every_server_takes_is_mended(door: Door) -> None:
    """A line too long and an 8-bit subject: encoded, and told."""
    done = door.submit("Subject: grüße\n\n".encode() + b"x" * 2000 + b"\n")
    content = door.spool.content(done.envelope.id)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert fields(content)["subject"] == done.envelope.subject == "grüße"
    assert email.message_from_bytes(content).get_payload(decode=True) == b"x" * 2000 + b"\r\n"
    assert [(change.action, change.what) for change in done.changes][-2:] == [("mended", "Subject"), ("mended", "body")]
    assert done.size == len(content)


def test_strict_refuses_what_needs_mending(tmp_path: Path, door: Door) -> None:
    """65; what is signed is refused too then, and passes otherwise."""
    signed = b"DKIM-Signature: v=1\nSubject: x\n\n" + b"x" * 999
    long = b"\n" + b"x" * 999
    for data in (signed, long, b"Subject: \xff\n\n"):
        problem = Door(tmp_path, strict=True).refused(data)
        assert (problem.kind, "submission.strict" in str(problem)) == ("bad-message", True)
    assert door.content(signed).endswith(b"\r\n\r\n" + b"x" * 999 + b"\r\n")
    for data in (WHOLE, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nü".encode()):
        assert Door(tmp_path, strict=True).submit(data)


def test_a_header_over_the_limit_is_refused(tmp_path: Path) -> None:
    """65, and the limit's name."""
    problem = Door(tmp_path, max_header_size=500).refused(WHOLE.replace(b"Subject: x", b"Subject: " + b"x y " * 100))
    assert (problem.kind, "larger than 500 bytes (submission.max_header_size)" in str(problem)) == ("bad-message", True)


@pytest.mark.slow
def test_a_header_over_the_limit_is_not_read(tmp_path: Path) -> None:
    """Field by field it would take thirty times its memory, before it is refused all the same."""
    data = b"X:\xfc\r\n" * 60_000 + b"To: a@example.com\r\n" * 10_000 + b"\r\nx\r\n"
    door = Door(tmp_path, max_header_size=100_000)
    door.refused(WHOLE, "nobody@")  # what is imported or made once is no memory of the message
    tracemalloc.start()
    try:
        assert "larger than 100000 bytes (submission.max_header_size)" in str(door.refused(data))
        assert tracemalloc.get_traced_memory()[1] < 6 * len(data)
    finally:
        tracemalloc.stop()


def test_preparing_writes_nothing(door: Door) -> None:
    """Neither a spool nor anything in it; what it says is what submission does."""
    prepared = prepare(Submission(WHOLE, recipients=["a@example.com"]), door.settings, NOW)
    assert not Path(door.spool.root).exists()
    assert prepared.content == WHOLE
    assert prepared.changes == []
    assert door.submit(WHOLE, "a@example.com").envelope.recipients == prepared.envelope.recipients


@pytest.mark.parametrize("vector", SMUGGLING)
def test_one_message_never_becomes_two(door: Door, vector: bytes) -> None:
    """Each known vector of SMTP smuggling: one file, CRLF line ends only, no NUL."""
    content = door.content(b"Subject: x\r\n\r\nbody" + vector + b"MAIL FROM:<evil@example.com>\r\n" + vector)
    assert normalise(content) == content
    assert not {b"\r", b"\n"} & set(content.replace(b"\r\n", b"").split())
    assert len(door.spool.ids("queued")) == 1


PIECES = (b"To: a@example.com", b" fold", b"", b"\r", b"x\0", b"From: <", b"Bcc: b@example.com", b"Subject: =?utf-8?b?")
WORDS = ("=?", "?=", "utf-8", "?b?", "?q?", "=?utf-8?b?", "4pyT", "=C3", "us-ascii", "utf-7", "+AAA", "ü", " ", "x*y")
in_one_spool = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_spool
@given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES)).map(b"\n".join))
def test_any_bytes_are_one_complete_message_or_refused(door: Door, data: bytes) -> None:
    """Whatever comes in is in the spool with CRLF line ends, Date, From, Message-ID and no Bcc; or it is a failure with code 65."""
    try:
        content = door.content(data)
    except Problem as problem:
        assert problem.kind == "bad-message"  # noqa: PT017 - either way is right
        return
    assert normalise(content) == content
    names = {line.partition(b":")[0].strip().lower() for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n")}
    assert {b"date", b"from", b"message-id"} <= names
    assert b"bcc" not in names


def test_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    """As it came, or as it would be sent: 65, and the limit's name."""
    door = Door(tmp_path, max_message_size=200)
    for data in (WHOLE + b"x" * 200, WHOLE + b"\n" * 60, b"\n" + b"x" * 150):
        problem = door.refused(data)
        assert (problem.kind, "larger than 200 bytes (submission.max_message_size)" in str(problem)) == ("bad-message", True)
    exact = WHOLE + b"x" * (200 - len(WHOLE) - 2) + b"\r\n"
    assert len(door.content(exact)) == 200


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        (b"plain", "plain"), (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?q?_=E4?=", "Grüße ä"), ("rohes ü".encode(), "rohes ü"),
        (b"\xff\xfe", "ÿþ"),
        (b"folded\n  twice", "folded  twice"), (b"=?utf-8?b?abcde?=", None), (b"=?no-such?q?x?=", None), ("=?ü?q?x?=".encode(), None),
        (b"=?utf-8?q?=ED=A0=80?=", None), (b"=?base64?q?x?=", None), (b"=?utf-16?b?2AA=?=", None), (b"=?idna?q?..?=", None),
        (b"x" * 5000, "x" * 500),
    ],
)  # fmt: skip
def test_the_subject_is_kept_as_its_reader_sees_it(door: Door, subject: bytes, shown: str | None) -> None:
    """Decoded where it can be; what cannot be stops nothing, and no length does."""
    done = door.submit(b"Subject: " + subject + b"\n\n")
    known = door.spool.read(done.envelope.id).envelope.subject
    assert len(known) <= 500
    if shown is not None:
        assert known == shown


@in_one_spool
@given(st.lists(st.sampled_from(WORDS)).map("".join))
def test_no_subject_stops_a_message(door: Door, subject: str) -> None:
    """Encoded words that are none, cut short, or of a kind that nobody knows."""
    door.submit(b"Subject: " + subject.encode() + b"\n\n")


@pytest.mark.slow
def test_a_huge_hostile_subject_costs_a_moment(door: Door) -> None:
    """Half a megabyte of beginnings of encoded words; it is the process's own time, whatever else the machine does."""
    begun = time.process_time()
    door.submit(b"Subject: " + b"=?a?q?" * 90_000 + b"\n\n")
    assert time.process_time() - begun < 2


def test_a_priority_that_is_none_is_refused(door: Door) -> None:
    """Else the spool would hold a file that it cannot read."""
    assert door.refused(WHOLE, priority="urgent").kind == "bad-message"
