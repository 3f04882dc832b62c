"""The canonical forms: what the standard's examples say, and that the fast way comes to the same as the plain one."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dkim.canonical import RelaxedBody, relaxed_body, relaxed_field, simple_body, simple_field


def test_the_example_of_the_standard() -> None:
    """RFC 6376 §3.4.5 has a message and its forms."""
    assert relaxed_field(b"A", b" X\r\n") == b"a:X"
    assert relaxed_field(b"B ", b" Y\t\r\n\tZ  \r\n") == b"b:Y Z"
    assert simple_field(b"A", b" X\r\n") == b"A: X"
    assert simple_field(b"B ", b" Y\t\r\n\tZ  \r\n") == b"B : Y\t\r\n\tZ  "
    body = b" C \r\nD \t E\r\n\r\n\r\n"
    assert relaxed_body(body) == b" C\r\nD E\r\n"
    assert simple_body(body) == b" C \r\nD \t E\r\n"


@pytest.mark.parametrize(
    ("body", "relaxed", "simple"),
    [
        (b"", b"", b"\r\n"),
        (b"\r\n", b"", b"\r\n"),
        (b"\r\n\r\n", b"", b"\r\n"),
        (b" \r\n\t\r\n", b"", b" \r\n\t\r\n"),
        (b"x", b"x\r\n", b"x\r\n"),
        (b"x \t", b"x\r\n", b"x \t\r\n"),
        (b"x\n\r\n", b"x\n\r\n", b"x\n\r\n"),
        (b"\n\r\n\r\n", b"\n\r\n", b"\n\r\n"),
        (b"x\r\r\n", b"x\r\r\n", b"x\r\r\n"),
        (b"a\x0b \x0cb\r\n", b"a\x0b \x0cb\r\n", b"a\x0b \x0cb\r\n"),
    ],
)
def test_edges_of_bodies(body: bytes, relaxed: bytes, simple: bytes) -> None:
    """Empty bodies, blank ends, a CR or LF that ends no line: only spaces and tabs are blanks, only CRLF is a line end."""
    assert relaxed_body(body) == relaxed
    assert simple_body(body) == simple


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"x", b"\x0b"]), max_size=30).map(b"".join))
def test_the_fast_way_is_the_plain_one(body: bytes) -> None:
    """The rules one after the other, as RFC 6376 §3.4.4 lists them, give the same."""
    plain = re.sub(rb"[ \t]+(?=\r\n|\Z)", b"", re.sub(rb"[ \t]+", b" ", body))
    plain = re.sub(rb"(\r\n)+\Z", b"", plain)
    assert relaxed_body(body) == (plain + b"\r\n" if plain else b"")


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r", b"\n", b"x", b" \r\n", b"\r\n\r\n"]), max_size=20))
def test_a_body_in_blocks_is_the_same(blocks: list[bytes]) -> None:
    """Wherever it is cut, but for the middle of a CRLF, and whatever stray CR and LF it has."""
    made: list[bytes] = []
    body = RelaxedBody(made.append)
    for block in blocks:
        body.feed(block)
    body.end()
    assert b"".join(made) == relaxed_body(b"".join(blocks))


@pytest.mark.parametrize("unit", [b" ", b"\t", b"\r\n", b" \r\n", b"\r", b"\n", b"x ", b"\n\r\n"])
def test_no_body_takes_long(unit: bytes) -> None:
    """Whatever a megabyte is made of, its form is made in a moment: nothing grows with the square of the length."""
    body = unit * (1_000_000 // len(unit))
    begin = time.process_time()
    relaxed_body(body)
    simple_body(body)
    relaxed_field(b"x", body)
    assert time.process_time() - begin < 1.0
