"""TLS and AUTH at the sink."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

import pytest
import trustme

from mailer.mail.problem import Problem
from mailer.sink import Moods, Received, Sink
from mailer.sink.certificate import context, self_signed
from mailer.sink.server import Refusal
from tests.sink.peer import Peer
from tests.sink.served import GOOD, with_peer, with_sink


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_side(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


@pytest.fixture
def client_side(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


def test_mail_over_starttls(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """After the handshake the session begins anew, and the message knows its TLS version."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 220
        await peer.start_tls(client_side)
        assert await peer.code("MAIL FROM:<>") == 503
        assert "STARTTLS" not in (await peer.say("EHLO again.example"))[0].lines
        assert await peer.send() == GOOD
        assert sink.messages[0].tls == "TLSv1.3"

    with_peer(test, tls=server_side)


def test_commands_smuggled_before_the_handshake_are_not_carried_out(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """Commands in the same segment as STARTTLS are gone after it."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS", "EHLO evil", "MAIL FROM:<evil@b.example>", count=1))[0].code == 220
        await peer.start_tls(client_side)
        assert (await peer.say("NOOP"))[0].code == 250
        assert await peer.code("RCPT TO:<c@d.example>") == 503
        (session,) = sink.sessions
        assert (session.machine.hello, session.machine.sender, session.machine.discarded) == ("", "", 39)

    with_peer(test, tls=server_side)


def test_mail_over_implicit_tls(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> None:
    """The greeting comes after the handshake, and STARTTLS is not offered."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, client_side) as peer:
            assert "STARTTLS" not in (await peer.say("EHLO x"))[0].lines
            assert await peer.send() == GOOD
            assert sink.messages[0].tls == "TLSv1.3"

    with_sink(test, tls=server_side, implicit_tls=True)


def test_tls_that_is_only_offered() -> None:
    """STARTTLS can be offered without being there: it is answered with 454, or on order with a 220 that leads nowhere."""

    async def offered(sink: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 454
        assert await peer.send() == GOOD

    async def promised(_: Sink, peer: Peer) -> None:
        assert (await peer.say("STARTTLS"))[0].code == 220
        assert await peer.gone()

    with_peer(offered, Moods(offer=["STARTTLS"]))
    with_peer(promised, Moods(offer=["STARTTLS"], replies={"starttls": "220 go ahead"}))


def test_a_handshake_that_fails_is_told_and_forgotten(server_side: ssl.SSLContext) -> None:
    """A client that does not like the certificate, or speaks no TLS, is gone and told of."""
    told: list[Received | Refusal] = []

    async def test(sink: Sink) -> None:
        with pytest.raises(ssl.SSLError):
            async with Peer(sink.port, ssl.create_default_context()):
                pass
        async with Peer(sink.port, greeted=False) as peer:
            peer.writer.write(b"EHLO x\r\n")
            await peer.reader.read()
        while sink.sessions:
            await asyncio.sleep(0.01)
        assert [news.phase for news in told if isinstance(news, Refusal)] == ["handshake", "handshake"]

    with_sink(test, tls=server_side, implicit_tls=True, told=told.append)


def test_closing_in_the_middle_of_a_handshake(server_side: ssl.SSLContext) -> None:
    """`close` does not wait for a client that never begins its handshake."""

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, greeted=False) as peer:
            while not sink.sessions:
                await asyncio.sleep(0.01)
            await sink.close()
            assert await peer.gone()

    with_sink(test, tls=server_side, implicit_tls=True)


def plain(user: str, password: str) -> str:
    return "AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()).decode()


def test_authentication() -> None:
    """With users, MAIL needs AUTH; a wrong password or user gets 535, the right one is on the message."""

    async def test(sink: Sink, peer: Peer) -> None:
        assert await peer.code("MAIL FROM:<>") == 530
        assert await peer.code(plain("ann", "wrong")) == 535
        assert await peer.code(plain("bob", "secret")) == 535
        await peer.say("AUTH LOGIN", b64encode(b"bob").decode())
        assert await peer.code("") == 535  # nobody's password is not the empty one
        assert await peer.code(plain("ann", "secret")) == 235
        assert await peer.send() == GOOD
        assert sink.messages[0].user == "ann"

    with_peer(test, users={"ann": "secret"})


def test_authentication_needs_tls_where_there_is_tls(server_side: ssl.SSLContext) -> None:
    """A sink with TLS asks for no password in the clear."""

    async def test(_: Sink, peer: Peer) -> None:
        assert "AUTH" not in " ".join((await peer.say("EHLO x"))[0].lines)
        assert await peer.code(plain("ann", "secret")) == 538

    with_peer(test, tls=server_side, users={"ann": "secret"})


def test_a_certificate_of_its_own_can_be_trusted(tmp_path: Path) -> None:
    """`self_signed` makes a certificate that a client verifies by name, with nothing but that file as its authority."""
    certificate, key = self_signed(str(tmp_path), ["localhost", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=certificate)

    async def test(sink: Sink) -> None:
        async with Peer(sink.port, trusting) as peer:
            assert await peer.code("EHLO x") == 250

    with_sink(test, tls=context(certificate, key), implicit_tls=True)
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file that holds no certificate is a `Problem` that names it."""
    (tmp_path / "cert.pem").write_text("nothing")
    with pytest.raises(Problem, match=r"cert\.pem"):
        context(str(tmp_path / "cert.pem"), "")
