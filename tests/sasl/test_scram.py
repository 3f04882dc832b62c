"""SCRAM: both sides prove that they know the password."""

from __future__ import annotations

import hashlib
from binascii import a2b_base64, b2a_base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.sasl.exchange import AuthExchange, BadResponse, Known
from mailer.sasl.mechanism import Channel, CredentialError
from mailer.sasl.scram import LEAST, MOST, Scram, ScramKeys, ScramPlus, keys, prepared, proofs

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


KEPT = ScramKeys.of("pencil", b"0123456789abcdef")


def proved(client: Scram, known: Known) -> tuple[bool, bool, str]:
    """Whether the client is content, whether the server is, and whom the client wants to act as."""
    exchange, answer = AuthExchange(client.name, known), client.initial()
    while answer is not None:
        credentials = exchange.respond(b2a_base64(answer, newline=False))
        if credentials is not None:
            assert credentials.password == ""
            return client.proved, credentials.proved, credentials.authorization
        answer = client.answer(a2b_base64(exchange.challenge))
    return client.proved, False, ""


def test_the_keys_of_the_standard() -> None:
    """What is kept of the password of RFC 7677 §3 makes the signature that stands there."""
    kept = ScramKeys.of("pencil", a2b_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    bare, said = b"n=user,r=rOprNGfwEbeRWgbNEkqO", b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    proof = a2b_base64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    signature, stored_key = kept.answer(b",".join([bare, FIRST, said]), proof)
    assert stored_key == kept.stored_key
    assert b2a_base64(signature, newline=False) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert kept.answer(b",".join([bare, FIRST, said]), proof[:-1] + b"x") == (b"", b"")
    assert kept.answer(b"", b"short") == (b"", b"")
    assert "stored_key" not in repr(kept)


def test_a_server_without_passwords() -> None:
    """Who keeps only keys lets in whoever knows the password, and is believed by him."""
    known = Known(nonce=lambda: "server", keys={"me": KEPT}.get, secret=b"s")
    assert proved(Scram("me", "pencil", Channel("client")), known) == (True, True, "")
    assert proved(Scram("me", "pencil", Channel("client", authorization="a,b")), known) == (True, True, "a,b")
    assert proved(Scram("me", "pen", Channel("client")), known) == (False, False, "")
    assert proved(Scram("you", "pencil", Channel("client")), known) == (False, False, "")
    bound = Known(nonce=lambda: "server", binding=b"cert", keys={"me": KEPT}.get)
    assert proved(ScramPlus("me", "pencil", Channel("client", b"cert", True)), bound)[:2] == (True, True)
    assert proved(ScramPlus("me", "pencil", Channel("client", b"other", True)), bound)[:2] == (False, False)


def test_who_is_not_there_is_asked_like_anybody() -> None:
    """A name that is unknown has a salt of its own, the same each time and another one for another name, and as many iterations."""

    def first(username: str, secret: bytes = b"s") -> bytes:
        exchange = AuthExchange("SCRAM-SHA-256", Known(keys={"me": KEPT}.get, secret=secret, iterations=5000))
        exchange.respond(b2a_base64(f"n,,n={username},r=client".encode(), newline=False))
        return a2b_base64(exchange.challenge)

    assert first("you") == first("you")
    assert len({first("me"), first("you"), first("she"), first("you", b"other")}) == 4
    assert first("you").endswith(b",i=5000")
    assert len(first("you")) == len(first("me"))


def test_one_who_was_deceived_about_the_binding() -> None:
    """A client that could bind and heard that we cannot, where we can, is turned away: somebody stands between, RFC 5802 §6."""
    known = Known(nonce=lambda: "server", binding=b"cert", keys={"me": KEPT}.get)
    deceived = Scram("me", "pencil", Channel("client", b"cert", False))
    with pytest.raises(BadResponse):
        proved(deceived, known)
    assert proved(deceived, known.unbound())[:2] == (True, True)


@pytest.mark.parametrize(
    "first", [b"n,x=a,n=me,r=n", b"n,,n=a=2cb,r=n", b"n,a=b=,n=me,r=n", b"q,,n=me,r=n", b"n,,r=n", b"p=tls-unique,,n=me,r=n"]
)
def test_clients_that_make_no_sense(first: bytes) -> None:
    """What is not written as RFC 5802 §7 has it is refused."""
    with pytest.raises(BadResponse):
        AuthExchange("SCRAM-SHA-256", Known(keys={"me": KEPT}.get)).respond(b2a_base64(first, newline=False))


def test_preparation() -> None:
    """What looks alike becomes alike (RFC 4013 §3); what nobody can type is refused."""
    assert [prepared(text) for text in ("I\xadX", "user", "USER", "\u00aa", "\u2168")] == ["IX", "user", "USER", "a", "IX"]
    assert prepared("a\u00a0b") == "a b"
    with pytest.raises(CredentialError):
        prepared("a\u200e")


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_server(first: bytes, final: bytes) -> None:
    """Whatever a server says, there is an answer or none; never an error, and never success."""
    scram = Scram("user", "pencil", Channel(NONCE))
    scram.answer(first)
    scram.answer(final)
    assert not scram.proved


def test_whoever_has_one_of_several_passwords_is_known_by_it() -> None:
    """Their keys are made with the same salt, so that one question is about all of them; any other password proves nothing."""
    salt, signed = b"0123456789abcdef", b"what was said"
    phone, laptop = (ScramKeys.of(password, salt) for password in ("of the phone", "of the laptop"))
    known = ScramKeys(salt, LEAST, phone.stored_key, phone.server_key, ((laptop.stored_key, laptop.server_key),))
    for password, kept in (("of the phone", phone), ("of the laptop", laptop)):
        proof, signature = proofs(password.encode(), salt, LEAST, signed)
        assert known.answer(signed, proof) == (signature, kept.stored_key)
    assert known.answer(signed, proofs(b"of the desk", salt, LEAST, signed)[0]) == (b"", b"")
