"""Turns at making handshakes of TLS."""

from __future__ import annotations

import asyncio

import pytest

from mailer.net import handshakes
from mailer.net.handshakes import HURRIED, SECONDS, Handshakes


def test_so_many_at_a_time() -> None:
    """The next one waits until one is done; while many are at it, each has less time."""

    async def run() -> None:
        turns, go_on, allowed = Handshakes(4), asyncio.Event(), []

        async def make() -> None:
            async with turns.turn() as seconds:
                allowed.append(seconds)
                await go_on.wait()

        making = [asyncio.ensure_future(make()) for _ in range(6)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert allowed == [SECONDS, SECONDS, HURRIED, HURRIED]
        go_on.set()
        await asyncio.gather(*making)
        assert len(allowed) == 6

    asyncio.run(run())


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no turn comes, that is a timeout, and the turns of others are as they were."""
    monkeypatch.setattr(handshakes, "SECONDS", 0.0)

    async def run() -> None:
        turns = Handshakes(1)
        async with turns.turn():
            with pytest.raises(TimeoutError):
                async with turns.turn():
                    raise AssertionError
        async with turns.turn():
            pass

    asyncio.run(run())


def test_a_handshake_that_fails_gives_its_turn_back() -> None:
    """However it ends."""

    async def run() -> None:
        turns = Handshakes(1)
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                async with turns.turn():
                    raise ConnectionResetError

    asyncio.run(run())
