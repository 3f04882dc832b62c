"""What ``body`` is true of: text as people read it, the content of parts, and all of it as it came. RFC 5173"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from .cases import ALL
from .letters import letter, story
from .pigeonhole import Pigeonhole, Story, needs_pigeonhole

PARTS = """pre
--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9 soft=
break
--x
Content-Type: text/html

<p>marked <b>bold</b> &amp; so</p>
--x
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

aGVsbG8gYmluYXJ5
--x
Content-Type: message/rfc822

Subject: inner

innermost
--x--
post
"""
KIND = 'Content-Type: multipart/mixed; boundary="x"'
MAIL = letter("From: a@b.example", "MIME-Version: 1.0", KIND, body=PARTS.replace("\n", "\r\n"))
TESTS = {
    'body :contains "café"': True,
    'body :is "café softbreak"': True,
    'body :contains "& so"': True,
    'body :contains "<b>"': False,
    'body :contains "hello binary"': False,
    'body :contains "innermost"': True,
    'body :contains "pre"': False,
    'body :count "eq" :comparator "i;ascii-numeric" "3"': True,
    'body :content "text/html" :contains "<b>"': True,
    'body :content "text" :contains "<b>"': True,
    'body :content "text/html" :contains "café"': False,
    'body :content "application" :contains "hello binary"': True,
    'body :content "APPLICATION/Octet-Stream" :contains "hello binary"': True,
    'body :content "" :contains "hello binary"': True,
    'body :content "text/plain" :matches "caf*k"': True,
    'body :content ["image", "audio/ogg"] :contains ""': False,
    'body :raw :contains "=E9"': True,
    'body :raw :contains "café"': False,
    'body :raw :contains "--x--"': True,
    'body :raw :count "eq" :comparator "i;ascii-numeric" "1"': True,
}
OTHERWISE = {
    'body :content "multipart" :contains "pre"': "what is beside the parts nobody reads",
    'body :content "message/rfc822" :contains "inner"': "a message within is its parts",
}
"""What is true there and not here."""

DONE: dict[bool, Story] = {True: [("discard",)], False: [("file", "INBOX", (), False)]}


@pytest.mark.parametrize("test", TESTS)
def test_what_it_is_true_of(test: str) -> None:
    """Text has no markup and no encoding; content has its markup; what is raw has all."""
    assert story(f"{ALL}if {test} {{ discard; }}", MAIL) == DONE[TESTS[test]]


@needs_pigeonhole
def test_it_is_so_there() -> None:
    """But for what is in parts that are no leaves."""
    with tempfile.TemporaryDirectory() as home:
        pigeonhole = Pigeonhole(Path(home))
        found = {test: pigeonhole.ask(f"{ALL}if {test} {{ discard; }}", MAIL) == DONE[True] for test in (*TESTS, *OTHERWISE)}
    assert found == {**TESTS, **dict.fromkeys(OTHERWISE, True)}
    assert all(story(f"{ALL}if {test} {{ discard; }}", MAIL) == DONE[False] for test in OTHERWISE)
