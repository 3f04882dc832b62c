"""Whose question to the DNS is asked now, where there are more than sockets for them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from mailer.net import turns
from mailer.net.turns import QuestionTurns


class House:
    """Questions, by name: who has a turn, and who was called off. Each lasts until it is let go."""

    def __init__(self, at_once: int) -> None:
        self.turns = QuestionTurns(at_once)
        self.order: list[str] = []
        self.over: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self._ask(name))
        await self.rest()

    async def _ask(self, name: str) -> None:
        await self.turns.come(name)
        try:
            async with self.turns.having(name):
                self.order.append(name)
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            self.over.append(name)

    async def let_go(self, name: str) -> None:
        self.tasks[name].cancel()
        await self.rest()

    async def rest(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


def play(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


def test_one_zone_takes_a_quarter_and_the_others_go_in_turns() -> None:
    """Whoever has as many names as he likes has them in one zone; what comes for another one passes those that wait."""

    async def scenario() -> None:
        house = House(16)
        await house.ask(*(f"{nth}.evil.example" for nth in range(50)))
        assert house.order == [f"{nth}.evil.example" for nth in range(4)]
        await house.ask("good.test")
        assert house.order[-1] == "good.test"
        await house.let_go("0.evil.example")
        assert house.order[-1] == "4.evil.example"
        await house.close()

    play(scenario())


def test_zones_take_turns() -> None:
    """Not the order in which they came: by turns the first, which is the last then, and the one that came last."""

    async def scenario() -> None:
        house = House(2)
        await house.ask("first.test", "1.x.example", "2.x.example", "3.x.example", "1.y.example", "1.z.example")
        for name in ("first.test", "1.x.example", "1.z.example", "1.y.example", "2.x.example"):
            await house.let_go(name)
        assert house.order[1:] == ["1.x.example", "1.z.example", "1.y.example", "2.x.example", "3.x.example"]
        await house.close()

    play(scenario())


def test_who_comes_behind_a_thousand_is_the_next_but_one_and_the_first_is_not_forgotten() -> None:
    """Also where each of the thousand has a zone of its own."""

    async def scenario() -> None:
        house = House(2)
        await house.ask("first.test", *(f"silent{nth}.example" for nth in range(1000)))
        await house.let_go("first.test")
        for name in ("good.example", "host.better.example"):
            await house.ask(name)
            for _ in range(2):
                await house.let_go(house.order[-1])
            assert name in house.order[-2:]
        assert "silent1.example" in house.order
        await house.close()

    play(scenario())


def test_a_domain_that_comes_last_has_all_of_its_questions_answered_soon() -> None:
    """Its host has two families of addresses; a zone with more names than that waits like others."""

    async def scenario() -> None:
        house = House(8)
        await house.ask(*(f"silent{nth}.example" for nth in range(100)))
        names = [f"{nth}.good.example" for nth in range(turns.FEW + 1)]
        await house.ask(*names)
        for _ in range(2 * turns.FEW):
            await house.let_go(house.order[-1])
        assert [name for name in house.order if "good" in name] == names[:-1]
        await house.close()

    play(scenario())


def test_a_name_that_failed_has_its_turn_though_new_ones_never_end() -> None:
    """One in so many."""

    async def scenario() -> None:
        house = House(2)
        house.turns.failed("mended.test")
        await house.ask("first.example", "mended.test", *(f"new{nth}.example" for nth in range(50)))
        for _ in range(turns.UNKNOWN):
            await house.let_go(house.order[-1])
        assert "mended.test" in house.order
        await house.close()

    play(scenario())


def test_a_name_that_failed_lately_comes_after_one_that_nobody_knows() -> None:
    """Until it is answered."""

    async def scenario() -> None:
        house = House(2)
        house.turns.failed("bad.test")
        house.turns.failed("mended.test")
        house.turns.answered("mended.test")
        await house.ask("first.test", "bad.test", "mended.example", "new.other")
        await house.let_go("first.test")
        await house.let_go("mended.example")
        assert house.order == ["first.test", "mended.example", "new.other"]
        await house.let_go("new.other")
        assert house.order[-1] == "bad.test"
        await house.close()

    play(scenario())


def test_who_is_not_answered_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """First for those that have just begun, then, where these are too many, for good; the one that has waited longest first."""
    monkeypatch.setattr(turns, "PATIENCE", 0.0)

    async def scenario() -> None:
        house = House(4)
        await house.ask(*(f"n{nth}.z{nth}" for nth in range(10)))
        assert len(house.order) == 10
        assert house.over == house.order[:6]
        await house.close()
        assert house.turns._all == 0

    play(scenario())


def test_who_waits_in_vain_leaves_his_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while he waits, or just when his turn has come: the next one has it."""

    async def scenario() -> None:
        house = House(2)
        await house.ask("a.test", "b.example", "c.other", "d.another")
        house.tasks["b.example"].cancel()
        await house.let_go("a.test")
        assert house.order == ["a.test", "c.other"]
        house.tasks["c.other"].cancel()
        await asyncio.sleep(0)
        house.tasks["d.another"].cancel()
        await house.rest()
        await house.ask("e.test")
        assert house.order[-1] == "e.test"
        await house.close()

    play(scenario())
