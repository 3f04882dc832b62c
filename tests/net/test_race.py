"""Several ways to the same thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.net.race import race
from tests.fakes import waiting

Way = tuple[str, float, bool]  # its name, how long it takes, and whether it leads anywhere


class Track:
    """Runs ways and notes what became of each."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.lost: list[str] = []
        self.discarded: list[str] = []
        self.open: set[str] = set()

    async def attempt(self, way: Way) -> str:
        name, seconds, good = way
        self.begun.append(name)
        await asyncio.sleep(seconds)
        if not good:
            raise OSError(name)
        self.open.add(name)
        return name

    def discard(self, name: str) -> None:
        self.discarded.append(name)
        self.open.discard(name)

    async def run(self, *ways: Way, stagger: float = 0.05) -> str:
        _, name = await race(ways, self.attempt, lambda way, _: self.lost.append(way[0]), self.discard, stagger)
        return name


def with_track(test: Callable[[Track], Coroutine[None, None, None]]) -> Track:
    """Run `test`; nothing may be left running."""

    async def run() -> Track:
        track = Track()
        await test(track)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return track

    return waiting.run(run())


def test_the_first_is_quick() -> None:
    """Where the first way leads there at once, no other is tried."""

    async def test(track: Track) -> None:
        assert await track.run(("a", 0, True), ("b", 0, True)) == "a"

    assert with_track(test).begun == ["a"]


def test_the_first_does_not_answer() -> None:
    """While the first keeps us waiting the next is tried, and whoever is first counts; the other is called off."""

    async def test(track: Track) -> None:
        assert await track.run(("a", 9, True), ("b", 0.01, True)) == "b"

    assert with_track(test).lost == []


def test_the_first_fails() -> None:
    """A way that fails is followed by the next at once, not after the delay."""

    async def test(track: Track) -> None:
        began = asyncio.get_running_loop().time()
        assert await track.run(("a", 0, False), ("b", 0, False), ("c", 0, True), stagger=5) == "c"
        assert asyncio.get_running_loop().time() - began < 1

    assert with_track(test).lost == ["a", "b"]


@pytest.mark.parametrize("count", [1, 2])
def test_all_fail(count: int) -> None:
    """Where nothing leads there, the last failure says why."""

    async def test(track: Track) -> None:
        ways = [("a", 0.02, False), ("b", 0.0, False)][:count]
        with pytest.raises(OSError, match=r"[ab]"):
            await track.run(*ways, stagger=0.001)
        assert sorted(track.lost) == ["a", "b"][:count]

    with_track(test)


def test_both_at_the_same_moment() -> None:
    """Of two that arrive together one counts, and the other is discarded."""

    async def test(track: Track) -> None:
        name = await track.run(("a", 0.02, True), ("b", 0.01, True), stagger=0.01)
        assert track.open == {name}

    with_track(test)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=5), st.integers(0, 6))
def test_cancelled_at_any_moment(plan: list[tuple[int, bool]], moment: int) -> None:
    """Whenever the race is called off, nothing of it is left: no task, and nothing that was got and not handed over."""

    async def test(track: Track) -> None:
        ways = [(str(number), ticks * 0.002, good) for number, (ticks, good) in enumerate(plan)]
        task = asyncio.create_task(track.run(*ways, stagger=0.002))
        await asyncio.sleep(moment * 0.002)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert track.open == ({result} if isinstance(result, str) else set())

    with_track(test)
