"""METADATA: its commands and its answers."""

from __future__ import annotations

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import GetMetadata, SetMetadata
from mailer.imap.lexer import Tokens
from mailer.imap.metadata import EVERYTHING, covers, metadata_changed, metadata_line, parse_getmetadata, parse_setmetadata


@pytest.mark.parametrize(
    ("said", "command"),
    [
        (b' "" /shared/comment', GetMetadata("", ("/shared/comment",))),
        (b' inbox "/private/comment"', GetMetadata("INBOX", ("/private/comment",))),
        (b" a (/shared/comment /private/comment)", GetMetadata("a", ["/shared/comment", "/private/comment"])),
        (b" (MAXSIZE 1024) a /shared/comment", GetMetadata("a", ("/shared/comment",), 1024)),
        (b" a (MAXSIZE 1024 DEPTH infinity) (/shared)", GetMetadata("a", ["/shared"], 1024, EVERYTHING)),
        (b" (depth 1 maxsize 0) a (/private/filters)", GetMetadata("a", ["/private/filters"], 0, 1)),
    ],
)
def test_what_is_asked_is_read(said: bytes, command: GetMetadata) -> None:
    """RFC 5464 §4.2, with its options before the name of the folder, and behind it."""
    assert parse_getmetadata(Tokens([said]), False) == command


def test_what_is_noted_is_read() -> None:
    """RFC 5464 §4.3: a string, a literal, a binary literal, or NIL."""
    tokens = Tokens(
        [b' a (/private/comment "x" /shared/comment NIL /private/vendor/acme/a ', b"y\r\n", b" /private/vendor/acme/b ", b"\0", b")"],
        binary=frozenset({3}),
    )
    assert parse_setmetadata(tokens, False) == SetMetadata(
        "a",
        [("/private/comment", b"x"), ("/shared/comment", None), ("/private/vendor/acme/a", b"y\r\n"), ("/private/vendor/acme/b", b"\0")],
    )


@pytest.mark.parametrize(
    "entry",
    ["comment", "/comment", "/private", "/private/", "/private//a", "/private/a/", "/private/a*", "/private/%", "/public/a",
     "/private/vendor", "/private/vendor/acme", '"/private/a\x7f"', "/shared/vendor/acme"],
)  # fmt: skip
def test_what_cannot_be_an_entry_is_refused(entry: str) -> None:
    """RFC 5464 §3.2."""
    with pytest.raises(BadCommand, match=r"an entry is called|is expected"):
        parse_setmetadata(Tokens([f" a ({entry} NIL)".encode()]), False)


@pytest.mark.parametrize(
    "said",
    [b"", b" a", b" a ()", b" a (DEPTH 2) /shared/a", b" a (COLOUR 1) /shared/a", b" (MAXSIZE 1) a (DEPTH 1) /shared/a", b" a /shared/a x"],
)
def test_what_no_grammar_has_is_refused(said: bytes) -> None:
    """An option that is not known, too."""
    with pytest.raises(BadCommand):
        parse_getmetadata(Tokens([said]), False)


def test_a_nul_comes_in_a_binary_literal() -> None:
    """RFC 5464 §5: in no other, and too many entries are refused."""
    with pytest.raises(BadCommand, match="binary literal"):
        parse_setmetadata(Tokens([b" a (/private/a ", b"\0", b")"]), False)
    with pytest.raises(BadCommand, match="at most"):
        parse_getmetadata(Tokens([b" a (/private/a" + b" /private/a" * 1000 + b")"]), False)


def test_a_depth_covers_what_is_below() -> None:
    """RFC 5464 §4.2.2, without regard to case."""
    entries = ["/private/A", "/private/a/b", "/private/a/b/c", "/private/ab"]
    assert [[entry for entry in entries if covers("/Private/a", depth, entry)] for depth in (0, 1, EVERYTHING)] == [
        entries[:1],
        entries[:2],
        entries[:3],
    ]


def test_answers_have_the_values() -> None:
    """RFC 5464 §4.4: what has ends of lines as a literal, what has a NUL as a binary one."""
    line = metadata_line("é", [("/private/a", b'"x"'), ("/private/b", None), ("/private/c", b"1\r\n2"), ("/private/d", b"\0")], utf8=False)
    assert line == (
        b'METADATA "&AOk-" ("/private/a" "\\"x\\"" "/private/b" NIL "/private/c" {4}\r\n1\r\n2 "/private/d" ~{1}\r\n\0)'
    )  # fmt: skip
    assert metadata_changed("", ["/shared/comment", "/private/x"], utf8=False) == b'METADATA "" "/shared/comment" "/private/x"'
