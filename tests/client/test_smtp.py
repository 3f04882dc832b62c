"""The client against servers that do what servers do: what a send returns, and when it is tried again."""

from __future__ import annotations

import asyncio

import pytest

from mailer import (
    Email,
    ErrorKind,
    SmtpMessageError,
    SmtpProtocolError,
)
from mailer.sink import Moods, Sink
from mailer.testing import Script
from tests.client.outcomes import outcome
from tests.fakes import waiting
from tests.fakes.friendly import Friendly

from .letters import ONCE, client, mail

# What a send returns


def test_a_message_is_sent() -> None:
    """The result says who has it, what the server said, and how it went there; the message is what was meant."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, carol@example.net"))
            [received] = sink.messages
            assert received.sender == "anna@example.org"
            assert received.recipients == result.accepted == ("bob@example.net", "carol@example.net")
            assert received.content.endswith(b"\r\n\r\nIt works.\r\n")
            assert f"Message-ID: {result.message_id}\r\n".encode() in received.content
            assert received.hello == "me.example.org"
            assert result.rejected == ()
            assert result.reply.startswith("250 2.0.0")
            assert result.host == f"127.0.0.1[127.0.0.1]:{sink.port}"
            assert (result.tls_wanted, result.tls, result.attempts) == ("none", "", 1)
            assert result.duration > 0

    asyncio.run(run())


@pytest.mark.parametrize(("said", "name"), [("250 2.0.0 Ok: queued as 4XyZ1abcD", "4XyZ1abcD"), ("250 thanks", "")])
def test_the_server_s_own_name_for_a_message(said: str, name: str) -> None:
    """Whoever asks the server's postmaster about the message finds it in the result, where the server has told it."""
    text = f"""
        S: 220 mx.example.com
        C: EHLO me.example.org
        S: 250 mx.example.com
        C: MAIL FROM:<anna@example.org>
        S: 250 ok
        C: RCPT TO:<bob@example.net>
        S: 250 ok
        C: DATA
        S: 354 go
        MESSAGE
        S: {said}
    """

    async def run() -> None:
        async with Script(text) as script, client(script.port) as sending:
            result = await sending.send(mail())
            assert (result.reply, result.server_id) == (said, name)

    waiting.run(run())


def test_some_recipients_are_refused() -> None:
    """The others have it, and each refusal is told with its codes."""

    async def run() -> None:
        moods = Moods(refuse={"no@example.net": "550 5.1.1 no such user", "full@example.net": "552 5.2.2 full"})
        async with Sink(moods) as sink, client(sink.port) as sending:
            result = await sending.send(mail("no@example.net, bob@example.net, full@example.net"))
            assert result.accepted == ("bob@example.net",)
            assert result.rejected == (("no@example.net", 550, "5.1.1", "no such user"), ("full@example.net", 552, "5.2.2", "full"))
            assert result.attempts == 1

    waiting.run(run())


def test_all_recipients_are_refused() -> None:
    """Then it is an error, of the first one's kind, and it lists them all; nothing is tried again."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            error = await outcome(sending, mail("550@example.net, 553@example.net"))
            assert isinstance(error, SmtpMessageError)
            assert error.kind is ErrorKind.INVALID_RECIPIENT_ADDRESS
            assert (error.code, error.enhanced_code, error.phase, error.retryable) == (550, "5.1.1", "rcpt", False)
            assert [rejected.code for rejected in error.rejected] == [550, 553]
            assert sink.count == 0

    waiting.run(run())


def test_content_that_is_refused() -> None:
    """A refusal of the message is one of the server, about no address."""

    async def run() -> None:
        async with Sink(Moods(replies={"body": "550 5.7.1 this is spam"})) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpProtocolError)
            assert (error.kind, error.phase, error.text) == (ErrorKind.PROTOCOL, "body", "this is spam")

    waiting.run(run())


def test_what_the_server_cannot_take_is_not_sent() -> None:
    """A message above the server's limit is refused here, with the kind for it."""

    async def run() -> None:
        async with Sink(Moods(max_size=2000)) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail(text="x" * 3000))
            assert error.kind is ErrorKind.MESSAGE_TOO_LARGE

    waiting.run(run())


# Attempts


def test_a_greylisted_recipient_is_asked_about_again() -> None:
    """And only that one: who has the message gets no second."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, greylist@example.net"))
            assert (result.accepted, result.rejected) == (("bob@example.net", "greylist@example.net"), ())
            assert result.attempts == 2
            assert [received.recipients for received in sink.messages] == [("bob@example.net",), ("greylist@example.net",)]
            assert len({received.content for received in sink.messages}) == 1, "the same message, with the same Message-ID"

    waiting.run(run())


def test_a_recipient_who_is_always_refused_for_now() -> None:
    """After the last attempt it is a rejected recipient, or the error."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            result = await sending.send(mail("bob@example.net, 451@example.net"))
            assert result.attempts == 3
            assert [rejected.code for rejected in result.rejected] == [451]
            error = await outcome(sending, mail("451@example.net"))
            assert error.retryable
            assert error.temporary

    waiting.run(run())


def test_more_recipients_than_fit_into_one_transaction() -> None:
    """They go in several, within one attempt."""

    async def run() -> None:
        people = [f"user{number}@example.net" for number in range(7)]
        async with Sink(Moods(max_recipients=3)) as sink, client(sink.port) as sending:
            result = await sending.send(Email(from_="a@example.org", to=people))
            assert result.accepted == tuple(people)
            assert result.attempts == 1
            assert sorted(len(received.recipients) for received in sink.messages) == [1, 3, 3]

    waiting.run(run())


@pytest.mark.parametrize("place", ["mail", "rcpt", "data", "content", "body"])
def test_a_connection_that_is_lost(place: str) -> None:
    """The message is sent again on another one."""

    async def run() -> None:
        async with Sink(Moods(drops=[place], first=1)) as sink, client(sink.port) as sending:
            result = await sending.send(mail(text="x" * 200_000))
            assert (result.attempts, sink.count) == (2, 1)

    waiting.run(run())


def test_a_used_connection_that_is_lost_with_the_message() -> None:
    """The server may have it: that is an attempt, and the next one another."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port) as sending:
            await sending.send(mail())
            sink.moods = Moods(drops=["body"], first=1)
            assert (await sending.send(mail())).attempts == 2

    waiting.run(run())


def test_a_used_connection_that_is_lost_with_a_message_in_chunks() -> None:
    """There the message went with its envelope, so that the server may have it before it has answered anything: it is not sent again."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            if line.startswith(b"EHLO"):
                writer.write(b"250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
            if line.startswith(b"BDAT"):
                taken.append(await reader.readexactly(int(line.split()[1])))
                if len(taken) == 2:
                    break
                writer.write(b"250 ok\r\n" * 3)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, client(server.sockets[0].getsockname()[1], retry=ONCE) as sending:
            await sending.send(mail())
            error = await outcome(sending, mail())
            assert (error.kind, error.phase, error.retryable) == (ErrorKind.CONNECTION_RESET, "body", True)
            assert len(taken) == 2

    waiting.run(run())


def test_a_server_that_says_goodbye() -> None:
    """421 ends the connection, and the next attempt has another one."""

    async def run() -> None:
        async with Sink(Moods(replies={"mail": "421 4.3.2 shutting down"}, first=1)) as sink, client(sink.port) as sending:
            assert (await sending.send(mail())).attempts == 2
        async with Sink(Moods(replies={"mail": "421 4.3.2 shutting down"})) as sink, client(sink.port) as sending:
            error = await outcome(sending, mail())
            assert (error.kind, error.retryable) == (ErrorKind.SERVER_SHUTDOWN, True)

    waiting.run(run())


def test_an_idle_connection_that_the_server_has_closed() -> None:
    """That is no failure of anybody: the message goes out in its first attempt."""

    async def run() -> None:
        async with Friendly({b"EHLO": b"250 mx.example.com\r\n"}) as server, client(server.port, retry=ONCE) as sending:
            await sending.send(mail())
            server.writers[0].transport.abort()
            result = await sending.send(mail())
            assert result.attempts == 1
            assert len(server.messages) == 2

    waiting.run(run())


def test_retries_can_be_switched_off() -> None:
    """One attempt is one attempt."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, retry=ONCE) as sending:
            assert (await outcome(sending, mail("greylist@example.net"))).code == 451

    waiting.run(run())
