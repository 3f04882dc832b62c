"""No message makes reading costly: the time grows with the size, and the memory of a process stays within 64 MB."""

from __future__ import annotations

import base64
import encodings
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.dsn.reading import Report, read
from mailer.mail.text import one_line
from mailer.mime.charset import decoded
from tests.dsn.bombs import BOMBS, HEAD, STATUS
from tests.fakes.chance import examples

ROOT = Path(__file__).parents[2]
MEMORY = 64  # MB of the whole process, the interpreter and the message included
SECONDS = 20.0  # of a processor that others use too; what grows with the square takes hours


def struck(name: str, part: int = 1) -> dict[str, Any]:
    """What it took to read this one."""
    done = subprocess.run([sys.executable, "-m", "tests.dsn.bombs", name, str(part)], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_within_bounds(name: str) -> None:
    """In a process of its own, whose peak is measured."""
    found = struck(name)
    assert found["peak"] <= MEMORY, found
    assert found["seconds"] <= SECONDS, found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["almost boundaries", "recipient blocks", "fields To"])
def test_the_time_grows_with_the_size(name: str) -> None:
    """Four times as much takes not much more than four times as long; eight leaves room for a busy machine."""
    quarter, whole = struck(name, 4), struck(name)
    assert whole["seconds"] <= 8 * quarter["seconds"] + 0.5, (quarter, whole)


@pytest.mark.slow
def test_recipients_that_are_not_read_are_counted() -> None:
    """No recipient disappears without a word."""
    found = struck("recipient blocks")
    assert found["many"] + found["unread"] == 100_000
    assert found["many"] == 10_000


UNKNOWN = "nobody-else-asks-for-it"
"""A character set that nothing else has Python look for."""


@pytest.mark.parametrize("name", ["punycode", "punycode:", "idna-", "idna:", "unicode:escape", UNKNOWN])
def test_what_is_no_character_set_is_not_looked_for(name: str) -> None:
    """However it is written: some of Python's take minutes, and of each that it does not know it remembers the name."""
    octets = b"a-" * 100_000 + rb"\x1b[31m"
    assert decoded(octets, name) == octets.decode()
    assert name != UNKNOWN or not any("nobody" in known.replace("-", "_") for known in encodings._cache)


def test_half_a_pair_is_no_letter() -> None:
    """UTF-7 can say one (RFC 2152), and no file, terminal or database takes it."""
    said = b"Content-Type: text/plain; charset=utf-7\r\n\r\nFinal-Recipient: rfc822; a+2AA-@b.example\r\nAction: failed +2AA-\r\n"
    assert isinstance(read(said), Report)
    assert decoded(b"a+2AA-b", "utf-7") == "a?b"
    assert decoded(b"+2D3eAA-", "utf-7") == "\U0001f600"


@pytest.mark.parametrize("length", [100_000, 300_000])
def test_a_line_without_end_is_no_header(length: int) -> None:
    """Neither of the message nor of the one that came back; what is behind it is not read."""
    line = b"X-Long: " + b"x" * length + b"\r\n"
    assert read(line + b"Subject: x\r\n\r\nx\r\n").recipients == ()
    for encoding, inner in ((b"7bit", line), (b"base64", base64.encodebytes(line).replace(b"\n", b"\r\n"))):
        part = b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + inner
        assert isinstance(read(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part + b"\r\n--b--\r\n"), Report)


PIECES = st.sampled_from([
    b"\r\n", b"\n", b"\r", b"--b", b"--b--",
    b"Content-Type: ", b"message/delivery-status", b"multipart/report; boundary=b", b"text/html", b"message/rfc822",
    b"Final-Recipient: rfc822; ", b"a@b.example", b"<a@b>", b"@", b"Action: failed", b"Status: ",
    b"5.1.1", b"550 ", b"=?utf-8?b?", b"?=", b"\\x{110000}", b"utf-8;",
    b"charset=idna", b"charset=utf-16", b"charset=\"hex\"",
    b"Content-Transfer-Encoding: base64", b"Feedback-Type: abuse", b"Date: Mon, 99 Foo 99999 99:99:99 +9999",
    b"X-Failed-Recipients: ", b"Subject: Undelivered", b"From: MAILER-DAEMON", b"\x00", b"\xff", b"\xe5\xae\x9b", b" ",
    b"\t", b";", b":", b"(", b"<", b">", b"could not be delivered",
])  # fmt: skip


@given(st.lists(st.one_of(PIECES, st.binary(max_size=12)), max_size=40))
@settings(max_examples=examples(300), deadline=None)
def test_any_octets_are_a_report(pieces: list[bytes]) -> None:
    """Nothing raises, and what comes out is on one line and bounded."""
    report = read(b"".join(pieces))
    assert isinstance(report, Report)
    for each in report.recipients:
        for text in (each.address, each.original, each.final, each.diagnostic, each.remote, each.status):
            assert len(text) <= 500
            assert text == one_line(text)  # nothing that a terminal would act on


@given(st.binary(max_size=400))
@settings(max_examples=examples(300), deadline=None)
def test_any_octets_may_stand_for_a_part(body: bytes) -> None:
    """In the part that programs read, too."""
    assert isinstance(read(HEAD + STATUS + body), Report)
