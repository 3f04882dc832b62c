"""The room for bodies: in order, all or nothing, and given back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.web.room import PATIENCE, BodyRoom
from tests.fakes import waiting

from .oddities import HEAD
from .served import Served, config_with, with_server


def test_a_body_has_room_for_all_of_it_or_waits() -> None:
    """In order, so that a large one has its turn; a small one needs none."""

    async def run() -> None:
        room, order, go = BodyRoom(1_000_000), list[str](), asyncio.Event()

        async def one(name: str, octets: int) -> None:
            async with room.taking(octets):
                order.append(name)
                assert room.taken <= 1_000_000
                await go.wait()

        tasks = [asyncio.ensure_future(one(*each)) for each in (("a", 600_000), ("b", 600_000), ("c", 300_000), ("small", 10))]
        await asyncio.sleep(0.01)
        assert order == ["a", "small"]
        go.set()
        await asyncio.gather(*tasks)
        assert order == ["a", "small", "b", "c"]
        assert room.taken == 0

    waiting.run(run())


def test_a_key_has_half_of_the_room() -> None:
    """However many bodies it sends: another key's pass those of it that wait, and these have their turn when it has given some back."""

    async def run() -> None:
        room, order = BodyRoom(1_000_000), list[str]()
        ends = {name: asyncio.Event() for name in ("a1", "a2", "a3", "b1", "b2")}

        async def one(name: str) -> None:
            async with room.taking(250_000, name[0]):
                order.append(name)
                await ends[name].wait()

        tasks = [asyncio.ensure_future(one(name)) for name in ends]
        await asyncio.sleep(0.01)
        assert order == ["a1", "a2", "b1", "b2"]
        ends["b1"].set()
        await asyncio.sleep(0.01)
        assert order[4:] == []
        ends["a1"].set()
        await asyncio.sleep(0.01)
        assert order[4:] == ["a3"]
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks)
        assert room.taken == 0
        async with room.taking(800_000, "a"):  # one may be more than that
            assert room.taken == 800_000

    waiting.run(run())


def test_one_that_is_larger_than_the_room_is_alone() -> None:
    """It is not refused for ever."""

    async def run() -> None:
        room = BodyRoom(100_000)
        async with room.taking(200_000):
            with pytest.raises(TimeoutError):
                async with room.taking(70_000):
                    pass
        async with room.taking(70_000):
            assert room.taken == 70_000

    waiting.run(run())


def test_who_waits_in_vain_or_leaves_takes_none() -> None:
    """And keeps nobody behind him waiting."""

    async def run() -> None:
        room = BodyRoom(100_000)

        async def one() -> None:
            async with room.taking(90_000):
                pass

        async with room.taking(90_000):
            leaving, staying = asyncio.ensure_future(one()), asyncio.ensure_future(one())
            await asyncio.sleep(0.01)
            leaving.cancel()
            began = asyncio.get_running_loop().time()
            await asyncio.wait([leaving, staying])
            assert asyncio.get_running_loop().time() - began > PATIENCE - 1
            assert isinstance(staying.exception(), TimeoutError)
        assert room.taken == 0

    waiting.run(run())


def test_bodies_of_many_are_not_in_memory_at_once(tmp_path: Path) -> None:
    """Who finds no room is told to come again; what waits is not read."""

    async def test(served: Served) -> None:
        begun = HEAD + b"Content-Length: 100000\r\n\r\n" + b" " * 99_999
        slow = [await served.call(begun) for _ in range(8)]
        await asyncio.sleep(0.1)
        late = await served.call(begun + b" ")
        answer = await late.answer()
        assert (answer.status, answer.error["code"]) == (503, "busy")
        assert answer.fields["retry-after"]
        small = await served.call(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert (await small.answer()).status == 200
        for caller in slow:
            caller.say(b" ")
            assert len((await caller.answer()).body) == 100_000
        again = await served.call(begun + b" ")
        assert (await again.answer()).status == 200

    with_server(test, config_with(tmp_path))
