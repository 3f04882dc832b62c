"""What a session makes of the extensions of a server, against a server that has them or has not."""

from __future__ import annotations

import asyncio
from email import message_from_bytes
from typing import Any

import pytest

from mailer.mail.delivery_options import NOTHING, Request
from mailer.sink.faults import Moods
from mailer.sink.server import Received, Sink
from mailer.smtp.transaction import RecipientAnswer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.route import Endpoint, Timeouts

QUICK = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)
EIGHT = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n".encode()
DOTS = b"Subject: x\r\n\r\n.\r\n..\r\n.QUIT\r\n"
TO = ["bob@example.com", "body-550@example.com", "carol@example.com"]


def send(
    content: bytes, to: list[str], moods: Moods, request: Request = NOTHING, times: int = 1, lmtp: bool = False, **options: Any
) -> tuple[list[RecipientAnswer], list[Received]]:
    """The answers to the last message, and what the server has."""

    async def run() -> tuple[list[RecipientAnswer], list[Received]]:
        async with Sink(moods, lmtp=lmtp) as sink:
            endpoint = Endpoint("x.example", sink.port, Requirement("none"), protocol="lmtp" if lmtp else "smtp", **options)
            connection = await Connection.open(endpoint, "127.0.0.1", QUICK)
            for _ in range(times):
                answers = await connection.deliver(Parcel("me@example.org", to, content, request=request))
            await connection.close()
            return answers, sink.messages

    return asyncio.run(run())


@pytest.mark.parametrize("offer", [["CHUNKING"], []])
@pytest.mark.parametrize("hide", [["PIPELINING"], []])
@pytest.mark.parametrize("size", [0, 100, 200_000])
def test_byte_for_byte(offer: list[str], hide: list[str], size: int) -> None:
    """However it is sent, the message arrives as it was, time after time."""
    content = DOTS + b"." * 70 + b"\r\n" + (b"x" * 70 + b"\r\n") * (size // 72)
    _, messages = send(content, TO[:1], Moods(offer=offer, hide=hide), times=3)
    assert [message.content for message in messages] == [content] * 3


def test_reports() -> None:
    """What is asked about reports arrives as it was meant."""
    request = Request(ret="HDRS", envid="a+b=c d")
    _, (message,) = send(DOTS, TO[:1], Moods(offer=["DSN"]), request)
    assert message.parameters["RET"] == "HDRS"
    assert message.parameters["ENVID"] == "a+b=c d"


def test_eight_bit_encoded() -> None:
    """A server that takes 7-bit mail only gets the text encoded, and who reads it sees the same."""
    _, (message,) = send(EIGHT, TO[:1], Moods(hide=["8BITMIME", "SMTPUTF8"]))
    assert message.content.isascii()
    assert message_from_bytes(message.content).get_payload(decode=True) == "Grüße\r\n".encode()
    _, (message,) = send(EIGHT, TO[:1], Moods())
    assert message.content == EIGHT


@pytest.mark.parametrize("offer", [["CHUNKING"], []])
@pytest.mark.parametrize("times", [1, 3])
def test_lmtp(offer: list[str], times: int) -> None:
    """In LMTP each recipient has an answer of their own, message after message."""
    answers, messages = send(DOTS, TO, Moods(offer=offer), times=times, lmtp=True)
    assert [(answer.to, answer.phase, answer.reply.code) for answer in answers] == [(0, "body", 250), (1, "body", 550), (2, "body", 250)]
    assert [message.recipients for message in messages] == [(TO[0],), (TO[2],)] * times
    assert {message.content for message in messages} == {DOTS}


def test_binary() -> None:
    """A binary message arrives octet by octet where it may, and decodes to the same octets where it may not."""
    octets = bytes(range(256)) * 300
    content = b"MIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + octets
    _, (message,) = send(content, TO[:1], Moods(offer=["CHUNKING", "BINARYMIME"]))
    assert message.content == content
    _, (message,) = send(content, TO[:1], Moods())
    assert message_from_bytes(message.content).get_payload(decode=True) == octets
