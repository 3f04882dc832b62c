"""Strings, ENVELOPE and BODYSTRUCTURE as IMAP writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.bodystructure import bodystructure
from mailer.imap.strings import LONGEST_QUOTED, nstring, ntext, string
from mailer.mime.rendered import render
from mailer.mime.tree import parsed

from .letters import letter
from .trees import value


@pytest.mark.parametrize(
    ("octets", "written"),
    [
        (b"", b'""'),
        (b'a "b" \\', b'"a \\"b\\" \\\\"'),
        (b"a\r\nb", b"{4}\r\na\r\nb"),
        (b"\xc3\xbc", b"{2}\r\n\xc3\xbc"),
        (b"a\0b", b"{3}\r\na b"),
        (b"NIL", b'"NIL"'),
        (b"x" * (LONGEST_QUOTED + 1), b"{1001}\r\n" + b"x" * 1001),
    ],
)
def test_a_string_is_quoted_or_a_literal(octets: bytes, written: bytes) -> None:
    """RFC 9051 §4.3: quoted where it is short and plain, and no NUL in either."""
    assert string(octets) == written


def test_none_is_nil() -> None:
    """And no text is not the empty one."""
    assert nstring(None) == ntext(None) == b"NIL"
    assert nstring(b"") == ntext("") == b'""'


@given(st.binary(max_size=200))
def test_a_string_is_read_as_it_was_written(octets: bytes) -> None:
    """Whatever is in it, but NUL."""
    assert value(string(octets)) == octets.replace(b"\0", b" ")


FROM = b'(("Anna" NIL "anna" "example.org"))'


@pytest.mark.parametrize(
    ("header", "written"),
    [
        (b"", b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"From: Anna <anna@example.org>\r\n", b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (FROM, FROM, FROM)),
        (b"From: Anna <anna@example.org>\r\nSender: \r\nReply-To: <b@x>\r\n",
         b'(NIL NIL %b %b ((NIL NIL "b" "x")) NIL NIL NIL NIL NIL)' % (FROM, FROM)),
        (b"To: a@x\r\nTo: b@x\r\n", b'(NIL NIL NIL NIL NIL ((NIL NIL "a" "x")(NIL NIL "b" "x")) NIL NIL NIL NIL)'),
        (b"Cc: g: a@x, b@x;\r\n",
         b'(NIL NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)(NIL NIL "a" "x")(NIL NIL "b" "x")(NIL NIL NIL NIL)) NIL NIL NIL)'),
        (b"Bcc: nobody:;\r\n", b'(NIL NIL NIL NIL NIL NIL NIL ((NIL NIL "nobody" NIL)(NIL NIL NIL NIL)) NIL NIL)'),
        (b'To: "a b"@x, c\r\n', b'(NIL NIL NIL NIL NIL ((NIL NIL "a b" "x")(NIL NIL "c" "")) NIL NIL NIL NIL)'),
        (b'To: ""@x\r\n', b'(NIL NIL NIL NIL NIL ((NIL NIL "" "x")) NIL NIL NIL NIL)'),
        (b"Date: today\r\nSubject:\r\nIn-Reply-To: <1>\r\n <2>\r\nMessage-ID: <3>\r\n",
         b'("today" "" NIL NIL NIL NIL NIL NIL "<1> <2>" "<3>")'),
        (b"Subject: \xfc\r\n", b"(NIL {1}\r\n\xfc NIL NIL NIL NIL NIL NIL NIL NIL)"),
        (b"Subject: =?utf-8?q?=C3=BC?=\r\n", b'(NIL "=?utf-8?q?=C3=BC?=" NIL NIL NIL NIL NIL NIL NIL NIL)'),
    ],
)  # fmt: skip
def test_an_envelope(header: bytes, written: bytes) -> None:
    """RFC 9051 §7.5.2: what is absent is NIL, what is empty is empty; Sender and Reply-To are From where they are not there."""
    assert render(header + b"\r\n").envelope == written


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (b"\r\na\r\nb", b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL)'),
        (b"Content-Type: a/b\r\n\r\nx", b'("a" "b" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL)'),
        (b"Content-Type: multipart/mixed; boundary=b\r\nContent-Language: de\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n",
         b'(("a" "b" NIL NIL NIL "7bit" 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL ("de") NIL)'),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\nx",
         b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)'),
        (b"Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nx",
         b'("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "a" NIL NIL NIL NIL NIL NIL NIL NIL) %b 2 NIL NIL NIL NIL)'
         % b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)'),
        (b"Content-Type: a/b; name*0*=utf-8''%C3%BC; name*1=x\r\n\r\n",
         b'("a" "b" ("name*" "utf-8\'\'%C3%BCx") NIL NIL "7bit" 0 NIL NIL NIL NIL)'),
    ],
)  # fmt: skip
def test_a_structure(content: bytes, written: bytes) -> None:
    """RFC 9051 §7.5.2, with the pieces of parameters in one (RFC 2231 §6)."""
    assert render(content).structure == written


@given(seed=st.integers(0, 100_000))
def test_without_extensions_it_says_the_same(seed: int) -> None:
    """BODY is BODYSTRUCTURE less its extension data, and both are well formed, for messages of all shapes."""
    content = letter(seed)
    root = parsed(content)
    assert isinstance(value(bodystructure(content, root)), list)
    assert isinstance(value(bodystructure(content, root, extended=False)), list)
