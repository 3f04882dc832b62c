"""TLS at doors of the kind pop3, and what strangers say there."""

from __future__ import annotations

import base64
import ssl
import tracemalloc
from pathlib import Path

import pytest
import trustme

from mailer.pop3.commands import LONGEST_RESPONSE
from mailer.pop3.server import PopServer, PopSettings
from mailer.sasl.mechanism import Channel, server_end_point
from mailer.sasl.scram import Scram, ScramPlus
from tests.mailbox.premises import message

from .house import ANN, SECRET, PopHouse, PopTalker, played


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate with its key."""
    path: Path = tmp_path_factory.mktemp("pop") / "both.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def theirs() -> ssl.SSLContext:
    """A client that trusts anybody."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def test_stls(pem: str, theirs: ssl.SSLContext) -> None:
    """Nobody logs in before it; behind it nothing is known of the client, and CAPA tells other things."""
    house = PopHouse(tls="starttls", certificate_file=pem)
    house.put(message("a"))

    async def play(house: PopHouse) -> None:
        async with house.client("") as client:
            before = (await client.asked("CAPA")).split(b"\r\n")
            assert b"STLS" in before
            assert not [line for line in before if line.startswith((b"USER", b"SASL"))]
            assert await client(f"USER {ANN}") == "-ERR nobody logs in without TLS here: say STLS first"
            await client.say(b"STLS\r\nUSER injected\r\n")
            assert (await client.line()).startswith("+OK")
            await client.writer.start_tls(theirs, server_hostname="localhost")
            after = (await client.asked("CAPA")).split(b"\r\n")
            assert b"STLS" not in after
            assert b"USER" in after
            assert (await client("PASS secret")) == "-ERR USER comes first"
            await client(f"USER {ANN}")
            assert (await client(f"PASS {SECRET}")).startswith("+OK logged in, 1 message")
            assert b"IMPLEMENTATION mailer" in await client.asked("CAPA")

    played(house, play)


@pytest.mark.parametrize("bound", [False, True])
def test_a_password_need_not_travel(pem: str, theirs: ssl.SSLContext, bound: bool) -> None:
    """With SCRAM behind TLS from the first octet on, bound to our certificate or not; the first response comes with AUTH (RFC 5034 §4)."""
    house = PopHouse(tls="implicit", certificate_file=pem)

    async def play(house: PopHouse) -> None:
        async with PopTalker.of(house.port, theirs) as client:
            await client.line()
            assert b"SASL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n" in await client.asked("CAPA")
            tls: ssl.SSLObject = client.writer.get_extra_info("ssl_object")
            certificate = tls.getpeercert(binary_form=True)
            assert certificate is not None
            mechanism = (ScramPlus if bound else Scram)(
                ANN, SECRET, Channel("nonce", server_end_point(certificate) if bound else b"", True)
            )
            first = mechanism.initial()
            assert first is not None
            said = await client(f"AUTH {mechanism.name} {base64.b64encode(first).decode()}")
            while said.startswith("+ "):
                answer = mechanism.answer(base64.b64decode(said[2:]))
                assert answer is not None
                said = await client(base64.b64encode(answer).decode())
            assert said.startswith("+OK logged in")

    played(house, play)


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\n" * 30,
        b"\0" * 100_000 + b"\r\n" * 50,
        b"USER " + b"a" * 1_000_000 + b"\r\n" + b"x\r\n" * 30,
        b"AUTH PLAIN\r\n*\r\n" * 1000,
        b"AUTH PLAIN\r\n" + b"A" * 1_000_000 + b"\r\n" + b"%\r\n" * 30,
        b"\r\n" * 1000,
        bytes(range(256)) * 100,
        b"CAPA\r\n" * 10_000,
    ],
    ids=["http", "tls", "nul", "a long name", "cancelled for ever", "a long response", "empty lines", "octets", "capa"],
)
def test_strangers_are_hung_up_on(said: bytes) -> None:
    """Whatever they say, at once; and others are served."""
    house = PopHouse()

    async def play(house: PopHouse) -> None:
        async with house.client("") as client:
            client.writer.write(said)
            heard = []
            try:
                while line := await client.line():
                    heard.append(line)
            except ConnectionResetError:
                pass
            assert heard
            assert len(heard) < 1000
        async with house.client():
            pass

    played(house, play)


def test_a_slow_stranger_does_not_stop_us(pem: str) -> None:
    """Nobody waits for one who asks for TLS and makes no handshake."""
    house = PopHouse(tls="starttls", certificate_file=pem)

    async def play(house: PopHouse) -> None:
        async with house.client("") as slow:
            assert (await slow("STLS")).startswith("+OK")
            async with house.client("") as other:
                assert (await other("NOOP")).startswith("-ERR")

    played(house, play)


def test_memory_is_flat_while_a_large_message_is_sent() -> None:
    """Forty megabytes to somebody who reads slowly: of them a few pieces are in memory at a time."""
    house = PopHouse()
    line = b"x" * 76 + b"\r\n"
    house.put(message("large") + line * 520_000)

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            await client.say(b"RETR 1\r\n")
            assert (await client.line()).startswith("+OK 405")
            tracemalloc.start()
            try:
                octets = 0
                while octets < 30_000_000:
                    octets += len(await client.reader.read(1 << 16))
                assert tracemalloc.get_traced_memory()[1] < 5_000_000
            finally:
                tracemalloc.stop()

    played(house, play)


def test_memory_is_flat_before_a_login() -> None:
    """Of what a stranger says, no more than a line is kept."""
    server = PopServer(PopSettings(clear=True))
    server.next()
    server.answer()
    server.take()
    tracemalloc.start()
    try:
        for _ in range(2000):
            server.feed(b"A" * 8192)
            assert server.next() is None
        assert server.waiting <= 3 * LONGEST_RESPONSE
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()
