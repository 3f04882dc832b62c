"""Every mechanism of AUTH against a server that knows it, over TLS where it has to be."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from mailer.sasl import client as sasl
from mailer.sasl.mechanism import server_end_point
from mailer.sink.server import Sink
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login, Timeouts

NAME = "mx.example.com"
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
USERS = {"me@example.org": "sëcret, really="}
QUICK = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)


class Server:
    """A sink with a certificate, which it knows the binding of."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))
        certificate = authority.issue_cert(NAME)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        self.binding = server_end_point(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode()))
        self.requirement = Requirement("starttls", ca_file=str(directory / "ca.pem"))

    def sink(self, *mechanisms: str, binding: bytes | None = None) -> Sink:
        """One that offers these."""
        users = {"me@example.org": "token"} if mechanisms[0] in ("XOAUTH2", "OAUTHBEARER") else USERS
        return Sink(tls=self.context, users=users, mechanisms=mechanisms, binding=self.binding if binding is None else binding)

    async def session(self, sink: Sink, secret: str, mechanism: str = "") -> str:
        """The user that a message came from; raises `SessionError`."""
        login = Login("me@example.org", lambda: secret, mechanism=mechanism)
        connection = await Connection.open(Endpoint(NAME, sink.port, self.requirement, login), "127.0.0.1", QUICK)
        await connection.deliver(Parcel("me@example.org", ["bob@example.com"], CONTENT))
        await connection.close()
        return sink.messages[-1].user


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Made once."""
    return Server(tmp_path_factory.mktemp("auth"))


@pytest.mark.parametrize("mechanism", [name for name, kind in sasl.MECHANISMS.items() if not kind.certificate])
def test_each(server: Server, mechanism: str) -> None:
    """Each mechanism lets in who knows the secret, and nobody else; the error does not tell it."""
    token = sasl.MECHANISMS[mechanism].token
    wanted, secret = (sasl.OAUTH, "token") if token else ("", USERS["me@example.org"])

    async def run() -> None:
        async with server.sink(mechanism) as sink:
            assert await server.session(sink, secret, wanted) == "me@example.org"
            with pytest.raises(SessionError) as caught:
                await server.session(sink, "wrong-secret", wanted)
            assert (caught.value.kind, caught.value.reply.code) == ("auth", 535)
            assert "wrong-secret" not in str(caught.value)

    asyncio.run(run())


def test_a_binding_that_the_server_does_not_share(server: Server) -> None:
    """A server that cannot bind as we do is logged in to without binding, if it offers that."""

    async def run() -> None:
        async with server.sink("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", binding=b"another certificate") as sink:
            with pytest.raises(SessionError) as caught:  # our proof was sent: it may have been the password
                await server.session(sink, USERS["me@example.org"])
            assert caught.value.reply.code == 535
        async with server.sink("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", binding=b"") as sink:
            assert await server.session(sink, USERS["me@example.org"]) == "me@example.org"

    asyncio.run(run())


def test_who_is_told_of_a_refusal(server: Server) -> None:
    """The source of a secret learns that it was refused, so that it can fetch a new one."""
    told: list[bool] = []

    async def run() -> None:
        async with server.sink("PLAIN") as sink:
            login = Login("me@example.org", lambda: "old", refused=lambda: told.append(True))
            with pytest.raises(SessionError):
                await Connection.open(Endpoint(NAME, sink.port, server.requirement, login), "127.0.0.1", QUICK)

    asyncio.run(run())
    assert told == [True]
