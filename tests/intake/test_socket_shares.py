"""Shares and turns: one user who asks for much does not take what others want."""

from __future__ import annotations

import asyncio
import time

from mailer.intake.socket import UserShares, UserTurns

ANNA, BOB = 1000, 1001


def test_a_user_who_comes_late_goes_before_the_rest_of_one_who_came_often() -> None:
    """One place at a time, and one of each user waits for it."""

    async def served() -> list[int]:
        shares = UserShares(1, 1)
        order: list[int] = []

        async def comes(uid: int) -> None:
            async with shares.of(uid):
                order.append(uid)
                await asyncio.sleep(0)

        await asyncio.gather(*(comes(uid) for uid in [ANNA] * 5 + [BOB]))
        assert shares._users == {}
        return order

    assert asyncio.run(served()) == [ANNA, BOB, ANNA, ANNA, ANNA, ANNA]


def test_a_user_never_has_more_than_his_share() -> None:
    """However many places are free."""

    async def most() -> int:
        shares, having, most = UserShares(4, 2), [], 0

        async def comes() -> None:
            nonlocal most
            async with shares.of(ANNA):
                having.append(ANNA)
                most = max(most, len(having))
                await asyncio.sleep(0)
                having.pop()

        await asyncio.gather(*(comes() for _ in range(8)))
        return most

    assert asyncio.run(most()) == 2


def test_who_looks_rests_afterwards_and_the_first_does_not_wait() -> None:
    """The interpreter is for deliveries: what took a moment of it is followed by three."""

    def work() -> tuple[float, float, float]:
        begun, spent = time.monotonic(), time.thread_time()
        sum(range(300_000))
        return begun, time.thread_time() - spent, time.monotonic()

    async def two() -> None:
        turns = UserTurns("test", 1, 1, 3.0)
        _, spent, ended = await turns.do(ANNA, work)
        begun, _, _ = await turns.do(BOB, work)
        assert begun - ended >= 3 * spent
        await turns.close()

    asyncio.run(two())
