"""Text as lines that every mail system takes, read back by the standard library."""

from __future__ import annotations

import email
from base64 import b64decode
from binascii import b2a_qp
from email.header import decode_header, make_header
from quopri import decodestring

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.mail.address import ascii_address
from mailer.mail.message import normalise
from mailer.mail.mime import base64_lines, encoded, field, multipart, part, phrase, quoted, transfer
from tests.fakes.chance import examples

printable_ascii = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=500)
readable = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=300)


@given(printable_ascii)
@example("x" * 75 + "  " + "y" * 75 + "  ")
@example("   " + "x" * 90)
def test_a_field_is_one_field(value: str) -> None:
    """A folded field unfolds to its value, and no line of it is empty or begins another field."""
    written = field("Name", value)
    assert written.endswith("\r\n")
    assert written.replace("\r\n", "") == f"Name: {value}"
    assert all(line.startswith(" ") and line.strip() for line in written.split("\r\n")[1:-1] if value.strip())


def test_a_field_is_folded_at_76() -> None:
    """Lines of a field are short where there are blanks to fold at."""
    assert max(map(len, field("Name", "word " * 100).split("\r\n"))) <= 76


@given(readable)
@example("two  blanks")
@example("=?utf-8?q?not_meant?=")
@example("x" * 3000)
def test_encoded_words_are_read_back(text: str) -> None:
    """Any reader of RFC 2047 sees the text again; no encoded word is above 75 characters and no line above 998."""
    value = encoded(text)
    assert value.isascii()
    assert all(len(word) <= 75 for word in value.split(" ") if word.startswith("=?"))
    assert max(map(len, field("Subject", value).split("\r\n"))) <= 998
    assert str(make_header(decode_header(value))) == text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Anna Lee", "Anna Lee"),
        ("Lee, Anna", '"Lee, Anna"'),
        ('The "A" \\ B', '"The \\"A\\" \\\\ B"'),
        ("anna@example.org", '"anna@example.org"'),
        ("Jörg", "=?utf-8?b?SsO2cmc=?="),
    ],
)
def test_a_display_name_is_quoted_where_it_must_be(name: str, written: str) -> None:
    """Commas and other specials stand in quotes, letters beyond ASCII in encoded words."""
    assert phrase(name) == written


@given(st.binary(max_size=3000) | st.text(max_size=2000).map(str.encode))
@example("日本語のとても長い本文。".encode() * 200)
@example(b"a" * 5000)
def test_a_transfer_encoding_loses_nothing(data: bytes) -> None:
    """Lines of any bytes travel in 7 bits and short lines, and decode to themselves."""
    data = normalise(data)
    encoding, body = transfer(data)
    assert body.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 998
    if encoding == "quoted-printable":
        body = decodestring(body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    elif encoding == "base64":
        body = b64decode(body)
    assert body == data


def test_the_encoding_fits_the_text() -> None:
    """Plain text stays as it is, a few letters cost little, and what is all letters beyond ASCII goes as base64."""
    assert transfer(b"Hello\r\n") == ("7bit", b"Hello\r\n")
    assert transfer("Grüße aus Köln\r\n".encode())[0] == "quoted-printable"
    assert transfer("日本語\r\n".encode())[0] == "base64"


def test_a_boundary_in_a_part_ends_nothing() -> None:
    """Parts that hold the boundary which would be taken get another one."""
    parts = [part("text/plain", b"--=_abc.0\r\n"), part("text/plain", b"--=_abc.1--\r\n")]
    read = email.message_from_bytes(multipart("multipart/mixed", parts, "abc"))
    assert read.get_boundary() == "=_abc.2"
    assert [inner.get_payload() for inner in read.get_payload()] == ["--=_abc.0\r\n", "--=_abc.1--\r\n"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("anna@example.org", "anna@example.org"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("jörg@bücher.example", "jörg@bücher.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@" + "ü" * 80 + ".example", "anna@" + "ü" * 80 + ".example"),
    ],
)
def test_a_domain_becomes_ascii_where_that_helps(text: str, form: str) -> None:
    """A domain beyond ASCII is written in its ASCII form, unless there is none or the rest needs SMTPUTF8 anyway."""
    assert ascii_address(text) == form


@settings(max_examples=examples(30))
@given(
    st.lists(st.sampled_from([b"x" * 99, b"=", b"\xff" * 70_000, b" ", b".", b"\r\n", b"a " * 40_000, b"y" * 65_000]), max_size=8).map(
        b"".join
    )
)
@example(b"\xff" * 28 + b"a " * 40_000)  # a blank ends a piece where its line is full
@example(b"\xff" * 66 + b"a " * 40_000)
def test_text_of_any_length_is_encoded_as_if_at_once(text: bytes) -> None:
    """However long its lines are: the pieces that it is encoded in are not to be seen."""
    whole = b2a_qp(text.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    assert b"".join(quoted(b"before" + text + b"after", 6, 6 + len(text))) == whole
    assert b64decode(b"".join(base64_lines(text, 0, len(text)))) == text
