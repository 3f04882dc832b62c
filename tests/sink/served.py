"""A sink, and a client that has greeted it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mailer.sink import Moods, Sink
from tests.fakes import waiting
from tests.sink.peer import Peer

GOOD = [250, 250, 354, 250]


def with_sink(test: Callable[[Sink], Awaitable[None]], moods: Moods | None = None, **settings: Any) -> None:
    """Run `test` against a sink."""

    async def run() -> None:
        async with Sink(moods, **settings) as sink:
            await asyncio.wait_for(test(sink), 30)

    waiting.run(run())


def with_peer(test: Callable[[Sink, Peer], Awaitable[None]], moods: Moods | None = None, **settings: Any) -> None:
    """Run `test` against a sink to which a client has said EHLO."""

    async def run(sink: Sink) -> None:
        async with Peer(sink.port) as peer:
            await peer.say("EHLO client.example")
            await test(sink, peer)

    with_sink(run, moods, **settings)
