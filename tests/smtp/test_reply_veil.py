"""Secrets that a server repeats."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.smtp.reply import Reply, Veil


def said(text: str, secret: str = "s3cret pass") -> str:
    """What is left of a reply with `text`."""
    return Veil(secret).reply(Reply(501, "5.5.4", ("first", text))).lines[-1]


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


@pytest.mark.parametrize(
    ("secret", "echo", "shown"),
    [
        ("s3cretΣ", "s3cretΣ and more", "*** and more"),
        ("s3cretΣ", "S3CRETΣAND more", "***AND more"),
        ("straße", "STRASSE", "***"),
        ("abcdabcd", "ABCD abcd, abcd", "***, abcd"),
        ("abcdabcd", "abcdabcdabcd", "***"),
    ],
)
def test_capitals_make_no_difference(secret: str, echo: str, shown: str) -> None:
    """Neither where they are longer than small letters, nor where a letter has another form at the end of a word."""
    assert said(f"you said {echo}", secret) == f"you said {shown}"


@pytest.mark.parametrize(
    "lines",
    [
        ("you said s3cr", "et pass"),
        ("you said s3cret", "pass"),
        ("s 3 c r e t", "p a s s"),
        (b64encode(b"\0bob\0s3cret pass").decode()[:10], b64encode(b"\0bob\0s3cret pass").decode()[10:]),
        ("AUTH PLAIN", "AGJvYgBzM2NyZXQg", "cGFzcw=="),
    ],
)
def test_a_secret_over_several_lines_leaves_none_of_them(lines: tuple[str, ...]) -> None:
    """Nobody can tell which part of them is harmless."""
    assert Veil("s3cret pass").reply(Reply(550, "5.7.1", lines)) == Reply(550, "5.7.1", ("***",))


@pytest.mark.parametrize(
    "echo",
    [
        "S3CRET PASS",
        "s3cret%20pass",
        b"s3cret pass".hex(),
        b64encode(b"x" + b"s3cret pass" + b"yy").decode()[:-2],
        b64encode(b"s3cret pass").decode().lower(),
        "x" + b64encode(b"s3cret pass").decode() + "x",
    ],
)
def test_a_secret_in_another_form_is_not_repeated(echo: str) -> None:
    """In capitals, as URLs have it, in hexadecimal, in base 64 within something longer."""
    left = said(f"no such user ({echo})")
    assert echo not in left
    assert "***" in left


def test_the_alphabet_of_urls_is_base_64_too() -> None:
    """RFC 4648 §5."""
    secret = "\u00fe\u00ff???>>>\u00fb\u00ff"
    assert "***" in said(urlsafe_b64encode(secret.encode()).decode(), secret)


def test_what_was_said_in_auth_is_hidden_as_it_was_said() -> None:
    """A digest of CRAM-MD5 lets everybody guess passwords at home."""
    veil = Veil("s3cret pass")
    veil.add(b"AUTH PLAIN\r\n")
    veil.add(b"Ym9iIDEyMzQ1Njc4OTA=\r\n")
    assert veil.text("what is Ym9iIDEyMzQ1Njc4OTA= ?") == "what is ***= ?"
    assert veil.text("AUTH PLAIN is what I know") == "AUTH PLAIN is what I know"


def test_without_a_secret_nothing_is_hidden() -> None:
    """There are sessions without AUTH."""
    reply = Reply(250, "2.0.0", ("ok", "***"))
    assert Veil().reply(reply) is reply
    assert Veil("s3cret pass").reply(reply) is reply
