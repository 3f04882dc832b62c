"""Connections of the client: how many, who waits, which live, and what a cancelled send leaves behind."""

from __future__ import annotations

import asyncio
import gc

import pytest

from mailer import (
    ErrorKind,
    PoolSettings,
    PoolStatus,
    RateLimitSettings,
    RetrySettings,
    SmtpCancelledError,
    SmtpClient,
    SmtpConnectionError,
    SmtpError,
    SmtpPoolError,
)
from mailer.sink import Moods, Sink
from mailer.transport.route import Timeouts
from tests.fakes import waiting
from tests.fakes.friendly import Friendly
from tests.fakes.script import Hang

from .letters import ONCE, Watched, client, mail


async def until(condition) -> None:  # type: ignore[no-untyped-def]
    """Wait until it holds."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def test_never_more_than_the_maximum() -> None:
    """Many sends share a few connections, and all of them are used."""

    async def run() -> None:
        settings = PoolSettings(max_connections=3)
        async with Watched(Moods(delays={"body": 0.02})) as sink, client(sink.port, pool=settings) as sending:
            await asyncio.gather(*(sending.send(mail()) for _ in range(15)))
            assert (sink.count, sink.most, sink.all) == (15, 3, 3)
            assert sending.pool_status() == PoolStatus(idle=3, in_use=0, pending=0, max_size=3)

    waiting.run(run())


def test_the_status_tells_what_is_going_on() -> None:
    """In use, waiting in line, idle: at each moment."""

    async def run() -> None:
        settings = PoolSettings(max_connections=2)
        async with Sink(Moods(delays={"body": 0.1})) as sink, client(sink.port, pool=settings) as sending:
            assert sending.pool_status() == PoolStatus(0, 0, 0, 2)
            sends = [asyncio.create_task(sending.send(mail())) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert sending.pool_status() == PoolStatus(idle=0, in_use=2, pending=3, max_size=2)
            assert sending.pool_status().total == 2
            await asyncio.gather(*sends)
            assert sending.pool_status() == PoolStatus(idle=2, in_use=0, pending=0, max_size=2)

    waiting.run(run())


def test_first_come_first_served() -> None:
    """Who waits in line is not overtaken, not even by somebody who comes in the moment in which a connection is free."""

    async def run() -> None:
        order: list[int] = []

        async def one(number: int, sending: SmtpClient) -> None:
            await sending.send(mail(f"user{number}@example.net"))
            order.append(number)

        async with Sink() as sink, client(sink.port, pool=PoolSettings(max_connections=1)) as sending:
            await asyncio.gather(*(one(number, sending) for number in range(20)))
            assert order == list(range(20))

    waiting.run(run())


def test_waiting_has_an_end() -> None:
    """After the acquire timeout it is an error that can be tried again later; with none, at once; the busy send goes on."""

    async def run() -> None:
        for seconds, kind in ((0.05, ErrorKind.ACQUIRE_TIMEOUT), (0.0, ErrorKind.POOL_EXHAUSTED)):
            settings = PoolSettings(max_connections=1, acquire_timeout=seconds)
            async with Sink(Moods(delays={"body": 0.2})) as sink, client(sink.port, pool=settings) as sending:
                busy = asyncio.create_task(sending.send(mail()))
                await asyncio.sleep(0.05)
                with pytest.raises(SmtpPoolError) as caught:
                    await sending.send(mail())
                assert (caught.value.kind, caught.value.retryable) == (kind, True)
                await busy
                await sending.send(mail())
                assert sending.pool_status() == PoolStatus(1, 0, 0, 1)

    waiting.run(run())


@pytest.mark.parametrize("phase", ["greeting", "ehlo", "mail", "rcpt", "data", "body"])
def test_a_cancelled_send_leaves_no_half_transaction(phase: str) -> None:
    """Wherever it was, its connection is not used again, its place is free, and nothing of it is in the next message."""

    async def run() -> None:
        moods = Moods(delays={phase: 30}, first=1)
        async with Watched(moods) as sink, client(sink.port, pool=PoolSettings(max_connections=1), retry=ONCE) as sending:
            task = asyncio.create_task(sending.send(mail("first@example.net")))
            await asyncio.sleep(0.05)
            assert sending.pool_status().in_use == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert sending.pool_status() == PoolStatus(0, 0, 0, 1)
            await sending.send(mail("second@example.net"))
            assert [received.recipients for received in sink.messages] == [("second@example.net",)]
            assert sink.all == 2

    waiting.run(run())


@pytest.mark.slow
def test_cancelling_at_any_moment_loses_no_place() -> None:
    """Sends that are cancelled at every possible await leave the pool as it was."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=PoolSettings(max_connections=2)) as sending:
            for steps in range(60):
                tasks = [asyncio.create_task(sending.send(mail())) for _ in range(5)]
                for _ in range(steps):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert sending.pool_status().in_use == sending.pool_status().pending == 0
            assert (await sending.send(mail())).attempts == 1
            assert all(received.content.endswith(b"\r\n\r\nIt works.\r\n") for received in sink.messages)

    waiting.run(run())


def test_a_turn_that_comes_too_late_goes_to_the_next() -> None:
    """Who is cancelled in the moment in which his turn comes passes it on."""

    async def run() -> None:
        async with Sink(Moods(delays={"body": 0.05})) as sink, client(sink.port, pool=PoolSettings(max_connections=1)) as sending:
            busy = asyncio.create_task(sending.send(mail()))
            await asyncio.sleep(0.02)
            unlucky, last = (asyncio.create_task(sending.send(mail())) for _ in range(2))
            busy.add_done_callback(lambda _: unlucky.cancel())
            await asyncio.gather(busy, unlucky, last, return_exceptions=True)
            assert unlucky.cancelled()
            assert not last.exception()
            assert sending.pool_status() == PoolStatus(1, 0, 0, 1)

    waiting.run(run())


def test_old_connections_are_not_used() -> None:
    """Beyond its lifetime a session takes no more messages."""

    async def run() -> None:
        async with Watched() as sink, client(sink.port, pool=PoolSettings(max_lifetime=0.05)) as sending:
            await sending.send(mail())
            await sending.send(mail())
            assert sink.all == 1
            await asyncio.sleep(0.06)
            await sending.send(mail())
            assert sink.all == 2

    waiting.run(run())


def test_idle_connections_take_their_leave() -> None:
    """After the idle timeout there is none left, with nobody to keep one warm."""

    async def run() -> None:
        async with Sink() as sink, client(sink.port, pool=PoolSettings(min_idle=0, idle_timeout=0.05)) as sending:
            await sending.send(mail())
            assert sending.pool_status().idle == 1
            await until(lambda: not sink.sessions)
            assert sending.pool_status().idle == 0

    waiting.run(run())


def test_a_connection_that_waited_is_asked_before_it_is_used() -> None:
    """NOOP tells whether it lives; one that does not is replaced, and the message goes out in its first attempt."""

    async def run() -> None:
        settings = PoolSettings(min_idle=0, health_check_interval=300, idle_timeout=3600)
        loop = asyncio.get_running_loop()
        clock = loop.time
        async with Friendly() as server, client(server.port, pool=settings, retry=ONCE) as sending:
            await sending.send(mail())
            await sending.send(mail())
            assert b"NOOP" not in server.said
            loop.time = lambda: clock() + 301  # type: ignore[method-assign]
            await sending.send(mail())
            assert server.said.count(b"NOOP") == 1
            server.replies[b"NOOP"] = None
            loop.time = lambda: clock() + 602  # type: ignore[method-assign]
            assert (await sending.send(mail())).attempts == 1
            assert (server.said.count(b"NOOP"), server.sessions) == (2, 2)

    waiting.run(run())


def test_health_checks_can_be_switched_off() -> None:
    """Then nobody is asked."""

    async def run() -> None:
        settings = PoolSettings(min_idle=0, health_check=False, health_check_interval=0.01)
        async with Friendly() as server, client(server.port, pool=settings) as sending:
            await sending.send(mail())
            await asyncio.sleep(0.02)
            await sending.send(mail())
            assert b"NOOP" not in server.said

    waiting.run(run())


def test_some_connections_are_kept_warm() -> None:
    """From the first send on there are as many as were asked for; they live beyond the idle timeout, and broken ones are replaced."""

    async def run() -> None:
        settings = PoolSettings(min_idle=2, idle_timeout=0.1, health_check_interval=0.03)
        async with Watched() as sink, client(sink.port, pool=settings) as sending:
            await asyncio.sleep(0.1)
            assert sink.all == 0, "nothing has been sent yet"
            await sending.send(mail())
            await until(lambda: sending.pool_status().idle == 2)
            await asyncio.sleep(0.3)
            assert (sending.pool_status().idle, len(sink.sessions), sink.all) == (2, 2, 2)
            for session in list(sink.sessions):
                session.abort()
            await until(lambda: sink.all == 4)
            await asyncio.sleep(0.1)
            assert len(sink.sessions) == 2

    waiting.run(run())


def test_keeping_warm_troubles_nobody() -> None:
    """A server that is away is looked for again later, silently."""

    async def run() -> None:
        settings = PoolSettings(health_check_interval=0.02)
        sink = Sink()
        async with sink, client(sink.port, pool=settings, retry=ONCE) as sending:
            port = sink.port
            await sending.send(mail())
            await sink.close()
            await asyncio.sleep(0.1)
            with pytest.raises(SmtpConnectionError):
                await sending.send(mail())
            async with Watched(port=port) as again:
                await until(lambda: len(again.sessions) == 1)
                await sending.send(mail())

    waiting.run(run())


# The end


def test_shutdown_lets_what_is_under_way_finish() -> None:
    """Who waits in line is told, who sends has sent, and the server hears QUIT."""

    async def run() -> None:
        async with Friendly({b"EHLO": b"250 x\r\n"}) as server:
            sending = client(server.port, pool=PoolSettings(max_connections=1))
            sends = [asyncio.create_task(sending.send(mail())) for _ in range(3)]
            while not sending.pool_status().pending:
                await asyncio.sleep(0)
            await sending.shutdown()
            first, *others = await asyncio.gather(*sends, return_exceptions=True)
            assert first.accepted  # type: ignore[union-attr]
            assert [error.kind for error in others if isinstance(error, SmtpCancelledError)] == [ErrorKind.CANCELLED] * 2
            assert server.said[-1] == b"QUIT"
            await sending.shutdown()
            with pytest.raises(SmtpCancelledError):
                await sending.send(mail())
            assert sending.pool_status() == PoolStatus(0, 0, 0, 1)

    waiting.run(run())


@pytest.mark.parametrize("replies", [[], [b"250 x\r\n"]])
def test_shutdown_does_not_wait_for_ever(replies: list[bytes]) -> None:
    """After the grace the connection is dropped, whether it was being opened or used."""

    async def run() -> None:
        async with Hang(b"220 x\r\n", replies) as server:
            sending = client(server.port, retry=ONCE)
            task = asyncio.create_task(sending.send(mail()))
            await until(lambda: server.sessions)
            await asyncio.sleep(0.02)
            began = asyncio.get_running_loop().time()
            await sending.shutdown(grace=0.05)
            assert asyncio.get_running_loop().time() - began < 1
            [error] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(error, SmtpError)

    waiting.run(run())


def test_shutdown_ends_waits() -> None:
    """A send that waits for its next attempt is over at once, with the error of the last one."""

    async def run() -> None:
        async with Sink() as sink:
            sending = client(sink.port, retry=RetrySettings(initial_delay=20))
            task = asyncio.create_task(sending.send(mail("451@example.net")))
            await until(lambda: sending.pool_status().idle)
            await sending.shutdown()
            [error] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(error, SmtpError)
            assert error.code == 451
            sending = client(sink.port, rate_limit=RateLimitSettings(max_emails=1, on_limit="wait"))
            await sending.send(mail())
            task = asyncio.create_task(sending.send(mail()))
            await asyncio.sleep(0.01)
            await sending.shutdown()
            [error] = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(error, SmtpCancelledError)

    waiting.run(run())


@pytest.mark.slow
def test_many_clients_leave_nothing_behind() -> None:
    """No task, no socket and no session outlives its client."""

    async def run() -> None:
        async with Sink() as sink:
            for _ in range(100):
                async with client(sink.port, timeouts=Timeouts(quit=1)) as sending:
                    await sending.send(mail())
            assert len(asyncio.all_tasks()) == 1
            await until(lambda: not sink.sessions)
            gc.collect()
            assert not [thing for thing in gc.get_objects() if isinstance(thing, SmtpClient) and thing is not sending]

    waiting.run(run())
