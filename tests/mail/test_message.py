"""Messages as bytes: line ends, header fields, body."""

from __future__ import annotations

import itertools
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail import message
from mailer.mail.message import NEAR, PIECE, Message, is_mixed, is_normal, normalise

SMUGGLING = [
    b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n",
    b"\r\n.\n", b"\r\n.\r",
]  # fmt: skip


@given(st.integers(-3, 3), st.lists(st.sampled_from([b"\r\n", b"x", b"\r", b"\n", b"\0"]), min_size=1, max_size=6), st.booleans())
def test_what_is_normal_is_seen_across_the_pieces_that_are_looked_at(shift: int, parts: list[bytes], ends: bool) -> None:
    """CRLF line ends only, one at the end, no NUL: wherever the border between two pieces is."""
    data = b"x" * (PIECE + shift) + b"".join(parts) + b"y" * 10 + b"\r\n" * ends
    assert is_normal(data) == (ends and not {13, 10, 0} & set(data.replace(b"\r\n", b"")))


@given(st.binary(max_size=400))
def test_a_normalised_message_has_crlf_line_ends_only(data: bytes) -> None:
    """No lone CR, no lone LF, no NUL, and the last line is ended; doing it twice changes nothing."""
    done = normalise(data)
    assert done.endswith(b"\r\n")
    assert b"\r" not in done.replace(b"\r\n", b"")
    assert b"\n" not in done.replace(b"\r\n", b"")
    assert b"\0" not in done
    assert normalise(done) == done


@given(st.binary(max_size=400).filter(lambda data: not {13, 0} & set(data)))
def test_unix_text_keeps_its_lines(data: bytes) -> None:
    """Text without CR and NUL has the same lines after it, whatever else it holds."""
    assert normalise(data).replace(b"\r\n", b"\n").removesuffix(b"\n") == data.removesuffix(b"\n")


@pytest.mark.parametrize("vector", SMUGGLING)
def test_no_vector_of_smtp_smuggling_survives_as_another_line_end(vector: bytes) -> None:
    """Each becomes CRLF or a space; a dot may be alone on its line then, which the client doubles."""
    done = normalise(b"Subject: x\r\n\r\nbody" + vector + b"MAIL FROM:<evil@example.com>\r\n")
    assert b"\r" not in done.replace(b"\r\n", b"")
    assert b"\n" not in done.replace(b"\r\n", b"")


def test_carriage_returns_alone_end_lines_where_nothing_else_does() -> None:
    """As Macs wrote it once; beside other line ends one is no end, and becomes a space."""
    assert normalise(b"To: a@example.net\r\rhello\ryou\r") == b"To: a@example.net\r\n\r\nhello\r\nyou\r\n"
    assert normalise(b"a\rb\n") == b"a b\r\n"


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"x", b"abc"]), max_size=20).map(b"".join), st.integers(1, 7))
def test_a_large_message_is_normalised_as_a_small_one(data: bytes, piece: int) -> None:
    """Piece by piece it becomes the same as at once, wherever the pieces are cut."""
    at_once = normalise(data)
    with patch.object(message, "PIECE", piece):
        assert normalise(data) == at_once


def test_header_and_body_divide_at_the_empty_line() -> None:
    """The fields stand before it, and it belongs to the rest."""
    message = Message.split(b"A: 1\r\nB: 2\r\n\r\nbody\r\n")
    assert message.header == b"A: 1\r\nB: 2\r\n"
    assert message.rest == b"\r\nbody\r\n"


def test_text_without_a_header_is_all_body() -> None:
    """`echo hello | mailer send` sends "hello", not a field called hello."""
    message = Message.split(b"hello\r\nworld: yes\r\n")
    assert message.header == b""
    assert bytes(message) == b"\r\nhello\r\nworld: yes\r\n"


def test_a_line_that_is_no_field_ends_the_header() -> None:
    """What stands after it is body, so it cannot become a field for another reader."""
    message = Message.split(b"A: 1\r\nnot a field\r\nBcc: x@y.example\r\n\r\nbody\r\n")
    assert message.header == b"A: 1\r\n"
    assert message.rest.startswith(b"\r\nnot a field\r\n")


def test_a_message_may_end_within_its_header() -> None:
    """No empty line, no body: still a message."""
    message = Message.split(b"A: 1\r\n")
    assert (message.header, message.rest) == (b"A: 1\r\n", b"")
    assert bytes(message.with_fields("B: 2")) == b"A: 1\r\nB: 2\r\n\r\n"


def test_a_field_is_found_by_name_folded_or_not() -> None:
    """Names do not tell upper from lower case, a fold is no part of the value, the obsolete blank is forgiven."""
    message = Message.split(b"SUBJECT:  folded\r\n over lines\r\nBcc : a@b.example\r\nsubject: second\r\n\r\n")
    assert message.value(b"subject") == "folded over lines"
    assert list(message.values(b"subject")) == ["folded over lines", "second"]
    assert message.value(b"bcc") == "a@b.example"
    assert message.value(b"date") is None


def test_removed_fields_go_whole() -> None:
    """Every Bcc goes, with its folds, and nothing else does."""
    message = Message.split(b"To: a@b.example\r\nbcc: x@y.example,\r\n z@y.example\r\nBCC : q@y.example\r\nSubject: s\r\n\r\nBcc: body\r\n")
    assert bytes(message.without(b"bcc")) == b"To: a@b.example\r\nSubject: s\r\n\r\nBcc: body\r\n"


@given(st.lists(st.sampled_from([b"A: 1", b" fold", b"", b"text", b"B:", b"\tx", b"C : 3", b": no name"]), max_size=8))
def test_splitting_keeps_every_byte_of_the_body_and_reads_the_same_twice(lines: list[bytes]) -> None:
    """The parts put together are the message, but for the empty line that a headerless text gets."""
    data = normalise(b"\n".join(lines))
    message = Message.split(data)
    assert bytes(message).replace(b"\r\n", b"") == data.replace(b"\r\n", b"")
    assert bytes(Message.split(bytes(message))) == bytes(message)
    assert b"".join(field for _, field in message.fields()) == message.header


@pytest.mark.slow
def test_the_cost_of_a_huge_header_is_linear() -> None:
    """A hundred thousand fields are read in a moment."""
    header = b"".join(itertools.repeat(b"X-Field: value\r\n", 100_000))
    assert sum(1 for _ in Message.split(header + b"\r\n").fields()) == 100_000


@pytest.mark.parametrize(
    ("header", "mixed"),
    [
        ("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n", True),
        ("CONTENT-TYPE:\r\n Multipart/MIXED;\r\n boundary=b\r\n", True),
        ("Subject: about multipart/mixed\r\nContent-Type: text/plain\r\n", False),
        ("Content-Type: multipart/alternative; boundary=b\r\n", False),
        ("Subject: x\r\n", False),
        ("", False),
        ("X: " + "y" * NEAR + "\r\nContent-Type: multipart/mixed\r\n", False),
    ],
)
def test_a_message_with_attachments_is_told_by_its_header(header: str, mixed: bool) -> None:
    """Not by what its subject or its text says, nor by more of a header than anybody needs."""
    assert is_mixed(f"{header}\r\nContent-Type: multipart/mixed\r\n".encode()) is mixed


def test_what_is_no_whole_header_is_looked_through_as_it_is() -> None:
    """A header without an end, and nothing at all, are of no kind."""
    assert not is_mixed(b"")
    assert not is_mixed(b"multipart/mixed")
    assert is_mixed(b"Content-Type: multipart/mixed\r\n")
