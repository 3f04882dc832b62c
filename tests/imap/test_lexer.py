"""Tokens of a command: each is taken as RFC 9051 §9 has it, and nothing else is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import STAR, NumberSet
from mailer.imap.lexer import END, LITERAL, Tokens
from mailer.mail.flags import PLAIN, Flag

GOOD: list[tuple[Callable[[Tokens], Any], bytes, Any]] = [
    (Tokens.atom, b"abc", "abc"),
    (Tokens.atom, b"UTF8=ACCEPT", "UTF8=ACCEPT"),
    (Tokens.word, b"Select", "SELECT"),
    (Tokens.label, b"body.peek", "BODY.PEEK"),
    (Tokens.astring, b"a]b", b"a]b"),
    (Tokens.astring, b'"a b"', b"a b"),
    (Tokens.string, rb'"a\"b\\c"', rb'a"b\c'),
    (Tokens.string, b'""', b""),
    (Tokens.nstring, b"nil", None),
    (Tokens.nstring, b'"NIL"', b"NIL"),
    (Tokens.number, b"0", 0),
    (Tokens.number, b"4294967295", 2**32 - 1),
    (Tokens.number64, b"9223372036854775807", 2**63 - 1),
    (Tokens.numbers, b"1:3,7,*:4,5:*", NumberSet(((1, 3), (7, 7), (STAR, 4), (5, STAR)))),
    (Tokens.numbers, b"*", NumberSet(((STAR, STAR),))),
    (Tokens.numbers, b"$", NumberSet(saved=True)),
    (Tokens.folder, b"inBox", "INBOX"),
    (Tokens.folder, b"inbox/x", "INBOX/x"),
    (Tokens.folder, b"Inboxes", "Inboxes"),
    (Tokens.folder, b'"Entw&APw-rfe"', "Entwürfe"),
    (Tokens.folder, b"a&-b", "a&b"),
    (Tokens.folder, b'""', ""),
    (Tokens.folder, b"..", ".."),
    (Tokens.list_pattern, b"%/*", "%/*"),
    (Tokens.list_pattern, b'"&APw-*"', "ü*"),
    (Tokens.flags, b"()", (PLAIN, ())),
    (Tokens.flags, b"(\\Seen \\DELETED $Junk $junk x)", (Flag.SEEN | Flag.DELETED, ("$Junk", "x"))),
    (Tokens.flags, b"\\Flagged work", (Flag.FLAGGED, ("work",))),
    (Tokens.date_time, b'"17-Jul-1996 02:44:25 -0700"', datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC).timestamp()),
    (Tokens.date_time, b'" 1-jan-2026 00:00:00 +0130"', datetime(2025, 12, 31, 22, 30, tzinfo=UTC).timestamp()),
    (Tokens.date, b"1-Feb-1970", 31),
    (Tokens.date, b'"01-Feb-1970"', 31),
]

BAD: list[tuple[Callable[[Tokens], Any], bytes]] = [
    *((Tokens.atom, said) for said in (b"", b"(", b'"a"', b"{", b"\\Seen", b"\xc3\xa4", b"\x7f", b"]", b"*")),
    *((Tokens.astring, said) for said in (b"", b"\xff", b"%", b'"a', b'"a\\b"', b'"\xc3\xa4"', b'"a\0b"', b'"a\rb"', b'"\\')),
    *((Tokens.number, said) for said in (b"", b"-1", b"4294967296", b"9" * 5000, b"x", b"+1")),
    *((Tokens.number64, said) for said in (b"9223372036854775808", b"9" * 64000)),
    *((Tokens.numbers, said) for said in (b"0", b"1:", b":1", b"1,", b",1", b"1:2:3", b"4294967296", b"1**", b"", b"1:0", b"9" * 5000)),
    *((Tokens.folder, said) for said in (b"&AAA-", b"&", b"a&b", b"&AGE-", b"&2AA-", b'"\xc3\xbc"', b"&AAo-", b"&IKk", b"&ICk-")),
    *((Tokens.flags, said) for said in (b"(\\Recent)", b"\\Foo", b"(a", b"(a  b)", b"", b"\\", b"(())")),
    *((Tokens.date_time, said) for said in (
        b'"17-Jul-1996"', b'"31-Feb-2026 00:00:00 +0000"', b'"1-Jan-2026 00:00:00 +0000"', b'"17-Foo-1996 02:44:25 -0700"',
        b'"17-Jul-1996 02:44:61 -0700"')),
    *((Tokens.date, said) for said in (b"32-Jan-2026", b'"1-Jan-2026', b"1-Jan-20266", b"1-Janu-2026", b"1/2/2026", b"29-Feb-2025")),
    *((Tokens.literal, said) for said in (b"", b"{3}", b'"a"')),
]  # fmt: skip


@pytest.mark.parametrize(("method", "said", "value"), GOOD)
def test_a_token_is_taken_and_no_more(method: Callable[[Tokens], Any], said: bytes, value: Any) -> None:
    """At the end, and where an argument or the end of a list follows."""
    for tail in (b"", b" x", b")"):
        tokens = Tokens([said + tail])
        if tail == b" x" and said.startswith(b"\\"):
            continue
        assert method(tokens) == value
        assert tokens.peek() == (tail[0] if tail else END)


@pytest.mark.parametrize(("method", "said"), BAD)
def test_what_is_no_such_token_is_refused_in_a_line(method: Callable[[Tokens], Any], said: bytes) -> None:
    """And the refusal does not say the line again, whatever is in it."""
    with pytest.raises(BadCommand) as refused:
        method(Tokens([said]))
    assert str(refused.value).isprintable()
    assert str(refused.value).isascii()
    assert len(str(refused.value)) < 150


def test_literals_stand_among_text() -> None:
    """They are strings as good as any; a binary one is none, and is told to whoever asks for a literal."""
    tokens = Tokens([b"a ", b"x y", b" ", b"\0", b""], binary=frozenset({3}))
    assert tokens.atom() == "a"
    tokens.space()
    assert tokens.peek() == LITERAL
    assert tokens.astring() == b"x y"
    tokens.space()
    assert tokens.literal() == (b"\0", True)
    tokens.end()


@pytest.mark.parametrize(("octets", "binary"), [(b"a\0b", frozenset[int]()), (b"ab", frozenset({1}))])
def test_a_string_has_no_nul_and_is_not_binary(octets: bytes, binary: frozenset[int]) -> None:
    """RFC 9051 §9, CHAR8; RFC 3516 §4.4 has literal8 for messages alone."""
    with pytest.raises(BadCommand, match="no NUL"):
        Tokens([b"", octets, b""], binary=binary).string()


def test_utf_8_is_taken_where_it_was_enabled() -> None:
    """In quoted strings, and in names, in which & is a sign like others then. RFC 6855 §3"""
    tokens = Tokens(['"ü&AAA-/Entwürfe"'.encode()], utf8=True)
    assert tokens.folder() == "ü&AAA-/Entwürfe"
    for octets in (b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', '"a\u2028"'.encode(), b'"\xc2\x80"', "ü".encode()):
        with pytest.raises(BadCommand):
            Tokens([octets], utf8=True).folder()


def test_a_word_is_not_the_beginning_of_a_longer_one() -> None:
    """BODY is not in BODY.PEEK, and is in BODY[."""
    assert not Tokens([b"BODY.PEEK["]).taken(b"BODY")
    assert Tokens([b"body["]).taken(b"BODY")
    assert not Tokens([b"BOD"]).taken(b"BODY")
    assert not Tokens([b"UIDX"]).taken(b"UID")


def test_a_command_ends_where_it_should() -> None:
    """A literal at the end is something as well."""
    Tokens([b""]).end()
    for parts in ([b" "], [b"", b"", b""], [b"x"]):
        with pytest.raises(BadCommand, match="should end"):
            Tokens(parts).end()


def test_a_line_full_of_anything_is_read_in_no_time() -> None:
    """64 kB of each, whatever method takes it."""
    methods = {method for method, *_ in GOOD} | {Tokens.literal}
    for octets in (b'"', b'"' + rb"\"", b"\\", b"(", b"&", b"1,", b"1:", b"*,", b"9", b"a", b'"a\\', b'"&AAA-', b"x "):
        for method in methods:
            began = time.process_time()
            try:
                method(Tokens([(octets * 65536)[:65536]]))
            except BadCommand:
                pass
            assert time.process_time() - began < 0.2
