"""TLS at a door: made later or from the first byte, stalled, refused, and ended where it should not."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from mailer.net.handshakes import Handshakes
from mailer.net.tls import serving
from mailer.serving.common import Common
from mailer.smtp.server_state import ServerSettings
from tests.net.accepting import heard
from tests.smtpd.talking import ENVELOPE, Door, at_a_door, now

NAME = "mx.example.com"
SETTINGS = ServerSettings(NAME, starttls=True, offer=("CHUNKING",))


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate with its key."""
    path: Path = tmp_path_factory.mktemp("door") / "both.pem"
    trustme.CA().issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def theirs() -> ssl.SSLContext:
    """A client that trusts anybody."""
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def test_a_message_over_tls(pem: str, theirs: ssl.SSLContext) -> None:
    """After the handshake the client is a stranger again, and its message is taken."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.secure(theirs)
        assert (await client("MAIL FROM:<a@b.example>")).startswith("503")
        assert "STARTTLS" not in await client("EHLO me")
        assert (await client.send(b"x\r\n", "c@d.example"))[0].startswith("250")
        assert len(door.policy.bodies) == 1

    at_a_door(test, SETTINGS, context=serving(pem, ""))


def test_tls_that_ends_within_a_chunk_ends_the_session(pem: str, theirs: ssl.SSLContext) -> None:
    """A client that says goodbye in the middle of a message has said nothing: no message, no answer, no trace."""

    async def test(door: Door) -> None:
        client = await door.greeted()
        await client.secure(theirs)
        await client("EHLO me")
        await client.say(ENVELOPE + b"BDAT 1000 LAST\r\nhello\r\n")
        for _ in range(2):
            await client.hear()
        client.writer.close()
        while not door.policy.sessions:
            await asyncio.sleep(1)
        assert door.policy.bodies == []
        assert (await (await door.greeted())("NOOP")).startswith("250")

    at_a_door(test, SETTINGS, context=serving(pem, ""))


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x00\x02", b"EHLO me\r\n"])
@pytest.mark.parametrize("implicit", [False, True])
def test_a_handshake_that_is_none(pem: str, said: bytes, implicit: bool) -> None:
    """Who stalls in it, or speaks something else, is gone after half a minute, and keeps nobody from TLS."""
    common = Common(handshakes=Handshakes(2))

    async def test(door: Door) -> None:
        if implicit:
            client = await door.called()
        else:
            client = await door.greeted()
            assert (await client("STARTTLS")).startswith("220")
        await client.say(said)
        await heard(client.reader)
        assert now() < 35
        async with common.handshakes.turn(), common.handshakes.turn():
            pass

    at_a_door(test, SETTINGS, context=serving(pem, ""), common=common, implicit=implicit)


def test_where_handshakes_stall_others_have_their_turn(pem: str, theirs: ssl.SSLContext) -> None:
    """A hundred who stall in theirs let the next one wait, and no longer than the rest of their time."""
    common = Common(handshakes=Handshakes(10))

    async def test(door: Door) -> None:
        stalled = [await door.greeted() for _ in range(20)]
        for client in stalled:
            await client.say(b"STARTTLS\r\n")
        await asyncio.sleep(1)
        client = await door.greeted()
        await client.secure(theirs)
        assert now() < 40
        assert (await client("EHLO me")).startswith("250")

    at_a_door(test, SETTINGS, context=serving(pem, ""), common=common)
