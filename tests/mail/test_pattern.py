"""What an asterisk means, and that nobody can make it mean anything that takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail.pattern import fits

HOSTILE = st.text(alphabet=st.sampled_from(list("aAbB@.*%_\\'\"-;[]?üÜ\u212a\0 \ud800")), max_size=12)


@given(pattern=HOSTILE, text=HOSTILE)
@example("a_b@%", "aXb@anything")
@example("*\\*", "a\\b")
@example("k", "\u212a")
@example("a*a", "a")
@example("ü*ü", "ü")
def test_only_the_asterisk_has_a_meaning(pattern: str, text: str) -> None:
    """A text fits if the expression that says the same does, slowly; the case of letters beyond ASCII is told apart."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert fits(pattern, text) == (re.fullmatch(expression, text, re.IGNORECASE | re.ASCII | re.DOTALL) is not None)
    assert fits(pattern, text.encode(errors="surrogatepass")) == fits(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "fit"),
    [
        ("bob@example.net", "Bob@Example.NET", True),
        ("bob@example.net", "bob@example.net.evil.example", False),
        ("*@example.net", "anybody@example.net", True),
        ("*@example.net", "anybody@sub.example.net", False),
        ("bob*", "bob+tag@example.net", True),
        ("b.b@example.net", "bob@example.net", False),
        ("%", "bob@example.net", False),
        ("", "", True),
        ("*" * 500, "x" * 500, True),
        ("*.example.com", "example.com", False),
        ("email-smtp.*.amazonaws.com", "email-smtp.eu-west-1.amazonaws.com", True),
    ],
)
def test_a_pattern_means_the_whole_text(pattern: str, text: str, fit: bool) -> None:
    """Not a part of it."""
    assert fits(pattern, text) is fit


@pytest.mark.parametrize(
    ("pattern", "text"),
    [("*a" * 500 + "*b", "a" * 1000), ("*a*a*a*a*a*a*a*a*b", "a" * 300), ("*@*.example.com", "@." * 100_000), ("*ab" * 300, "a" * 200_000)],
)
def test_no_pattern_and_no_text_take_long(pattern: str, text: str) -> None:
    """What takes hours where all ways are tried is at its end at once."""
    assert not fits(pattern, text)
