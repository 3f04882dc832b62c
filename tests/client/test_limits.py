"""The client's breaker and its limits: what is not sent, or not yet."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from mailer import (
    BreakerSettings,
    ErrorKind,
    Login,
    PoolSettings,
    RateLimitSettings,
    SmtpCircuitOpenError,
    SmtpRateLimitError,
)
from mailer.sink import Moods, Sink
from tests.client.outcomes import outcome
from tests.fakes import waiting
from tests.fakes.sockets import closed_port

from .letters import ONCE, client, mail


def test_the_breaker_leaves_a_dead_server_alone() -> None:
    """After five failures nothing is tried any more, and the error says for how long; then one success after the other closes it."""

    async def run() -> None:
        port = closed_port()
        breaker = BreakerSettings(recovery_timeout=0.2, success_threshold=2)
        async with client(port, retry=ONCE, breaker=breaker) as sending:
            kinds = Counter([(await outcome(sending, mail())).kind for _ in range(8)])
            assert kinds == {ErrorKind.CONNECTION_REFUSED: 5, ErrorKind.CIRCUIT_OPEN: 3}
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpCircuitOpenError)
            assert error.retry_after is not None
            assert 0 < error.retry_after <= 0.2
            await asyncio.sleep(0.25)
            async with Sink(port=port):
                await sending.send(mail())
                await sending.send(mail())
                assert (await sending.send_batch([mail()] * 5)).succeeded == 5, "it is closed: all may go at once"

    waiting.run(run())


def test_half_open_one_send_decides() -> None:
    """Of many that come at once, one may try; a cancelled one makes room for the next."""

    async def run() -> None:
        port = closed_port()
        async with client(port, retry=ONCE, breaker=BreakerSettings(recovery_timeout=0.05)) as sending:
            for _ in range(5):
                await outcome(sending, mail())
            await asyncio.sleep(0.1)
            async with Sink(Moods(delays={"body": 0.1}), port=port):
                probe = asyncio.create_task(sending.send(mail()))
                await asyncio.sleep(0.05)
                assert (await outcome(sending, mail())).kind is ErrorKind.CIRCUIT_OPEN
                probe.cancel()
                await asyncio.gather(probe, return_exceptions=True)
                await sending.send(mail())

    waiting.run(run())


@pytest.mark.parametrize("to", ["550@example.net", "451@example.net", "body-554@example.net"])
def test_refused_mail_opens_no_breaker(to: str) -> None:
    """What is wrong with a message or a recipient says nothing about the server."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, retry=ONCE) as sending:
            for _ in range(10):
                assert (await outcome(sending, mail(to))).kind is not ErrorKind.CIRCUIT_OPEN

    waiting.run(run())


def test_a_wrong_password_is_not_tried_for_ever() -> None:
    """It opens the breaker, before the server locks the account."""

    async def run() -> None:
        async with Sink(users={"anna": "x"}) as sink, client(sink.port, credentials=Login("anna", lambda: "y", True)) as sending:
            kinds = Counter([(await outcome(sending, mail())).kind for _ in range(7)])
            assert kinds == {ErrorKind.CREDENTIALS_INVALID: 5, ErrorKind.CIRCUIT_OPEN: 2}

    waiting.run(run())


@pytest.mark.parametrize("connections", [1, 5])
def test_a_rate_limit_that_rejects(connections: int) -> None:
    """What is too much is refused at once, with the time after which it is not."""

    async def run() -> None:
        limit, pool = RateLimitSettings(max_emails=3, window=60), PoolSettings(max_connections=connections)
        async with Sink() as sink, client(sink.port, rate_limit=limit, pool=pool) as sending:
            batch = await sending.send_batch([mail() for _ in range(5)])
            assert (batch.succeeded, sink.count) == (3, 3)
            error = await outcome(sending, mail())
            assert isinstance(error, SmtpRateLimitError)
            assert (error.kind, error.retryable) == (ErrorKind.LOCAL_RATE_LIMIT_EXCEEDED, True)
            assert error.retry_after is not None
            assert 15 < error.retry_after <= 20

    waiting.run(run())


def test_a_rate_limit_that_waits() -> None:
    """All go, as fast as the limit allows and no faster."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=2, window=0.2, on_limit="wait")
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            batch = await sending.send_batch([mail() for _ in range(5)])
            assert batch.succeeded == 5
            assert batch.duration > 0.29
            assert sink.count == 5

    waiting.run(run())


def test_a_rate_limit_that_waits_for_a_while() -> None:
    """Who would have to wait longer than that is refused, and takes nobody's turn."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=1, window=0.2, on_limit="wait_with_timeout", timeout=0.25)
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            batch = await sending.send_batch([mail() for _ in range(4)])
            assert (batch.succeeded, batch.failed, sink.count) == (2, 2, 2)

    waiting.run(run())


def test_a_cancelled_wait_gives_its_turn_back() -> None:
    """The next one need not wait for a send that is none."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=1, window=0.3, on_limit="wait")
        async with Sink() as sink, client(sink.port, rate_limit=limit) as sending:
            await sending.send(mail())
            waiting = [asyncio.create_task(sending.send(mail())) for _ in range(50)]
            await asyncio.sleep(0.01)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert (await sending.send(mail())).duration < 1

    waiting.run(run())


def test_a_limit_on_new_connections() -> None:
    """Messages that share a connection pass, a second connection does not."""

    async def run() -> None:
        limit = RateLimitSettings(max_emails=100, max_connections=1)
        async with Sink(Moods(delays={"body": 0.05})) as sink, client(sink.port, rate_limit=limit) as sending:
            await sending.send(mail())
            await sending.send(mail())
            results = await asyncio.gather(sending.send(mail()), sending.send(mail()), return_exceptions=True)
            assert sorted(type(result).__name__ for result in results) == ["SendResult", "SmtpRateLimitError"]

    waiting.run(run())
