"""SCRAM: both sides prove that they know the password."""

from __future__ import annotations

import hashlib
from binascii import a2b_base64, b2a_base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.smtp.mechanism import Channel
from mailer.smtp.reply import CommandError
from mailer.smtp.scram import LEAST, MOST, Scram, ScramPlus, keys, prepared
from mailer.smtp.server_auth import AuthExchange, Known

NONCE = "rOprNGfwEbeRWgbNEkqO"
FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_the_example_of_the_standard() -> None:
    """The exchange of RFC 7677 §3, octet by octet."""
    scram = Scram("user", "pencil", Channel(NONCE))
    assert scram.initial() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert not scram.used
    proof = b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert scram.answer(FIRST) == b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," + proof
    assert scram.used
    assert not scram.proved
    assert scram.answer(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=") == b""
    assert scram.proved
    assert scram.answer(b"more") is None


def test_the_keys_of_one_password_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5802 \u00a75.1: however many sessions log in with it, for a server has one salt; another password, salt or count is another."""
    calls: list[int] = []
    real = hashlib.pbkdf2_hmac
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", lambda *given: calls.append(given[3]) or real(*given))
    keys.cache_clear()
    salt = FIRST.replace(b"W22Z", b"AAAA")
    for secret, first in [("once", FIRST)] * 3 + [
        ("twice", FIRST),
        ("once", salt),
        ("once", salt.replace(b"4096", b"4097")),
        ("once", FIRST),
    ]:
        assert b",p=" in (Scram("user", secret, Channel(NONCE)).answer(first) or b"")
    assert calls == [4096, 4096, 4096, 4097]


@pytest.mark.parametrize("final", [b"v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", b"v=", b"v=***", b"x", b"", b"m=1,v=1"])
def test_a_server_that_does_not_know_the_password(final: bytes) -> None:
    """Who cannot sign is not the server that we take it for; it is told nothing more."""
    scram = Scram("user", "pencil", Channel(NONCE))
    scram.answer(FIRST)
    assert scram.answer(final) is None
    assert not scram.proved
    assert scram.trouble


def test_a_proof_that_is_refused() -> None:
    """A server that says what it does not like is given the chance to say so in SMTP."""
    scram = Scram("user", "pencil", Channel(NONCE))
    scram.answer(FIRST)
    assert scram.answer(b"e=invalid-proof") == b""
    assert not scram.proved


@pytest.mark.parametrize(
    "first",
    [
        FIRST.replace(b"rOpr", b"xxxx"),
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096",  # nothing of its own
        FIRST.replace(b"4096", b"%d" % (LEAST - 1)),
        FIRST.replace(b"4096", b"%d" % (MOST + 1)),
        FIRST.replace(b"4096", b"-1"),
        FIRST.replace(b"4096", b"many"),
        FIRST.replace(b"W22Z", b"****"),
        b"m=must," + FIRST,
        FIRST + b",s=W22Z",
        b"garbage",
        b"\xff=\xff",
    ],
)
def test_challenges_that_are_none(first: bytes) -> None:
    """A challenge that is wrong, too cheap or too costly is answered by nobody, and least of all with a proof."""
    scram = Scram("user", "pencil", Channel(NONCE))
    assert scram.answer(first) is None
    assert scram.trouble
    assert not scram.used


def talk(client: Scram, known: Known) -> tuple[bool, str]:
    """Whether the client is content, and the password that the server thinks it has."""
    exchange = AuthExchange(client.name, known)
    answer = client.initial()
    while answer is not None:
        credentials = exchange.respond(b2a_base64(answer, newline=False))
        if credentials is not None:
            return client.proved, credentials.password
        answer = client.answer(a2b_base64(exchange.challenge))
    return client.proved, ""


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), st.text(st.sampled_from("aü=,ñ"), min_size=1, max_size=9))
def test_both_sides_agree(username: str, password: str) -> None:
    """Whatever name and password are, the two sides find each other; with another password neither is content."""
    known = Known({"x": "y", username: password}, lambda: "server")
    assert talk(Scram(username, password, Channel("client")), known) == (True, password)
    assert talk(Scram(username, password + "x", Channel("client")), known) == (False, "")
    assert talk(Scram(username, password, Channel("client", authorization="a,b=c")), known) == (True, password)


@pytest.mark.parametrize(("ours", "theirs", "content"), [(b"cert", b"cert", True), (b"cert", b"other", False)])
def test_binding(ours: bytes, theirs: bytes, content: bool) -> None:
    """With channel binding the certificate that the client sees has to be the one that the server has."""
    client = ScramPlus("me", "secret", Channel("client", ours, True))
    assert talk(client, Known({"me": "secret"}, lambda: "server", theirs))[0] is content


def test_a_binding_that_was_not_offered() -> None:
    """Who could bind and was not offered it says so: a server that did offer it knows then that somebody meddled."""
    assert Scram("me", "x", Channel("n", b"cert", False)).initial() == b"y,,n=me,r=n"
    assert Scram("me", "x", Channel("n", b"cert", True)).initial() == b"n,,n=me,r=n"
    assert Scram("me", "x", Channel("n")).initial() == b"n,,n=me,r=n"


def test_preparation() -> None:
    """What looks alike becomes alike (RFC 4013 §3); what nobody can type is refused."""
    assert [prepared(text) for text in ("I\xadX", "user", "USER", "\u00aa", "\u2168")] == ["IX", "user", "USER", "a", "IX"]
    assert prepared("a\u00a0b") == "a b"
    with pytest.raises(CommandError):
        prepared("a\u200e")


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_server(first: bytes, final: bytes) -> None:
    """Whatever a server says, there is an answer or none; never an error, and never success."""
    scram = Scram("user", "pencil", Channel(NONCE))
    scram.answer(first)
    scram.answer(final)
    assert not scram.proved
