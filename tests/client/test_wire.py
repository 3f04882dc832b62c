"""What the client puts on the wire besides ordinary mail: questions, tests of a connection, hostile bodies, large ones."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

import pytest

from mailer import (
    ErrorKind,
    SmtpConnectionError,
    SmtpProtocolError,
)
from mailer.sink import Moods, Sink
from mailer.smtp import command
from mailer.smtp.reply import CommandError
from tests.client.outcomes import outcome
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang
from tests.smtp.test_data import SMUGGLED, VECTORS

from .letters import SHORT, client, mail


@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", ErrorKind.INVALID_RESPONSE),
        (b"220 x\r\n250 and this\r\n", ErrorKind.UNEXPECTED_RESPONSE),
        (b"354 go ahead\r\n", ErrorKind.UNEXPECTED_RESPONSE),
    ],
)
def test_a_server_that_talks_nonsense(greeting: bytes, kind: ErrorKind) -> None:
    """What is no reply is told from a reply that nobody asked for; neither is worth trying again."""

    async def run() -> None:
        async with Hang(greeting) as server, client(server.port) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.phase, error.retryable) == (kind, "greeting", False)
            assert isinstance(error, SmtpProtocolError)

    waiting.run(run())


def test_a_connection_can_be_tested() -> None:
    """Without mail, as far as mail could be sent; it stays for the first message."""

    async def run() -> None:
        async with Sink(Moods(max_size=12345)) as sink, client(sink.port) as sending:
            info = await sending.test_connection()
            assert (info.host, info.port, info.address, info.tls) == ("127.0.0.1", sink.port, "127.0.0.1", "")
            assert info.banner == "sink.localhost ESMTP"
            assert info.extensions.size == 12345
            assert sending.pool_status().idle == 1
            await sending.send(mail())
            assert len(sink.sessions) == 1
            await sink.close()
            with pytest.raises(SmtpConnectionError):
                await sending.test_connection()

    waiting.run(run())


def test_a_server_can_be_asked() -> None:
    """About an address, or for help: the reply is a value, the connection goes on; nothing that is no question is said."""

    async def run() -> None:
        async with Friendly({b"VRFY": b"252 2.1.5 we shall see\r\n", b"HELP": None}) as server, client(server.port) as sending:
            reply = await sending.ask(command.vrfy("bob"))
            assert (reply.code, reply.enhanced, reply.text) == (252, "2.1.5", "we shall see")
            await sending.send(mail())
            with pytest.raises(CommandError):
                command.vrfy("bob\r\nRSET")
            with pytest.raises(ValueError, match="MAIL is nothing to ask"):
                await sending.ask(command.mail("bob@example.net"))
            assert server.said == [b"EHLO", b"VRFY", b"MAIL", b"RCPT", b"DATA"]
            assert server.sessions == 1
            with pytest.raises(SmtpConnectionError):
                await sending.ask(command.help_())
            assert sending.pool_status().in_use == 0
            await sending.send(mail())

    waiting.run(run())


def test_smuggling() -> None:
    """Whatever stands in a body, and however it was handed in, the server sees one message and one transaction."""

    def made(body: bytes) -> list[Any]:
        standard = EmailMessage()
        standard["From"], standard["To"] = "anna@example.org", "bob@example.net"
        standard.set_payload(body.decode("latin-1"))
        return [b"From: anna@example.org\r\nTo: bob@example.net\r\n\r\n" + body, mail(text=body.decode()), standard]

    async def run() -> None:
        async with Friendly() as server, client(server.port) as sending:
            for vector in VECTORS:
                for message in made(b"hello" + vector + SMUGGLED + vector):
                    server.messages.clear()
                    server.said.clear()
                    await sending.send(message)
                    assert len(server.messages) == 1
                    assert server.said[-3:] == [b"MAIL", b"RCPT", b"DATA"]
                    assert len(server.said) <= 4, "EHLO or nothing came before"

    waiting.run(run())


@pytest.mark.slow
def test_a_large_message() -> None:
    """Ten megabytes with an attachment arrive octet by octet."""

    async def run() -> None:
        data = bytes(range(256)) * 30_000
        async with Sink() as sink, client(sink.port, timeouts=SHORT) as sending:
            email = mail().attach(data, "all.bin")
            await sending.send(email)
            assert sink.messages[0].content.endswith(email.encode().partition(b"\r\n\r\n")[2])

    waiting.run(run())
