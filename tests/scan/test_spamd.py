"""What spamd says is read as far as it is sound: a number is a number, and a torn answer is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.scan.opinion import ScanError
from mailer.scan.spamd import MOST, is_pong, learned, lesson, read, request

HEAD = b"SPAMD/1.1 0 EX_OK\r\n"


def test_a_request_says_how_long_the_message_is() -> None:
    assert request(5) == b"SYMBOLS SPAMC/1.5\r\nContent-length: 5\r\n\r\n"
    assert b"\r\nUser: annSYMBOLS\r\n" in request(0, "CHECK", "ann\r\nSYMBOLS")


def test_an_answer_has_a_score_and_the_names_of_what_was_found() -> None:
    """The number counts, whatever spamd itself calls spam."""
    found = read(HEAD + b"Content-length: 12\r\nSpam: True ; 6.3 / 5.0\r\n\r\nGTUBE,BAYES_99\r\n")
    assert (found.act, found.score, found.reason, found.tests) == ("pass", 6.3, "6.3 of 5", ("GTUBE", "BAYES_99"))
    assert read(HEAD + b"spam: False ; -2 / 5.0\r\n\r\n", "CHECK", 2.0).score == -4.0


@pytest.mark.parametrize(
    "data",
    [
        b"", b"SPAMD/1.1", b"HTTP/1.1 200 OK\r\n\r\n", HEAD, HEAD + b"\r\n", HEAD + b"Spam: True ; 6.3 / 5.0\r\n",
        b"SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n",
        HEAD + b"Spam: True ; nan / 5.0\r\n\r\n", HEAD + b"Spam: True ; inf / 5.0\r\n\r\n", HEAD + b"Spam: True ; x / 5.0\r\n\r\n",
        HEAD + b"Spam: Maybe ; 1 / 5\r\n\r\n", HEAD + b"Spam: True ; 1\r\n\r\n", HEAD + b"Spam: True ; 1e9 / 5\r\n\r\n", b"x" * (MOST + 1),
    ],
)  # fmt: skip
def test_whatever_else_is_no_answer(data: bytes) -> None:
    """Content-length missing is nothing; a wrong one is spamd's own 76."""
    with pytest.raises(ScanError):
        read(data)


@given(st.binary(max_size=120) | st.binary(max_size=60).map(lambda data: HEAD + b"Spam: True ; " + data + b"\r\n\r\n"))
def test_garbage_is_one_kind_of_error(data: bytes) -> None:
    try:
        assert abs(read(data).score) <= 1_000_000
    except ScanError:
        pass


@given(st.integers(0, 60))
def test_a_torn_answer_is_none(at: int) -> None:
    whole = HEAD + b"Spam: False ; 1.0 / 5.0\r\n\r\n"
    if at < len(whole):
        with pytest.raises(ScanError):
            read(whole[:at])


def test_pings_are_answered_by_another_version() -> None:
    assert is_pong(b"SPAMD/1.5 0 PONG\r\n")
    assert not is_pong(b"SPAMD/1.5 76 Bad header line\r\n")


def test_a_lesson_says_what_the_message_is() -> None:
    """What it was before, spamd unlearns by itself."""
    assert lesson(5, "ham") == b"TELL SPAMC/1.5\r\nContent-length: 5\r\nMessage-class: ham\r\nSet: local\r\n\r\n"
    assert learned(HEAD + b"DidSet: local\r\nContent-length: 2\r\n\r\n\r\n")
    assert not learned(HEAD + b"\r\n")


@pytest.mark.parametrize("data", [b"", b"SPAMD/1.1", b"SPAMD/1.1 76 EX_PROTOCOL\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_lesson_that_failed_was_not_learned(data: bytes) -> None:
    """Whatever spamd says instead."""
    with pytest.raises(ScanError):
        learned(data)


def test_a_spamd_that_may_not_learn_says_which_switch_is_missing() -> None:
    """Its own text is long."""
    with pytest.raises(ScanError, match="--allow-tell"):
        learned(b"SPAMD/1.0 69 Service Unavailable: TELL commands are not enabled, set the --allow-tell switch.\r\n")
