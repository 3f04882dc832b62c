"""Text from outside, made fit for a report."""

from __future__ import annotations

from email.header import decode_header, make_header
from quopri import decodestring

from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.text import address, ascii_line, encoded, field, is_plain, one_line, transfer
from mailer.mail.message import normalise

anything = st.text(st.characters(codec=None))  # lone surrogates too


@given(anything)
def test_a_line_is_one_line(text: str) -> None:
    """Whatever came, the result is one printable line of at most 900 characters, and stays what it is."""
    line = one_line(text)
    assert not line or line.isprintable()
    assert len(line) <= 900
    assert one_line(line) == line


def test_what_a_terminal_or_a_header_would_act_on_is_gone() -> None:
    """Line ends, escape sequences, NUL and the signs that turn text around become blanks."""
    assert one_line("a\r\nBcc: x\0\x1b[31m\u202etxt\u2028end\x85") == "a Bcc: x [31m txt end"
    assert ascii_line("Grüße\r\n\x7f") == "Gr??e"


def test_a_long_line_is_cut() -> None:
    """A reply of any length becomes 900 characters, and says that it was longer."""
    assert one_line("x" * 5000) == "x" * 897 + "..."


@given(anything)
def test_a_field_is_one_field(text: str) -> None:
    """A folded field unfolds to its value, has no empty line, and no line that begins another field."""
    value = ascii_line(text)
    written = field("Name", value)
    assert written.endswith("\r\n")
    assert written.replace("\r\n", "") == f"Name: {value}"
    assert all(line.startswith(" ") and line.strip() for line in written.split("\r\n")[1:-1])


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=300))
def test_encoded_words_are_read_back(text: str) -> None:
    """Any reader of RFC 2047 sees the text again, and no encoded word is longer than 75 characters."""
    value = encoded(text)
    assert value.isascii()
    assert all(len(word) <= 75 for word in value.split(" ") if "=?" in word)
    assert str(make_header(decode_header(value))) == text


@given(st.binary(max_size=3000))
def test_a_transfer_encoding_loses_nothing(data: bytes) -> None:
    """Lines of any bytes travel in 7 bits and short lines, and decode to themselves."""
    data = normalise(data)
    encoding, body = transfer(data)
    assert is_plain(body)
    decoded = body if encoding == "7bit" else decodestring(body.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    assert decoded == data


def test_plain_text_stays_readable() -> None:
    """What needs no encoding gets none."""
    assert transfer(b"Hello\r\n") == ("7bit", b"Hello\r\n")


def test_a_domain_becomes_ascii_where_that_helps() -> None:
    """An international domain has an ASCII form; an international local part has none, so its address stays whole."""
    assert address("anna@bücher.example") == "anna@xn--bcher-kva.example"
    assert address("jörg@bücher.example") == "jörg@bücher.example"
    assert address("anna@" + "ü" * 80 + ".example") == "anna@" + "ü" * 80 + ".example"
