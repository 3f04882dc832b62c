"""Bodies without their transfer encodings: the same however they come in pieces."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mime.transfer import KNOWN, TransferDecoding, without_encoding


def in_pieces(octets: bytes, encoding: str, size: int) -> bytes:
    decoding = TransferDecoding(encoding)
    return b"".join([*(decoding.fed(octets[at : at + size]) for at in range(0, len(octets), size)), decoding.end()])


@given(st.binary(max_size=300), st.integers(1, 100))
def test_what_was_encoded_comes_back(octets: bytes, size: int) -> None:
    """Octet by octet, in base64 and in quoted-printable."""
    assert in_pieces(base64.encodebytes(octets), "base64", size) == octets
    lines = quopri.encodestring(octets.replace(b"\r", b"").replace(b"\n", b""))
    assert in_pieces(lines, "quoted-printable", size) == octets.replace(b"\r", b"").replace(b"\n", b"")


@given(st.binary(max_size=300), st.integers(1, 100), st.sampled_from(sorted(KNOWN)))
def test_any_octets_are_decoded_alike_in_pieces(octets: bytes, size: int, encoding: str) -> None:
    """Nothing raises, and where a piece ends makes no difference."""
    assert in_pieces(octets, encoding, size) == without_encoding(octets, encoding)


@pytest.mark.parametrize(
    ("encoding", "octets", "found"),
    [
        ("base64", b"aGVs\r\nbG8=\r\n", b"hello"),
        ("base64", b"aGVsbG8", b"hello"),
        ("base64", b"aG*Vs bG-8=aGVs", b"hello"),
        ("base64", b"=", b""),
        ("base64", b"a", b""),
        ("base64", b"AAEC", b"\0\1\2"),
        ("quoted-printable", b"a=\r\nb=3D=00=\n", b"ab=\0"),
        ("quoted-printable", b"a\r\nb =\r\n", b"a\r\nb "),
        ("quoted-printable", b"=ZZ=", b"=ZZ"),
        ("quoted-printable", b"a \t \r\nb=20 \nc \td= \r\ne \t", b"a\r\nb \nc \tde"),
        ("8bit", b"\xff=3D", b"\xff=3D"),
        ("", b"x", b"x"),
    ],
)
def test_what_is_not_quite_right_is_read_as_programs_do(encoding: str, octets: bytes, found: bytes) -> None:
    """RFC 2045 §6.7, §6.8"""
    assert without_encoding(octets, encoding) == found
    assert in_pieces(octets, encoding, 1) == found


def test_a_line_without_end_is_not_gathered() -> None:
    """Quoted-printable that has no lines is decoded as it comes."""
    decoding = TransferDecoding("quoted-printable")
    done = [decoding.fed(b"=41" * 100_000) for _ in range(3)]
    assert b"".join([*done, decoding.end()]) == b"A" * 300_000
    assert all(len(each) > 50_000 for each in done)
