"""TLS and AUTH at the receiving state machine."""

from __future__ import annotations

from base64 import b64encode

import pytest

from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server import MAX_RESPONSE, ServerSettings, ServerState
from tests.smtp.talk import LOGIN, TRANSACTION, Talk, codes, ready

WELCOME = Reply.own(235, "2.7.0", "welcome")


# -- TLS


def test_what_came_before_the_handshake_does_not_count_after_it() -> None:
    """Law 2: commands behind STARTTLS are thrown away, however they arrive, and the client is a stranger again."""
    for pieces in ([b"STARTTLS\r\n" + TRANSACTION], [b"STARTTLS\r\nMAI", b"L FROM:<a@b.example>\r\n"], [b"STARTTLS\r\n", TRANSACTION]):
        talk = ready(ServerSettings(starttls=True))
        assert codes(talk.say(*pieces)) == [220]
        assert talk.server.state is ServerState.HANDSHAKE
        assert talk.server.discarded == sum(map(len, pieces)) - len(b"STARTTLS\r\n")
        talk.server.secured("TLSv1.3")
        assert talk.server.hello == ""
        assert codes(talk.say(b"MAIL FROM:<a@b.example>\r\n")) == [503]
        assert "STARTTLS" not in talk.say(b"EHLO x\r\n")[-1].lines
        assert codes(talk.say(b"STARTTLS\r\n")) == [503]
        assert codes(talk.say(TRANSACTION)) == [250, 250, 354]


def test_starttls_is_refused_where_it_makes_no_sense() -> None:
    """Not offered, with TLS already, in a transaction, after AUTH, with an argument, before EHLO: refused."""
    assert ready().code(b"STARTTLS\r\n") == 502
    assert ready(ServerSettings(starttls=True), tls="TLSv1.3").code(b"STARTTLS\r\n") == 503
    assert ready(ServerSettings(starttls=True)).code(b"MAIL FROM:<>\r\nSTARTTLS\r\n") == 503
    assert ready(ServerSettings(starttls=True)).code(b"STARTTLS now\r\n") == 501
    assert Talk(ServerSettings(starttls=True)).code(b"STARTTLS\r\n") == 503
    talk = ready(ServerSettings(starttls=True, mechanisms=("PLAIN",), clear_auth=True), {"auth": WELCOME})
    assert codes(talk.say(b"AUTH PLAIN " + b64encode(b"\0u\0p") + b"\r\nSTARTTLS\r\n")) == [235, 503]


def test_a_refused_starttls_changes_nothing() -> None:
    """After a 454 the session goes on in the clear."""
    talk = ready(ServerSettings(starttls=True), {"starttls": Reply.own(454, "4.7.0", "not now")})
    assert codes(talk.say(b"STARTTLS\r\n" + TRANSACTION)) == [454, 250, 250, 354]


def test_mail_may_need_tls_and_authentication_first() -> None:
    """530 until what the service requires has happened."""
    assert ready(ServerSettings(require=frozenset({"tls"}))).code(b"MAIL FROM:<>\r\n") == 530
    assert ready(ServerSettings(require=frozenset({"tls"})), tls="TLSv1.3").code(b"MAIL FROM:<>\r\n") == 250
    assert ready(ServerSettings(require=frozenset({"auth"}))).code(b"MAIL FROM:<>\r\n") == 530


# -- AUTH


@pytest.mark.parametrize(
    "lines",
    [
        [b"AUTH PLAIN " + b64encode(b"\0ann\0secret")],
        [b"auth plain", b64encode(b"\0ann\0secret")],
        [b"AUTH LOGIN", b64encode(b"ann"), b64encode(b"secret")],
        [b"AUTH LOGIN " + b64encode(b"ann"), b64encode(b"secret")],
    ],
)
def test_credentials_are_put_as_a_question(lines: list[bytes]) -> None:
    """PLAIN and LOGIN, with and without an initial response, end in one question, whose repr hides the password."""
    talk = ready(LOGIN, {"auth": WELCOME})
    replies = talk.say(b"".join(line + b"\r\n" for line in lines))
    assert codes(replies) == [334] * (len(lines) - 1) + [235]
    question = talk.asked[-1]
    assert isinstance(question, ask.Auth)
    assert (question.credentials.username, question.credentials.password) == ("ann", "secret")
    assert "secret" not in repr(question)
    assert talk.server.user == "ann"
    assert talk.code(b"AUTH PLAIN AGEAYg==\r\n") == 503
    assert talk.code(b"MAIL FROM:<a@b.example>\r\n") == 250


def test_the_challenges_are_those_that_clients_expect() -> None:
    """LOGIN asks Username: and Password: in base 64, PLAIN asks nothing."""
    assert [reply.text for reply in ready(LOGIN).say(b"AUTH LOGIN\r\n" + b64encode(b"ann") + b"\r\n")] == ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"]
    assert ready(LOGIN).say(b"AUTH PLAIN\r\n") == [Reply(334, "", ("",))]


def test_nobody_gets_in_by_default() -> None:
    """The usual answer to credentials is 535."""
    talk = ready(LOGIN)
    assert talk.code(b"AUTH PLAIN " + b64encode(b"\0ann\0secret") + b"\r\n") == 535
    assert talk.server.user == ""
    assert talk.server.state is ServerState.READY


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (b"AUTH PLAIN\r\n*\r\n", 501),
        (b"AUTH PLAIN\r\n!!!!\r\n", 501),
        (b"AUTH PLAIN =\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"ann") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0\0secret") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0a\r\nb\0secret") + b"\r\n", 501),
        (b"AUTH PLAIN " + b64encode(b"\0\xff\0secret") + b"\r\n", 501),
        (b"AUTH LOGIN\r\n" + b64encode(b"a\nb") + b"\r\n", 501),
        (b"AUTH CRAM-MD5\r\n", 504),
        (b"AUTH\r\n", 504),
        (b"AUTH PLAIN\r\n" + b"x" * (MAX_RESPONSE + 1) + b"\r\n", 500),
    ],
)
def test_a_broken_exchange_is_over(lines: bytes, code: int) -> None:
    """Cancelled, unreadable, too long, or a mechanism that is not there: a 5xx, nobody is let in, commands are read again."""
    talk = ready(LOGIN, {"auth": WELCOME})
    assert talk.code(lines) == code
    assert talk.server.user == ""
    assert talk.code(b"NOOP\r\n") == 250


def test_no_password_is_asked_for_in_the_clear() -> None:
    """Without TLS, and unless the service allows it, AUTH is neither offered nor carried out (538)."""
    talk = Talk(ServerSettings(mechanisms=("PLAIN",)))
    assert "AUTH" not in " ".join(talk.say(b"EHLO x\r\n")[-1].lines)
    assert talk.code(b"AUTH PLAIN\r\n") == 538
    assert "AUTH PLAIN" in Talk(ServerSettings(mechanisms=("PLAIN",)), tls="TLSv1.3").say(b"EHLO x\r\n")[-1].lines
    assert ready().code(b"AUTH PLAIN\r\n") == 502
