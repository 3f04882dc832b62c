"""What clamd says is clean only where it says so plainly; whatever else it says is one kind of error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.scan.clamd import COMMAND, MOST, is_whole, pieces, read
from mailer.scan.opinion import ScanError


def test_a_message_is_sent_in_pieces_with_their_lengths_and_an_end() -> None:
    content = b"x" * 100_000
    sent = b"".join(pieces(content))
    assert sent.startswith(COMMAND)
    rest, found = sent[len(COMMAND) :], b""
    while length := int.from_bytes(rest[:4], "big"):
        found, rest = found + rest[4 : 4 + length], rest[4 + length :]
    assert (found, rest) == (content, bytes(4))
    assert b"".join(pieces(b"")) == COMMAND + bytes(4)


def test_ok_is_clean_and_found_is_a_virus() -> None:
    assert read(b"stream: OK\0").act == "pass"
    found = read(b"stream: Eicar-Local.UNOFFICIAL FOUND\0")
    assert (found.act, found.virus) == ("refuse", "Eicar-Local.UNOFFICIAL")


def test_the_name_of_a_virus_is_a_strangers_text() -> None:
    """Signatures have names of files in them; no control character gets into a reply, and no megabyte."""
    found = read(b"stream: a\r\nb\x1b[2J\xff" + b"x" * 500 + b" FOUND\0")
    assert found.virus.isprintable()
    assert found.virus.isascii()
    assert len(found.virus) <= 200
    assert read(b"stream:  FOUND\0").virus
    assert read(b"stream: FOUND\0").act == "refuse"


def test_a_limit_of_clamd_means_that_it_has_not_looked() -> None:
    found = read(b"INSTREAM size limit exceeded. ERROR\0")
    assert (found.act, found.unscanned, found.reason) == ("pass", "larger than clamd takes", "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"stream: OK",
        b"stream: OKAY\0",
        b"stream: OK FOUN\0",
        b"stream: ok\0",
        b"OK\0",
        b"UNKNOWN COMMAND\0",
        b"\0",
        b"x" * (MOST + 1),
    ],
)
def test_whatever_else_is_no_answer(data: bytes) -> None:
    with pytest.raises(ScanError):
        read(data)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"stream: " + data + b" FOUND\0"))
def test_garbage_is_an_error_or_a_virus_and_never_clean(data: bytes) -> None:
    try:
        found = read(data)
    except ScanError:
        return
    assert found.virus or found.unscanned or data.partition(b"\0")[0].strip() == b"stream: OK"


def test_an_answer_is_whole_at_its_nul() -> None:
    data = b"stream: OK\0"
    assert [is_whole(data[:at]) for at in range(len(data) + 1)] == [False] * len(data) + [True]
