"""A session with a server on this machine, and its delivery of one message."""

from __future__ import annotations

from mailer.smtp.transaction import RecipientAnswer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.route import Endpoint, Timeouts
from tests.fakes import waiting
from tests.fakes.script import LoopbackServer

NONE = Requirement("none")
QUICK = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)
CONTENT = b"Subject: x\r\n\r\nhello\r\n"


def endpoint(server: LoopbackServer) -> Endpoint:
    """Where `server` is, without TLS."""
    return Endpoint("mx.example.com", server.port, NONE)


async def opened(server: LoopbackServer, timeouts: Timeouts = QUICK) -> Connection:
    """A session with `server`."""
    return await Connection.open(endpoint(server), "127.0.0.1", timeouts)


def deliver(
    server: LoopbackServer, content: bytes = CONTENT, recipients: tuple[str, ...] = ("bob@example.com",), timeouts: Timeouts = QUICK
) -> list[RecipientAnswer]:
    """The answers of a session with one message."""

    async def run() -> list[RecipientAnswer]:
        async with server:
            connection = await opened(server, timeouts)
            answers = await connection.deliver(Parcel("alice@example.org", recipients, content))
            await connection.close()
            return answers

    return waiting.run(run())
