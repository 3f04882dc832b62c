"""The client and servers that cannot be reached, or break off."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from mailer import (
    ErrorKind,
    SmtpClient,
    SmtpConnectionError,
    SmtpTimeoutError,
)
from mailer.sink import Sink
from mailer.transport.route import Timeouts
from tests.client.outcomes import outcome
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang
from tests.fakes.sockets import closed_port

from .letters import ONCE, client, mail


def test_nobody_listens() -> None:
    """A refused connection has its kind, its phase, and is worth another try."""

    async def run() -> None:
        async with client(closed_port()) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpConnectionError)
            assert (error.kind, error.phase, error.retryable) == (ErrorKind.CONNECTION_REFUSED, "connect", True)

    waiting.run(run())


def test_a_name_without_an_address() -> None:
    """The error names the host."""

    async def run() -> None:
        async with SmtpClient("no-such-host.invalid", 25, tls="none", retry=ONCE) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.phase) == (ErrorKind.DNS_RESOLUTION_FAILED, "dns")
            assert "no-such-host.invalid" in str(error)

    waiting.run(run())


@pytest.mark.parametrize(
    ("server", "timeouts", "kind"),
    [
        (Hang(), {"greeting": 0.05}, ErrorKind.READ_TIMEOUT),
        (Hang(b"220 x\r\n"), {"ehlo": 0.05}, ErrorKind.COMMAND_TIMEOUT),
        (Hang(b"220 x\r\n", [b"250 x\r\n"]), {"mail": 0.05}, ErrorKind.COMMAND_TIMEOUT),
        (Hang(b"HTTP/1.1 400 Bad Request\r\n"), {}, ErrorKind.INVALID_RESPONSE),
        (Hang(b"554 5.3.2 no\r\n"), {}, ErrorKind.PROTOCOL),
    ],
)
def test_servers_that_do_not_talk(server: Hang, timeouts: dict[str, float], kind: ErrorKind) -> None:
    """Silence and nonsense have kinds of their own."""

    async def run() -> None:
        limits = Timeouts(**{"connect": 5, "greeting": 5, "ehlo": 5, "mail": 5, "quit": 0.05, **timeouts})
        async with server, client(server.port, retry=ONCE, timeouts=limits) as sending:
            error = await outcome(sending, mail())
            assert error.kind is kind
            assert isinstance(error, SmtpTimeoutError) is ("timeout" in kind)

    waiting.run(run())


class Glutton(Friendly):
    """Never reads the message."""

    async def _message(self, reader: asyncio.StreamReader) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(2)


def test_a_server_that_does_not_take_the_message() -> None:
    """The octets have a limit of their own, which is no answer that fails to come."""

    async def run() -> None:
        async with Glutton() as server, client(server.port, retry=ONCE, timeouts=Timeouts(block=0.1, quit=0.05)) as sending:
            error = await outcome(sending, mail(text="x\n" * 8_000_000))
            assert error.kind is ErrorKind.WRITE_TIMEOUT
            for writer in server.writers:
                writer.transport.abort()

    waiting.run(run())


@pytest.mark.parametrize(("number", "retryable"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
def test_a_name_that_nobody_knows_and_one_that_nobody_can_say(number: int, retryable: bool) -> None:
    """A name without an address stays without one; a resolver that does not answer may answer later."""

    async def run() -> None:
        async def fails(*_: object, **__: object) -> None:
            raise socket.gaierror(number, "said the resolver")

        asyncio.get_running_loop().getaddrinfo = fails  # type: ignore[assignment,method-assign]
        async with SmtpClient("mx.example.com", tls="none", retry=ONCE) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable) == (ErrorKind.DNS_RESOLUTION_FAILED, retryable)
            assert "said the resolver" in str(error)

    waiting.run(run())


def test_a_name_is_looked_up_now_and_then() -> None:
    """Once for many messages; again when nobody answers there."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        asked: list[str] = []
        real = loop.getaddrinfo

        def counted(host: str, *arguments: Any, **settings: Any) -> Any:
            asked.append(host)
            return real(host, *arguments, **settings)

        loop.getaddrinfo = counted  # type: ignore[assignment]
        async with Sink() as sink, SmtpClient("localhost", sink.port, tls="none", retry=ONCE) as sending:
            for _ in range(3):
                await sending.send(mail())
            assert asked.count("localhost") == 1
            await sink.close()
            for _ in range(2):
                assert isinstance(await outcome(sending, mail()), SmtpConnectionError)
            assert asked.count("localhost") == 2

    waiting.run(run())


def test_which_addresses_are_called() -> None:
    """One family first, or one alone, from the address of ours that belongs to it; where none is left, the error says why."""

    async def run() -> None:
        async def both(*_: object, **__: object) -> list[Any]:
            return [(0, 0, 0, "", (address, 25)) for address in addresses]

        asyncio.get_running_loop().getaddrinfo = both  # type: ignore[assignment,method-assign]
        async with Sink() as sink:
            for family in ("prefer4", "only4"):
                addresses = ["2001:db8::1", "127.0.0.1"]
                settings: Any = {"tls": "none", "retry": ONCE, "family": family, "source": "127.0.0.9", "source6": "2001:db8::9"}
                async with SmtpClient("mx.example.com", sink.port, **settings) as sending:
                    assert (await sending.send(mail())).host == f"mx.example.com[127.0.0.1]:{sink.port}"
            assert {message.peer for message in sink.messages} == {"127.0.0.9"}
            addresses = ["127.0.0.1"]
            async with SmtpClient("mx.example.com", sink.port, tls="none", retry=ONCE, family="only6") as sending:
                error = await outcome(sending, mail())
                assert (error.kind, error.retryable) == (ErrorKind.DNS_RESOLUTION_FAILED, False)
                assert "no IPv6 address" in str(error)
            assert sink.count == 2
        with pytest.raises(ValueError, match="'only5'"):
            SmtpClient("mx.example.com", family="only5")

    waiting.run(run())
