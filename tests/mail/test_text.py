"""What octets that do not say what they are, are taken for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.mail.text import WESTERN, charset_of, human_size, readable
from tests.fakes.chance import examples


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"", "utf-8", ""),
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode("latin-1"), "windows-1252", "Grüße"),
        (b"\x80 5 \x96 \x93a\x94", "windows-1252", "€ 5 – “a”"),
        ("Grüße, ".encode() + b"caf\xe9", "utf-8", "Grüße, café"),
        ("Ü ".encode() + "äöü ß".encode("latin-1"), "windows-1252", "Ãœ äöü ß"),
        (b"\x81\xff", "windows-1252", "\x81ÿ"),
        (b"cut \xe2\x82", "windows-1252", "cut â‚"),
    ],
)
def test_text_is_utf8_or_windows_1252(data: bytes, charset: str, text: str) -> None:
    """By which of the two more of it can be read; an odd octet within UTF-8 is read by itself."""
    assert charset_of(data) == charset
    assert readable(data) == (text, data != text.encode())


@given(st.text())
def test_utf8_is_no_guess(text: str) -> None:
    """It comes out as it went in."""
    assert readable(text.encode()) == (text, False)


@given(st.binary())
def test_no_octet_is_lost(data: bytes) -> None:
    """Whatever it is, it can be written as UTF-8, and what is ASCII stays where it is."""
    text, _ = readable(data)
    assert text.encode().translate(None, bytes(range(128, 256))) == data.translate(None, bytes(range(128, 256)))


@settings(max_examples=examples(30))
@given(
    st.lists(st.sampled_from([b"x" * 65_535, b"\xc3", b"\xbc", b"\xe2\x82", b"\xac", b"\xf0\x9f\x98\x80", b"\xff", b"a"]), max_size=20).map(
        b"".join
    )
)
def test_the_pieces_in_which_a_text_is_looked_at_do_not_matter(text: bytes) -> None:
    """A character may stand on their border."""
    well = text.decode("utf-8", "ignore").encode()
    raw = [sum(octet > 127 for octet in data) for data in (well, text)]
    assert charset_of(text) == ("utf-8" if 2 * raw[0] >= raw[1] else WESTERN)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (9960, "10 KB"),
        (1000, "1.0 KB"),
        (1234, "1.2 KB"),
        (25_000_000, "25 MB"),
        (999_999, "1.0 MB"),
        (5 * 10**12, "5000 GB"),
    ],
)
def test_a_size_is_in_the_units_of_the_configuration(octets: int, words: str) -> None:
    """KB is a thousand bytes."""
    assert human_size(octets) == words
