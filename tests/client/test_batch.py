"""Many messages: how a batch keeps its sessions busy, and that it owes nothing when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from mailer import (
    BreakerSettings,
    Email,
    ErrorKind,
    Interceptor,
    PoolSettings,
    SendResult,
    SmtpError,
    SmtpMessageError,
)
from mailer.mail.delivery_options import Request, Wanted
from mailer.sink import Moods, Sink
from mailer.testing import Script
from tests.fakes import waiting

from .letters import ONCE, Watched, client, mail

ONE = PoolSettings(max_connections=1, min_idle=0)

TWO = """
    S: 220 mx.example.com
    C: EHLO me.example.org
    S: 250-mx.example.com
    S: 250 PIPELINING
    C: MAIL FROM:<anna@example.org>
    C: RCPT TO:<one@example.net>
    C: DATA
    S: 250 ok
    S: 250 ok
    S: 354 go
    MESSAGE
    C: MAIL FROM:<anna@example.org>
    C: RCPT TO:<two@example.net>
    C: DATA
    S: 250 2.0.0 one is taken
    S: 250 ok
    S: 250 ok
    S: 354 go
    MESSAGE
    S: 250 2.0.0 two is taken
"""


def test_the_next_envelope_goes_with_the_end_of_a_message() -> None:
    """RFC 2920 §3.1: a server that waits for it before it answers the message is not waited for."""

    async def run() -> None:
        async with Script(TWO) as script, client(script.port, pool=ONE) as sending:
            batch = await sending.send_batch([mail("one@example.net"), mail("two@example.net")])
            assert [result.reply for result in batch if isinstance(result, SendResult)] == [
                "250 2.0.0 one is taken",
                "250 2.0.0 two is taken",
            ]
            assert len(script.messages) == 2

    waiting.run(run())


KINDS = ["ok", "550", "451", "greylist", "body-554", "data-451", "drop", "not an address", "ok", "ok"]


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_a_batch_says_what_single_sends_say(connections: int) -> None:
    """Whatever happens to one message, the others fare as they would alone, and each recipient gets his once."""

    async def run() -> None:
        people = [f"{KINDS[number % len(KINDS)]}+{number}@example.net" for number in range(60)]
        async with Sink() as sink, client(sink.port, pool=PoolSettings(max_connections=connections)) as sending:
            batch = await sending.send_batch([mail(person) for person in people])
            got = [result.reply if isinstance(result, SendResult) else result.kind for result in batch]
            for person, result in zip(people, got, strict=True):
                assert (result == "250 2.0.0 message taken") is person.startswith(("ok", "greylist")), person
            taken = [received.recipients for received in sink.messages]
            assert sorted(taken) == sorted((person,) for person in people if person.startswith(("ok", "greylist")))
            assert sending.pool_status().in_use == sending.pool_status().pending == 0

    waiting.run(run())


@pytest.mark.slow
def test_a_batch_lets_others_through() -> None:
    """Who sends one message besides a long batch waits for one message, not for the batch."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=ONE) as sending:
            task = asyncio.create_task(sending.send_batch([mail()] * 300))
            await sink.received(10)
            await sending.send(mail("other@example.net"))
            assert sink.count < 100
            batch = await task
            assert batch.succeeded == 300

    waiting.run(run())


def test_a_promise_that_comes_to_nothing() -> None:
    """A message that has to be tried again takes another session; the promised one is dropped, and its envelope with it."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=ONE) as sending:
            mails = [mail(f"bob@example.net, greylist+{number}@example.net") for number in range(5)]
            batch = await sending.send_batch(mails)
            assert [len(result.accepted) for result in batch if isinstance(result, SendResult)] == [2] * 5
            people = [person for received in sink.messages for person in received.recipients]
            assert sorted(people) == sorted([*["bob@example.net"] * 5, *(f"greylist+{number}@example.net" for number in range(5))])

    waiting.run(run())


def test_a_breaker_that_opens_within_a_batch() -> None:
    """What is left is refused at once, and nothing of it is sent."""

    async def run() -> None:
        moods = Moods(replies={"body": "451 4.3.0 disk full"})
        async with Sink(moods) as sink, client(sink.port, pool=ONE, retry=ONCE, breaker=BreakerSettings(failure_threshold=3)) as sending:
            batch = await sending.send_batch([mail() for _ in range(10)])
            assert [result.kind for result in batch if isinstance(result, SmtpError)] == ["protocol"] * 3 + ["circuit_open"] * 7
            assert sending.pool_status().in_use == 0

    waiting.run(run())


def test_a_cancelled_batch() -> None:
    """What was taken is whole, what was promised is not sent, and the pool is as it was."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=PoolSettings(max_connections=2)) as sending:
            for taken in (1, 5, 20):
                before = sink.count
                task = asyncio.create_task(sending.send_batch([mail(text="x\r\n" * 5000)] * 100))
                await sink.received(before + taken)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert sending.pool_status().in_use == 0
            assert all(received.content.endswith(b"\r\n\r\n" + b"x\r\n" * 5000) for received in sink.messages)
            await sending.send(mail())

    waiting.run(run())


def test_shutdown_within_a_batch() -> None:
    """What is under way is finished, the rest is refused in its place."""

    async def run() -> None:
        async with Sink() as sink:
            sending = client(sink.port, pool=ONE)
            task = asyncio.create_task(sending.send_batch([mail()] * 200))
            await sink.received(5)
            await sending.shutdown()
            batch = await task
            assert batch.succeeded == sink.count < 200
            assert {result.kind for result in batch if isinstance(result, SmtpError)} == {"cancelled"}

    waiting.run(run())


@pytest.mark.parametrize("drops", [["after-body"], ["body"], ["after-mail"]])
def test_a_server_that_hangs_up_in_between(drops: list[str]) -> None:
    """A session that ends with a message takes nothing of the next one with it."""

    async def run() -> None:
        async with Sink(Moods(drops=drops, every=2)) as sink, client(sink.port, pool=ONE) as sending:
            batch = await sending.send_batch([mail() for _ in range(10)])
            assert (batch.succeeded, sink.count) == (10, 10)

    waiting.run(run())


def test_messages_with_many_recipients() -> None:
    """They are followed by nothing before they are answered: a server may want them in several transactions."""

    async def run() -> None:
        people = [f"user{number}@example.net" for number in range(150)]
        async with Watched(Moods(max_recipients=100)) as sink, client(sink.port, pool=ONE) as sending:
            batch = await sending.send_batch([Email(from_="a@example.org", to=people) for _ in range(3)])
            assert [result.attempts for result in batch if isinstance(result, SendResult)] == [1, 1, 1]
            assert sorted(len(received.recipients) for received in sink.messages) == [50, 50, 50, 100, 100, 100]
            assert sink.all == 1

    waiting.run(run())


# What else can be asked for


def test_reports_can_be_asked_for() -> None:
    """RFC 3461: with the recipient that they are about, also when he is asked about again."""
    text = """
        S: 220 mx.example.com
        C: EHLO me.example.org
        S: 250-mx.example.com
        S: 250 DSN
        C: MAIL FROM:<anna@example.org> RET=HDRS ENVID=42
        S: 250 ok
        C: RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE
        S: 250 ok
        C: DATA
        S: 354 go
        MESSAGE
        S: 250 ok
    """

    async def run() -> None:
        async with Script(text) as script, client(script.port) as sending:
            await sending.send(mail(), request=Request(ret="HDRS", envid="42", everybody=Wanted("SUCCESS,FAILURE")))
            with pytest.raises(SmtpError) as caught:
                await sending.send(mail(), request=Request(require_tls=True))
            assert caught.value.kind == "capability_mismatch"

    waiting.run(run())


def test_lmtp() -> None:
    """RFC 2033: each recipient has an answer of his own."""
    text = """
        S: 220 mx.example.com
        C: LHLO me.example.org
        S: 250-mx.example.com
        S: 250 PIPELINING
        C: MAIL FROM:<anna@example.org>
        C: RCPT TO:<bob@example.net>
        C: RCPT TO:<carol@example.net>
        C: DATA
        S: 250 ok
        S: 250 ok
        S: 250 ok
        S: 354 go
        MESSAGE
        S: 250 2.0.0 bob has it
        S: 552 5.2.2 carol has no room
    """

    async def run() -> None:
        async with Script(text) as script, client(script.port, protocol="lmtp") as sending:
            result = await sending.send(mail("bob@example.net, carol@example.net"))
            assert result.accepted == ("bob@example.net",)
            assert result.rejected == (("carol@example.net", 552, "5.2.2", "carol has no room"),)

    waiting.run(run())


def test_what_is_wrong_with_a_message_is_said_in_its_turn() -> None:
    """Also where it was taken out of the batch ahead of it."""

    class Odd(Email):
        def encode(self) -> bytes:
            raise ZeroDivisionError

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=ONE) as sending:
            mails: list[Any] = [mail(), Odd(to="x@example.net"), mail()]
            first, odd, last = await sending.send_batch(mails)
            assert isinstance(first, SendResult)
            assert isinstance(last, SendResult)
            assert isinstance(odd, SmtpError)
            assert isinstance(odd.__cause__, ZeroDivisionError)
            assert sink.count == 2

    waiting.run(run())


def test_a_batch_keeps_its_order() -> None:
    """Each message has its result in its place, and a bad one stops no other."""

    async def run() -> None:
        mails: list[Any] = [mail(f"user{number}@example.net") for number in range(20)]
        mails[3], mails[7] = mail("550@example.net"), mail("not an address")
        async with Sink() as sink, client(sink.port) as sending:
            batch = await sending.send_batch(iter(mails))
            assert (len(batch), batch.succeeded, batch.failed) == (20, 18, 2)
            for number, result in enumerate(batch):
                if number in (3, 7):
                    assert isinstance(result, SmtpMessageError)
                else:
                    assert isinstance(result, SendResult)
                    assert result.accepted == (f"user{number}@example.net",)
            assert sink.count == 18
            assert sending.pool_status().total <= 5
            assert (await sending.send_batch([])).results == ()

    waiting.run(run())


def test_a_batch_with_something_that_is_no_message() -> None:
    """It stops no other, and nobody forgets who has the rest: it has its error in its place."""

    class Guard(Interceptor):
        async def before_send(self, mail: Any) -> Any:
            if isinstance(mail, Email) and mail.subject == "guarded":
                raise LookupError("no such customer")
            return mail

    async def run(settings: dict[str, Any], bad: list[Any]) -> None:
        async with Sink() as sink, client(sink.port, **settings) as sending:
            for wrong in bad:
                before = sink.count
                batch = await sending.send_batch([mail(), wrong, *[mail()] * 20])
                assert (batch.succeeded, batch.failed, sink.count - before) == (21, 1, 21)
                error = batch.results[1]
                assert isinstance(error, SmtpMessageError)
                assert error.kind is ErrorKind.MESSAGE
                assert not error.retryable
                assert isinstance(error.__cause__, (TypeError, AttributeError, LookupError))
                assert str(error.__cause__) in str(error)
            assert len(asyncio.all_tasks()) - len(sink.sessions) <= 2, "this one and the keeper of idle connections"

    wrong: Any = None
    waiting.run(run({}, [1, mail(wrong), mail(text=wrong, html=b"x"), mail(text=b"x")]))
    waiting.run(run({"interceptors": [Guard()]}, [1, mail(subject="guarded")]))


def test_a_list_of_messages_that_breaks_off() -> None:
    """What the list itself raises is its own mistake, and raised; what came before it is sent, and no task is left behind."""

    def mails() -> Iterator[Email]:
        yield from [mail(), mail(), mail()]
        raise RuntimeError("the database is away")

    async def run(connections: int) -> None:
        pool = PoolSettings(max_connections=connections)
        async with Sink() as sink, client(sink.port, pool=pool) as sending:
            with pytest.raises(RuntimeError, match="the database is away"):
                await sending.send_batch(mails())
            assert sink.count == 3
            assert len(asyncio.all_tasks()) - len(sink.sessions) <= 2, "this one and the keeper of idle connections"

    for connections in (1, 2, 5):
        waiting.run(run(connections))
