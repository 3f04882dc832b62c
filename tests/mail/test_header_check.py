"""What a stranger's header has to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.header_check import MAX_FIELDS, MAX_HEADER, useless_header
from mailer.mail.message import Message, normalise

GOOD = b"From: ann@example.org\r\nSubject: a\r\n folded\r\n\tfield\r\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD + b"\r\nbody: no field\r\n no field\r\n",
        GOOD,
        b"",
        b"\r\nno header at all\r\n",
        GOOD.replace(b"\r\n", b"\n") + b"\nlines that end in LF\n",
        b"From : ann@example.org\r\n\r\n",
        b"__proto__: x\r\n\r\n",
        b"X: " + b"x" * 900_000 + b"\r\n\r\n" + b"y" * 2_000_000,
        b"X-Blank: x\r\n \r\n\r\nbody\r\n",
        b"Empty:\r\n\r\n",
        b"\r" * 2_000_000,
        b"From: x\rTo: y\r\rlines that end in CR",
        b"Subject: x\n\r\n" + b"\n" * 1_000_000,
    ],
)
def test_sound_headers(content: bytes) -> None:
    """Fields, folded or not, and an empty line or the end behind them: nothing stands against that."""
    assert useless_header(content) == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" From: ann@example.org\r\n\r\n", "begins with a blank"),
        (b"\tx\r\n\r\n", "begins with a blank"),
        (GOOD + b"no field\r\nFrom: bob@example.org\r\n\r\n", "has a line that is no field"),
        (b"From ann Thu Jan  1 00:00:00 1970\r\n" + GOOD, "has a line that is no field"),
        (b"From " + b"x" * 999_000 + b"\r\n" + GOOD, "has a line that is no field"),
        (b"From\r\n : ann@example.org\r\n\r\n", "has a line that is no field"),
        (b"From\n : ann@example.org\n\n", "has a line that is no field"),
        (b"S\xc3\xbcbject: x\r\n\r\n", "has a line that is no field"),
        (b": x\r\n\r\n", "has a line that is no field"),
        (b"X: y\r\n" * (MAX_FIELDS + 1) + b"\r\n", f"has more than {MAX_FIELDS} fields"),
        (b"X: y\r\n" * 100_000 + b"\r\n", "has more than 20000 lines"),
        (b"X: y\r\n" + b" z\r\n" * 30_000 + b"\r\n", "has more than 20000 lines"),
        (b"X: " + b"y" * MAX_HEADER + b"\r\n\r\n", f"has more than {MAX_HEADER} octets"),
        (b"X" * 5_000_000, f"has more than {MAX_HEADER} octets"),
        (b"no field at all", "has a line that is no field"),
    ],
)
def test_useless_headers(content: bytes, reason: str) -> None:
    """What readers read differently, or what is too much of it, is told in words."""
    assert useless_header(content) == reason


def test_the_limits_are_the_callers() -> None:
    """What is too much is for the caller to say."""
    assert useless_header(GOOD + b"\r\n", max_fields=1) == "has more than 1 fields"
    assert useless_header(GOOD + b"\r\n", max_octets=20) == "has more than 20 octets"


lines = st.sampled_from([b"A: x", b"B:", b" folded", b"\t", b"", b"no field", b"From x: y", b"\xe4: x", b":"])


@given(st.lists(lines, max_size=8).map(b"\r\n".join))
def test_what_is_sound_is_read_whole(content: bytes) -> None:
    """The reader of headers finds the end of a sound header where the first empty line is."""
    message = normalise(content)
    if useless_header(content) == "":
        end = 0 if message.startswith(b"\r\n") else message.find(b"\r\n\r\n") + 2
        assert len(Message.split(message).header) == (end if end != 1 else len(message))
