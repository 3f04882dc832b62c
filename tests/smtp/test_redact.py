"""Secrets that a server repeats."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.redact import redacted
from mailer.smtp.reply import Reply


def said(text: str, secret: str = "s3cret pass") -> str:
    """What is left of a reply with `text`."""
    return redacted(Reply(501, "5.5.4", ("first", text)), secret).lines[1]


@pytest.mark.parametrize(
    "echo",
    [
        "s3cret pass",
        b64encode(b"s3cret pass").decode(),
        b64encode(b"\0bob\0s3cret pass").decode(),
        b64encode(b"\0bob\0s3cret pass").decode().rstrip("="),
        b64encode(b"user=bob\x01auth=Bearer s3cret pass\x01\x01").decode(),
    ],
)
def test_a_secret_is_not_repeated(echo: str) -> None:
    """Neither as it is nor in the forms in which AUTH sends it; the rest of the line stays."""
    assert said(f"syntax error in 'AUTH PLAIN {echo}', bob") == "syntax error in 'AUTH PLAIN ***', bob"


def test_other_words_stay() -> None:
    """What is no base 64 of the secret is left alone, and so is everything where there is hardly a secret."""
    assert said("Error: UGFzc3dvcmQ6 authentication failed ====") == "Error: UGFzc3dvcmQ6 authentication failed ===="
    assert said("the letter a", "a") == "the letter a"


@given(st.text(max_size=200), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=30))
def test_whatever_is_said_the_secret_is_not_in_it(text: str, secret: str) -> None:
    """A line that holds the secret anywhere holds it no more."""
    assert secret not in said(text + secret + text, secret).replace("***", "")
