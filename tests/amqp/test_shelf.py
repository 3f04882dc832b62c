"""The shelf: whose turn it is."""

from __future__ import annotations

import asyncio

from mailer.amqp.consumer import Budget
from mailer.amqp.shelf import PORTION, Shelf


def portions(shelf: Shelf[tuple[str, int]], most: int, count: int) -> list[list[str]]:
    """The next ones."""

    async def taken() -> list[list[str]]:
        return [[name for name, _ in await shelf.portion(most)] for _ in range(count)]

    return asyncio.run(asyncio.wait_for(taken(), 60))


def filled(*queues: int, size: int = 1) -> Shelf[tuple[str, int]]:
    """A shelf with so many letters of each queue; the queues are called a, b, c."""

    async def made() -> Shelf[tuple[str, int]]:
        shelf: Shelf[tuple[str, int]] = Shelf(len(queues), lambda one: one[1])
        for at, count in enumerate(queues):
            for _ in range(count):
                shelf.put(at, ("abc"[at], size))
        return shelf

    return asyncio.run(made())


def test_the_first_queue_goes_first() -> None:
    """And the others when it has nothing."""
    assert portions(filled(3, 2), 8, 1) == [list("aaabb")]


def test_no_queue_starves() -> None:
    """A part of each portion is for each of those behind."""
    assert portions(filled(100, 5, 5), 16, 2) == [list("a" * 12 + "bbcc")] * 2


def test_a_portion_has_a_bound_in_bytes() -> None:
    """One letter alone may be more."""
    assert portions(filled(3, size=PORTION), 8, 3) == [["a"]] * 3
    assert portions(filled(2, size=PORTION + 1), 8, 2) == [["a"]] * 2


def test_what_is_held_has_a_budget() -> None:
    """Whoever wants more waits until there is room; what is wanted no more is not taken; one alone may be more than all."""

    async def run() -> None:
        budget, wanted = Budget(10), [True]
        assert await budget.take(50, lambda: True)
        waiting = asyncio.ensure_future(budget.take(5, lambda: wanted[0]))
        await asyncio.sleep(0)
        assert not waiting.done()
        budget.give(50)
        assert await waiting
        waiting = asyncio.ensure_future(budget.take(6, lambda: wanted[0]))
        await asyncio.sleep(0)
        wanted[0] = False
        budget.give(0)
        assert not await waiting
        assert budget.left == 5

    asyncio.run(run())
