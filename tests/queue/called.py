"""A courier with sinks that it calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from mailer.mail.history import History
from mailer.mail.outcome import Outcome
from mailer.queue.attempt import Attempt, Job
from mailer.queue.courier import Load, SmtpCourier
from mailer.sink import Moods, Sink
from mailer.spool import Entry
from mailer.tlspolicy.requirement import Requirement
from mailer.transport.endpoint import Endpoint, Timeouts
from mailer.transport.pool import Pool
from mailer.transport.route import NextHop, Route
from tests.fakes.mail import BODY, NOW, FakeClock, envelope

from .post import play

TIMEOUTS = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)


def load(
    ports: Sequence[int], *recipients: str, content: bytes = BODY, relay: bool = False, addresses: Sequence[str] = ("127.0.0.1",)
) -> Load:
    """A job for `recipients` whose way leads to these ports, in order, each at all `addresses`."""
    letter = envelope(*recipients)
    hops = [NextHop(Endpoint(f"mx{nth}.example.net", port, Requirement("none")), addresses, relay) for nth, port in enumerate(ports)]
    entry = Entry(letter.id, "queued", letter, len(content), History(len(recipients)), 0.0, NOW)
    return Load(Job(Attempt(entry, NOW), Route("destination", tuple(hops), relay), range(len(recipients))), content)


Deliver = Callable[[Load], Coroutine[Any, Any, list[Outcome]]]
Scenario = Callable[[Deliver, list[Sink]], Coroutine[Any, Any, None]]


def with_sinks(scenario: Scenario, *moods: Moods) -> None:
    """Run it with a sink for each of `moods`, and with one session of a courier."""

    async def run() -> None:
        courier = SmtpCourier(Pool(TIMEOUTS), FakeClock())
        async with AsyncExitStack() as stack:
            sinks = [await stack.enter_async_context(Sink(mood)) for mood in moods]
            session = courier.session()
            try:
                await scenario(lambda given: session.deliver(given, lambda: None), sinks)
            finally:
                session.end()
                await courier.close()

    play(run())


def words(outcomes: Sequence[Outcome]) -> list[tuple[str, str, int]]:
    return [(outcome.verdict, outcome.scope, outcome.code) for outcome in outcomes]
