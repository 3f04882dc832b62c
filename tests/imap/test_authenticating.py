"""AUTHENTICATE with each mechanism, against the client's side of the same: RFC 9051 §6.2.2, RFC 4959."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

import pytest

from mailer.imap import questions as ask
from mailer.imap.answer import Answer
from mailer.imap.server import ImapServer, ImapSettings, ImapState
from mailer.sasl import client
from mailer.sasl.exchange import Known
from mailer.sasl.mechanism import Channel, Mechanism
from mailer.sasl.scram import Scram, ScramPlus

BINDING = b"b" * 32
KNOWN = Known({"ann": "secret"}, nonce=lambda: "server-nonce", binding=BINDING)
ALL = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2")
MECHANISMS: tuple[type[Mechanism], ...] = (
    ScramPlus, Scram, client.Plain, client.LoginMechanism, client.CramMd5, client.OAuthBearer, client.XOAuth2,
)  # fmt: skip


def server(**more: object) -> ImapServer:
    machine = ImapServer(ImapSettings(mechanisms=ALL, known=KNOWN, **more), "TLSv1.3")  # type: ignore[arg-type]
    machine.next()
    machine.answer()
    machine.take()
    return machine


def exchanged(machine: ImapServer, mechanism: Mechanism, *, initial: bool) -> ask.ImapAuth | None:
    """The question that the whole exchange leads to."""
    first = mechanism.initial() if initial else None
    word = b"" if first is None else b" =" if not first else b" " + b2a_base64(first, newline=False)
    machine.feed(b"a AUTHENTICATE " + mechanism.name.encode() + word + b"\r\n")
    for _ in range(5):
        if (question := machine.next()) is not None:
            assert isinstance(question, ask.ImapAuth)
            return question
        said = machine.take()
        if not said.startswith(b"+ "):
            return None
        response = mechanism.answer(a2b_base64(said[2:-2]))
        machine.feed(b"*\r\n" if response is None else b2a_base64(response, newline=False) + b"\r\n")
    return None


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("kind", MECHANISMS, ids=lambda kind: kind.name)
def test_each_mechanism_brings_its_credentials(kind: type[Mechanism], initial: bool) -> None:
    """With a first response and without; those in which no password travels have proved it."""
    mechanism = kind("ann", "secret", Channel(nonce="client-nonce", binding=BINDING, bindings=frozenset({"tls-server-end-point"})))
    machine = server()
    question = exchanged(machine, mechanism, initial=initial)
    assert question is not None
    assert question.credentials.username == "ann"
    assert question.credentials.proved is not mechanism.clear
    assert question.credentials.password == "secret"
    machine.answer(Answer("OK", "welcome"))
    assert machine.state is ImapState.AUTHENTICATED
    assert machine.take().startswith(b"a OK [CAPABILITY ")


@pytest.mark.parametrize("kind", [ScramPlus, Scram, client.CramMd5], ids=lambda kind: kind.name)
def test_a_wrong_password_proves_nothing(kind: type[Mechanism]) -> None:
    """And whoever has none is asked the same questions."""
    for user in ("ann", "nobody"):
        mechanism = kind(user, "wrong", Channel(nonce="client-nonce", binding=BINDING, bindings=frozenset({"tls-server-end-point"})))
        question = exchanged(server(), mechanism, initial=True)
        assert question is None or not question.credentials.proved


def test_what_is_told_is_what_can_be_used() -> None:
    """Without TLS nothing is; without a certificate that we know, nothing that binds to it."""
    told = server().capabilities
    assert {f"AUTH={name}" for name in ALL} <= {*told}
    unbound = ImapSettings(mechanisms=ALL, known=KNOWN.unbound())
    assert "AUTH=SCRAM-SHA-256-PLUS" not in unbound.told(tls=True, user=False)
    assert "AUTH=SCRAM-SHA-256-PLUS" not in ImapSettings(mechanisms=ALL, known=KNOWN, clear_auth=True).told(tls=False, user=False)
    assert not any(word.startswith("AUTH=") for word in ImapSettings(mechanisms=ALL).told(tls=False, user=False))
    assert not any(word.startswith("AUTH=") for word in server().settings.told(tls=True, user=True))


def test_the_password_is_in_no_text_of_a_question() -> None:
    """Whoever logs one does not log it."""
    question = exchanged(server(), client.Plain("ann", "secret"), initial=True)
    assert question is not None
    assert "secret" not in repr(question)
    assert "ann" not in repr(question)


def test_a_mechanism_that_begins_with_a_question_takes_no_first_response() -> None:
    """RFC 9051 §6.2.2. LOGIN is in no standard, and some clients say the name at once."""
    machine = server()
    machine.feed(b"a AUTHENTICATE CRAM-MD5 YW5uIDEyMzQ=\r\nb AUTHENTICATE LOGIN YW5u\r\nc2VjcmV0\r\n")
    question = machine.next()
    assert isinstance(question, ask.ImapAuth)
    assert (question.credentials.username, question.credentials.password) == ("ann", "secret")
    assert machine.take().startswith(b"a BAD ")
