"""What a file is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.attachment import CERTAIN, LIKELY, RIFF, TYPES, by_name, kind_of

PNG, PDF, ZIP = b"\x89PNG\r\n\x1a\n....", b"%PDF-1.7 ", b"PK\x03\x04...."


@pytest.mark.parametrize(
    ("name", "data", "type"),
    [
        ("a.PDF", b"", "application/pdf"), ("a.b.png", b"", "image/png"), ("report.docx", ZIP, TYPES["docx"]),
        ("book.epub", ZIP, "application/epub+zip"), ("x.tgz", b"\x1f\x8b", "application/gzip"), ("table.csv", b"a;b\n", "text/csv"),
        ("photo.png", b"\xff\xd8\xff\xe0", "image/jpeg"), ("scan.txt", PDF, "application/pdf"), ("logo", PNG, "image/png"),
        ("archive", ZIP, "application/zip"), ("data.unknown", b"BZh9", "application/x-bzip2"), ("clip", b"....ftypisom", "video/mp4"),
        ("pic", b"RIFF....WEBPVP8 ", "image/webp"), ("odd", b"RIFF....XXXX", "text/plain"),
        ("README", b"Read me.\n", "text/plain"), ("README", "Lies mich: ü\n".encode(), "text/plain"),
        ("core", b"\x7fELF\x02\x01\x01\x00", "application/octet-stream"), ("notes", b"caf\xe9", "application/octet-stream"),
        ("empty", b"", "application/octet-stream"), ("pdf", b"", "application/octet-stream"), (".png", b"", "image/png"),
        ("noending", b"\x00", "application/octet-stream"), ("x.unknown", b"\x00", "application/octet-stream"),
    ],
)  # fmt: skip
def test_by_name_and_by_content(name: str, data: bytes, type: str) -> None:
    """The ending decides, but for octets that nothing else begins with; without one the octets do; what can be read is text."""
    assert kind_of(name, data) == type


def test_the_tables_hold_types() -> None:
    """Small letters, one slash; an ending in small letters, too."""
    for type in [*TYPES.values(), *(type for _, type in (*CERTAIN, *LIKELY)), *RIFF.values()]:
        assert type == type.lower()
        assert type.count("/") == 1
    assert all(ending == ending.lower() for ending in TYPES)


@given(st.text(max_size=20), st.binary(max_size=40))
def test_anything_has_a_type(name: str, data: bytes) -> None:
    """Whatever it is called and holds."""
    assert "/" in kind_of(name, data)
    assert by_name(name) in ("", *TYPES.values())
