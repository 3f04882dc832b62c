"""Mechanisms of AUTH on the client's side; `test_scram` has SCRAM."""

from __future__ import annotations

import pytest

from mailer.sasl.client import MECHANISMS, CramMd5, LoginMechanism, OAuthBearer, Plain, XOAuth2, candidates
from mailer.sasl.mechanism import OAUTH, Channel, CredentialError, Mechanism


def test_plain() -> None:
    """PLAIN says all in one message, and once more if the server did not listen."""
    plain = Plain("me", "pässword")
    assert plain.initial() == "\0me\0pässword".encode()
    assert plain.answer(b"") == plain.initial()
    assert plain.answer(b"and now?") is None


def test_login() -> None:
    """LOGIN answers two questions and cancels at the third."""
    login = LoginMechanism("me", "secret")
    assert login.initial() is None
    assert [login.answer(b"Username:"), login.answer(b"whatever"), login.answer(b"more?")] == [b"me", b"secret", None]


def test_cram_md5() -> None:
    """CRAM-MD5 answers the challenge of the standard as the standard does (RFC 2195 §2), and no other after it."""
    cram = CramMd5("tim", "tanstaaftanstaaf")
    assert cram.initial() is None
    assert cram.answer(b"<1896.697170952@postoffice.reston.mci.net>") == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert cram.answer(b"<1@x>") is None
    assert CramMd5("tim", "x").answer(b"") is None


def test_tokens() -> None:
    """A token is shown in one message; to a refusal in JSON both answer what the server waits for."""
    bearer, xoauth2 = OAuthBearer("a=b,c@d.example", "ya29.token"), XOAuth2("a@b.example", "ya29.token")
    assert bearer.initial() == b"n,a=a=3Db=2Cc@d.example,\x01auth=Bearer ya29.token\x01\x01"
    assert xoauth2.initial() == b"user=a@b.example\x01auth=Bearer ya29.token\x01\x01"
    assert (bearer.answer(b""), xoauth2.answer(b"")) == (bearer.initial(), xoauth2.initial())
    assert (bearer.answer(b'{"status":"401"}'), xoauth2.answer(b'{"status":"401"}')) == (b"\x01", b"")


@pytest.mark.parametrize("kind", [kind for kind in MECHANISMS.values() if not kind.certificate])
@pytest.mark.parametrize(("username", "secret"), [("a\0b", "x"), ("a", "x\n"), ("a", ""), ("", "x"), ("a\r", "x"), ("a", "x\u2028")])
def test_control_characters(kind: type[Mechanism], username: str, secret: str) -> None:
    """Credentials that hold a control character, or nothing, are refused without being shown."""
    with pytest.raises(CredentialError) as caught:
        kind(username, secret)
    assert "x" not in str(caught.value).replace("exchange", "")


@pytest.mark.parametrize("kind", MECHANISMS.values())
def test_who_is_acted_as_holds_no_control_character(kind: type[Mechanism]) -> None:
    """It would end one field of a message and begin another."""
    with pytest.raises(CredentialError):
        kind("me", "secret", Channel(authorization="a\0b"))


def test_acting_as_somebody_else() -> None:
    """RFC 4616 §2, RFC 5802 §5.1, RFC 7628 §3.1, RFC 4422 Appendix A; the others cannot say it, and are passed over."""
    acting = Channel("nonce", authorization="a,b")
    said = {kind.name: kind("me", "secret", acting).initial() for kind in candidates(MECHANISMS, binding=False, acts=True)}
    assert said == {"SCRAM-SHA-256": b"n,a=a=2Cb,n=me,r=nonce", "PLAIN": b"a,b\0me\0secret"}
    (bearer,) = candidates(MECHANISMS, "OAUTH", acts=True)
    assert bearer("me", "token", acting).initial() == b"n,a=a=2Cb,\x01auth=Bearer token\x01\x01"
    (external,) = candidates(MECHANISMS, "EXTERNAL", acts=True)
    assert (external("", "", acting).initial(), external("", "").initial()) == (b"a,b", b"")


def names(kinds: list[type[Mechanism]]) -> list[str]:
    """What the mechanisms are called."""
    return [kind.name for kind in kinds]


def test_choice() -> None:
    """The strongest that both sides know comes first; binding counts only where we can bind."""
    passwords = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]
    everything = {*MECHANISMS, "GSSAPI"}
    assert names(candidates(everything, binding=True)) == passwords
    assert names(candidates(everything)) == passwords[1:]
    assert names(candidates(everything, OAUTH)) == ["OAUTHBEARER", "XOAUTH2"]
    assert names(candidates(everything, "LOGIN")) == ["LOGIN"]
    assert names(candidates({"LOGIN", "PLAIN", "GSSAPI"})) == ["PLAIN", "LOGIN"]
    assert candidates({"GSSAPI"}) == candidates({"PLAIN"}, "XOAUTH2") == []
