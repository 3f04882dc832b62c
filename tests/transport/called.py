"""A courier with sinks that it calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mailer.mail.delivery_options import Request
from mailer.mail.outcome import Outcome
from mailer.sink import Moods, Sink
from mailer.tlspolicy import Requirement
from mailer.transport.courier import Load, SmtpCourier
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, NextHop, Route, Timeouts
from tests.fakes.mail import BODY, FakeClock, envelope

TIMEOUTS = Timeouts(5, 5, 5, 5, 5, 5, 5, 5, 1)


@dataclass
class Parcel:
    """Recipients and their route."""

    route: Route
    recipients: Sequence[int]


def load(
    ports: Sequence[int],
    *recipients: str,
    content: bytes = BODY,
    relay: bool = False,
    addresses: Sequence[str] = ("127.0.0.1",),
    options: Mapping[str, Any] | None = None,
) -> Load[Parcel]:
    """A job for `recipients` whose route leads to these ports, in order, each at all `addresses`; `options` are asked for."""
    hops = [NextHop(Endpoint(f"mx{nth}.example.net", port, Requirement("none")), addresses, relay) for nth, port in enumerate(ports)]
    asked = None if options is None else lambda: Request.read(options)
    return Load(Parcel(Route("destination", tuple(hops), relay), range(len(recipients))), envelope(*recipients), content, asked)


def play(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it; a scenario that hangs is a failure."""

    async def bounded() -> None:
        async with asyncio.timeout(240):
            await scenario

    asyncio.run(bounded())


Deliver = Callable[[Load[Parcel]], Coroutine[Any, Any, list[Outcome]]]
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
