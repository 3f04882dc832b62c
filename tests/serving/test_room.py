"""The memory of all messages that are under way."""

from __future__ import annotations

import asyncio

import pytest

from mailer.serving import room
from mailer.serving.room import SMALL, Holding, MessageRoom

MB = 1_000_000


async def settled() -> None:
    """Let everybody go on who can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_there_is_so_much_and_no_more() -> None:
    """A large message waits where three quarters are taken, and goes on when another one is gone; a small one does not wait."""

    async def run() -> None:
        body = MessageRoom(100 * MB)
        several = [Holding(f"192.0.2.{number}") for number in range(3)]
        for held in several:
            assert await body.hold(held, 24 * MB)
        first, second = Holding("a"), Holding("b")
        favoured = asyncio.ensure_future(body.hold(first, 24 * MB))
        await settled()
        assert favoured.done()  # one goes on
        waits = asyncio.ensure_future(body.hold(second, 24 * MB))
        await settled()
        assert not waits.done()
        assert await body.hold(Holding("c"), SMALL)
        assert body.waiting == 1
        body.leave(several[0])
        await settled()
        assert not waits.done()  # there are as many as before without it
        body.leave(first)
        assert await waits
        for held in (*several, second):
            body.leave(held)
        assert body.taken == SMALL

    asyncio.run(run())


def test_many_that_wait_for_one_another_come_to_an_end() -> None:
    """A hundred messages of which each wants more than is left are all taken, and never is more held than there is room for."""

    async def run() -> None:
        body, most = MessageRoom(10 * MB), 0

        async def bring(number: int) -> bool:
            nonlocal most
            held = Holding(f"192.0.2.{number}")
            for part in range(1, 11):
                if not await body.hold(held, part * 200_000):
                    return False
                most = max(most, body.taken)
                await asyncio.sleep(0)
            body.leave(held)
            return True

        assert all(await asyncio.gather(*(bring(number) for number in range(100))))
        assert most <= body.octets
        assert (body.taken, body.waiting) == (0, 0)

    asyncio.run(run())


def test_one_network_has_a_quarter() -> None:
    """Whoever has that much waits, while others go on."""

    async def run() -> None:
        body = MessageRoom(100 * MB)
        one, other, another = Holding("a"), Holding("a"), Holding("a")
        assert await body.hold(one, 25 * MB)
        assert await body.hold(other, 25 * MB)  # the one that goes on whatever there is
        waits = asyncio.ensure_future(body.hold(another, MB))
        await settled()
        assert not waits.done()
        assert await body.hold(Holding("b"), 20 * MB)
        body.leave(one)
        body.leave(other)
        assert await waits

    asyncio.run(run())


def test_who_finds_no_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever, and who has given up waits no more."""
    monkeypatch.setattr(room, "PATIENCE", 0.0)

    async def run() -> None:
        body = MessageRoom(100)
        assert await body.hold(Holding("a"), 100)
        held = Holding("b")
        assert await body.hold(held, 10) is True  # by favour
        assert await body.hold(Holding("c"), 10) is False
        assert body.waiting == 0

    asyncio.run(run())


def test_who_leaves_while_he_waits_is_forgotten() -> None:
    """A session that is cut off while it waits leaves nothing behind."""

    async def run() -> None:
        body = MessageRoom(100)
        assert await body.hold(Holding("a"), 100)
        assert await body.hold(Holding("b"), 10)
        held = Holding("c")
        waits = asyncio.ensure_future(body.hold(held, 10))
        await settled()
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        body.leave(held)
        assert (body.taken, body.waiting) == (110, 0)

    asyncio.run(run())
