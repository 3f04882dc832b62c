"""One session with a peer that is silent, slow or deaf: each wait has its deadline."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Timeouts
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang, LoopbackServer
from tests.transport.sessions import CONTENT, NONE, QUICK, deliver, endpoint, opened

HELLO = b"250-mx.example.com\r\n250 PIPELINING\r\n"


def test_nobody_answers_the_call() -> None:
    """A host that does not answer the call is given up at the deadline."""

    async def run() -> SessionError:
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            for caller in (first, second):  # the queue of the socket is full after these
                caller.setblocking(False)
                caller.connect_ex(deaf.getsockname())
            with pytest.raises(SessionError) as caught:
                await Connection.open(Endpoint("mx.example.com", deaf.getsockname()[1], NONE), "127.0.0.1", replace(QUICK, connect=0.2))
        return caught.value

    error = waiting.run(run())
    assert (error.kind, error.phase, error.reply.enhanced) == ("timeout", "connect", "4.4.1")


def test_our_own_address() -> None:
    """The address to call from is the one that the endpoint names; one that is not ours is an error like any other."""

    async def run() -> None:
        async with Friendly() as server:
            connection = await Connection.open(replace(endpoint(server), source="127.0.0.9"), "127.0.0.1", QUICK)
            assert server.writers[0].get_extra_info("peername")[0] == "127.0.0.9"
            await connection.close()
            with pytest.raises(SessionError, match="connect"):
                await Connection.open(replace(endpoint(server), source="192.0.2.1"), "127.0.0.1", QUICK)

    waiting.run(run())


@pytest.mark.parametrize(
    ("phase", "server", "timeouts"),
    [
        ("greeting", Hang(), replace(QUICK, greeting=0.1)),
        ("greeting", Hang(b"220-half"), replace(QUICK, greeting=0.1)),
        ("ehlo", Hang(b"220 x\r\n"), replace(QUICK, ehlo=0.1)),
    ],
)
def test_silence_before_mail(phase: str, server: LoopbackServer, timeouts: Timeouts) -> None:
    """A server that stops talking before there is a session is given up at the deadline of its phase."""

    async def run() -> SessionError:
        async with server:
            with pytest.raises(SessionError) as caught:
                await opened(server, timeouts)
            return caught.value

    error = waiting.run(run())
    assert (error.kind, error.phase, error.reply.enhanced) == ("timeout", phase, "4.4.2")
    assert error.reply.text.startswith("waited 0.1 s for the ")


def test_silence_after_starttls() -> None:
    """A server that agrees to TLS and is silent then counts as one whose TLS fails."""

    async def run() -> SessionError:
        async with Hang(b"220 x\r\n", [b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"]) as server:
            with pytest.raises(SessionError) as caught:
                await Connection.open(
                    Endpoint("x", server.port, Requirement("starttls", verify=False)), "127.0.0.1", replace(QUICK, connect=0.2)
                )
            return caught.value

    error = waiting.run(run())
    assert (error.kind, str(error.reply)) == ("tls", "454 4.7.5 TLS with x: no answer in time")


@pytest.mark.parametrize(
    ("phase", "replies", "timeouts"),
    [
        ("mail", [], replace(QUICK, mail=0.1)),
        ("rcpt", [b"250 ok\r\n"], replace(QUICK, rcpt=0.1)),
        ("data", [b"250 ok\r\n", b"250 ok\r\n"], replace(QUICK, data=0.1)),
        ("body", [b"250 ok\r\n", b"250 ok\r\n", b"354 ok\r\n"], replace(QUICK, body=0.1)),
    ],
)
def test_silence_within_mail(phase: str, replies: list[bytes], timeouts: Timeouts) -> None:
    """A server that stops talking in a transaction is given up at the deadline of what it does not answer."""
    for hello in (b"250 x\r\n", HELLO):
        (answer,) = deliver(Hang(b"220 x\r\n", [hello, *replies]), timeouts=timeouts)
        assert (answer.phase, answer.kind, answer.reply.code, answer.reply.enhanced) == (phase, "timeout", 451, "4.4.2")


class Drip(LoopbackServer):
    """Answers `replies`, then says the next reply octet by octet, for ever."""

    def __init__(self, replies: list[bytes]) -> None:
        super().__init__()
        self._replies = replies

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in self._replies:
            writer.write(reply)
            await reader.readline()
        writer.write(b"250-")
        while not reader.at_eof() and not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)


def test_dripping_does_not_move_the_deadline() -> None:
    """An answer has to be complete at the deadline; one octet now and then does not hold us."""

    async def greeting() -> float:
        async with Drip([]) as server:
            with pytest.raises(SessionError, match=r"waited 0\.2 s for the greeting"):
                await opened(server, replace(QUICK, greeting=0.2))
        return asyncio.get_running_loop().time()

    assert waiting.run(greeting()) < 1
    (answer,) = deliver(Drip([b"220 x\r\n", b"250 x\r\n"]), timeouts=replace(QUICK, mail=0.2))
    assert (answer.kind, answer.phase) == ("timeout", "mail")


@pytest.mark.parametrize(
    ("last", "code", "usable"),
    [
        (b"250-2.0.0 taken\r\n" * 20_000 + b"250 2.0.0 taken\r\n", 250, True),
        (b"250 2.0.0 taken" + b"x" * 100_000 + b"\r\n", 250, True),
        (b"250-2.0.0 taken\r\n" * 100_000, 250, False),
        (b"550-5.7.1 no\r\n" * 100_000, 550, False),
        (b"250-2.0.0 taken\r\n", 250, False),
    ],
)
def test_the_code_of_a_long_answer_counts(last: bytes, code: int, usable: bool) -> None:
    """The host took the message, at whatever length it says so, and even if it never comes to an end: it must not get it again."""

    async def run() -> None:
        async with Friendly({b".": last}) as server:
            connection = await opened(server, replace(QUICK, body=2 if len(last) > 100 else 0.1))
            (answer,) = await connection.deliver(Parcel("alice@example.org", ("bob@example.com",), CONTENT))
            assert (answer.phase, answer.kind, answer.reply.code, connection.usable) == ("body", "reply", code, usable)
            await connection.close()

    waiting.run(run())


class Deaf(LoopbackServer):
    """Takes the envelope, asks for the message, and does not read it; then says `last`, if anything."""

    def __init__(self, last: bytes = b"", *, stay: bool = True) -> None:
        super().__init__()
        self._last = last
        self._stay = stay

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        for reply in (HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 ok\r\n"):
            await reader.readline()
            writer.write(reply)
        reader._transport.pause_reading()
        await asyncio.sleep(0.05)
        writer.write(self._last)
        await writer.drain()
        if self._stay:
            await asyncio.sleep(0.5)


LARGE = b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000


def test_a_server_that_takes_no_more() -> None:
    """A server that stops reading in the middle of a message is given up at the deadline for a block."""
    (answer,) = deliver(Deaf(), LARGE, timeouts=replace(QUICK, block=0.2))
    assert (answer.phase, answer.kind, answer.reply.text) == ("body", "stalled", "waited 0.2 s for the host to take more of the message")


def test_refused_in_the_middle() -> None:
    """A refusal in the middle of a message is heard before the rest is sent, and is the answer."""
    for stay in (True, False):
        (answer,) = deliver(Deaf(b"552 5.3.4 too much\r\n", stay=stay), LARGE)
        assert (answer.phase, answer.kind, str(answer.reply)) == ("body", "reply", "552 5.3.4 too much")


def test_accepted_in_the_middle() -> None:
    """A message that is accepted in the middle was not delivered."""
    (answer,) = deliver(Deaf(b"250 2.0.0 thanks\r\n"), LARGE)
    assert (answer.phase, answer.kind) == ("body", "unasked")


@pytest.mark.slow
def test_a_large_message() -> None:
    """A message of 20 MB arrives as it was."""
    server = Friendly()
    (answer,) = deliver(server, LARGE)
    assert answer.reply.code == 250
    assert server.messages == [LARGE]
