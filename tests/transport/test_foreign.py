"""A server that is not ours: aiosmtpd takes what we send."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.net.conftest import NAME, Certificates

TIMEOUTS = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)


class Keeper:
    """Keeps what arrives; refuses addresses at refused.example."""

    def __init__(self) -> None:
        self.kept: list[tuple[str | None, list[str], bytes]] = []

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if address.endswith("@refused.example"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.original_content, bytes)
        self.kept.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 kept"


@asynccontextmanager
async def running(keeper: Keeper, **options: Any) -> AsyncIterator[int]:
    """An aiosmtpd; yields its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keeper, hostname=NAME, loop=loop, **options), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def me(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:
    """One user, one password."""
    return AuthResult(success=(data.login, data.password) == (b"me", b"secret"), handled=False)


def test_mail_arrives() -> None:
    """Messages arrive as they are, in one session, with a refused recipient among the accepted."""
    first = b"Subject: one\r\n\r\n.\r\n..\r\nlast\r\n"
    second = b"Subject: two\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n"

    async def run() -> tuple[list[str], Keeper]:
        keeper = Keeper()
        async with running(keeper) as port:
            connection = await Connection.open(Endpoint(NAME, port, Requirement("none")), "127.0.0.1", TIMEOUTS)
            answers = await connection.deliver(Parcel("alice@example.org", ["bob@example.com", "x@refused.example"], first))
            answers += await connection.deliver(Parcel("", ["bob@example.com"], second))
            await connection.close()
        return [f"{answer.phase} {answer.reply}" for answer in answers], keeper

    answers, keeper = asyncio.run(run())
    assert answers == ["body 250 2.0.0 kept", "rcpt 550 5.1.1 no such user", "body 250 2.0.0 kept"]
    assert keeper.kept == [("alice@example.org", ["bob@example.com"], first), ("<>", ["bob@example.com"], second)]


def test_utf8_arrives() -> None:
    """Addresses and header in UTF-8 arrive where SMTPUTF8 is offered."""
    content = "Subject: grüße\r\n\r\nhello\r\n".encode()

    async def run() -> Keeper:
        keeper = Keeper()
        async with running(keeper, enable_SMTPUTF8=True) as port:
            connection = await Connection.open(Endpoint(NAME, port, Requirement("none")), "127.0.0.1", TIMEOUTS)
            (answer,) = await connection.deliver(Parcel("jürgen@example.org", ["bjørn@example.com"], content))
            assert answer.reply.code == 250
            await connection.close()
        return keeper

    assert asyncio.run(run()).kept == [("jürgen@example.org", ["bjørn@example.com"], content)]


@pytest.mark.parametrize("hidden", [[], ["PLAIN"]])
def test_tls_and_login(hidden: list[str], certificates: Certificates) -> None:
    """We log in to a server that requires TLS and a password, with PLAIN or with LOGIN."""

    async def run() -> Keeper:
        keeper = Keeper()
        options = {"tls_context": certificates.good, "require_starttls": True, "auth_required": True, "authenticator": me}
        async with running(keeper, auth_exclude_mechanism=hidden, **options) as port:
            endpoint = Endpoint(NAME, port, Requirement("starttls", ca_file=certificates.ca_file), Login("me", lambda: "secret"))
            connection = await Connection.open(endpoint, "127.0.0.1", TIMEOUTS)
            assert connection.hop.tls == "TLSv1.3 verified"
            (answer,) = await connection.deliver(Parcel("alice@example.org", ["bob@example.com"], b"Subject: x\r\n\r\n\r\n"))
            assert answer.reply.code == 250
            await connection.close()
        return keeper

    assert len(asyncio.run(run()).kept) == 1


def test_wrong_password(certificates: Certificates) -> None:
    """A wrong password is told as one."""

    async def run() -> SessionError:
        context: ssl.SSLContext = certificates.good
        async with running(Keeper(), tls_context=context, require_starttls=True, authenticator=me) as port:
            endpoint = Endpoint(NAME, port, Requirement("starttls", ca_file=certificates.ca_file), Login("me", lambda: "wrong"))
            with pytest.raises(SessionError) as caught:
                await Connection.open(endpoint, "127.0.0.1", TIMEOUTS)
            return caught.value

    error = asyncio.run(run())
    assert (error.kind, error.phase, error.reply.code, error.reply.enhanced) == ("auth", "auth", 535, "5.7.8")
