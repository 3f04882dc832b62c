"""One message over sessions, as the daemon and the library have it: what holds for one holds for the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer import Email, RetrySettings, SmtpClient, SmtpError
from mailer.sink import Moods, Sink
from mailer.sink.faults import Fault
from mailer.smtp.reply import Reply
from mailer.transport.courier import SmtpCourier
from mailer.transport.pool import Pool
from tests.fakes.mail import FakeClock

from .called import TIMEOUTS, load, play

Send = Callable[[int], Awaitable[str]]
"""Sends one message to a port, and tells what came of it."""


async def by_the_daemon(scenario: Callable[[Send], Awaitable[None]]) -> None:
    """One session of a courier."""
    courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
    session = courier.session()

    async def send(port: int) -> str:
        (outcome,) = await session.deliver(load([port], "a@example.net"), lambda: None)
        return "taken" if outcome.verdict == "delivered" else str(outcome.code)

    await scenario(send)
    session.end()
    await courier.close()


async def by_a_program(scenario: Callable[[Send], Awaitable[None]]) -> None:
    """A client that makes one attempt."""
    clients: dict[int, SmtpClient] = {}

    async def send(port: int) -> str:
        if port not in clients:
            clients[port] = SmtpClient("127.0.0.1", port, tls="none", timeouts=TIMEOUTS, retry=RetrySettings(max_attempts=1))
        try:
            await clients[port].send(Email(from_="me@example.com", to="a@example.net", text="hello"))
        except SmtpError as error:
            return str(error.code)
        return "taken"

    await scenario(send)
    for sending in clients.values():
        await sending.shutdown()


class Tired(Sink):
    """Answers a command of a session that has brought `after` messages with 421."""

    def __init__(self, phase: str, after: int = 1) -> None:
        super().__init__(Moods())
        self.phase = phase
        self.after = after
        self.sessions_seen = 0
        self._brought: dict[Any, int] = {}

    def decide(self, question: Any, session: Any) -> Fault:
        """Count, and answer."""
        self.sessions_seen += question.phase == "greeting"
        brought = self._brought.get(session, 0)
        if question.phase == self.phase and brought >= self.after:
            return Fault(Reply.own(421, "4.3.2", "this session has had enough"))
        self._brought[session] = brought + (question.phase == "body")
        return super().decide(question, session)


both = pytest.mark.parametrize("way", [by_the_daemon, by_a_program])


@both
def test_a_kept_session_that_is_answered_with_421_is_no_failure(way: Any) -> None:
    """RFC 5321 §3.8: the host hangs up on a session that was used before; the message is said on a new one, in the same attempt."""

    async def run() -> None:
        async with Tired("mail") as sink:

            async def scenario(send: Send) -> None:
                assert [await send(sink.port) for _ in range(3)] == ["taken"] * 3

            await way(scenario)
            assert (sink.count, sink.sessions_seen) == (3, 3)

    play(run())


@both
def test_a_kept_session_that_is_lost_is_no_failure(way: Any) -> None:
    """The host closed it behind its last answer."""

    async def run() -> None:
        async with Sink(Moods(drops=["after-body"])) as sink:

            async def scenario(send: Send) -> None:
                assert [await send(sink.port) for _ in range(3)] == ["taken"] * 3

            await way(scenario)
            assert sink.count == 3

    play(run())


@both
@pytest.mark.parametrize(("phase", "after"), [("mail", 0), ("rcpt", 1), ("data", 1), ("body", 1)])
def test_421_in_a_new_session_or_after_the_host_has_begun_is_its_answer(way: Any, phase: str, after: int) -> None:
    """A new session was not stale, and a host that has heard more than MAIL has spoken about this message."""

    async def run() -> None:
        async with Tired(phase, after) as sink:

            async def scenario(send: Send) -> None:
                assert [await send(sink.port) for _ in range(after + 1)] == ["taken"] * after + ["421"]

            await way(scenario)
            assert sink.sessions_seen == 1

    play(run())
