"""The addresses of a host: their order, several tried at a time, and those that failed a moment ago."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.net.happy_eyeballs import FAMILIES, LONGEST, MEMORY, MOST, NegativeCache, arranged, race, source
from tests.fakes import waiting

BOTH = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]
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
@example([(3, True), (1, False), (1, False), (1, False), (0, False)], 3)  # one has come, and the others are being called off
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


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("any", BOTH),
        ("prefer4", ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]),
        ("prefer6", ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]),
        ("only4", ["192.0.2.1", "192.0.2.2"]),
        ("only6", ["2001:db8::1", "2001:db8::2"]),
    ],
)
def test_arranged(family: str, wanted: list[str]) -> None:
    """A family may come first or be the only one; within it the order stays."""
    assert family in FAMILIES
    assert arranged(BOTH, family) == wanted


def test_source() -> None:
    """A host is called from our address of its family; where there is none, the system chooses."""
    assert source(("192.0.2.9", "2001:db8::9"), "2001:db8::1") == "2001:db8::9"
    assert source(("192.0.2.9", ""), "192.0.2.1") == "192.0.2.9"
    assert source(("192.0.2.9", ""), "2001:db8::1") == ""


def test_dead_addresses() -> None:
    """What could not be reached comes last for a minute, unless it answers before."""
    now = [0.0]
    dead = NegativeCache(lambda: now[0])
    dead.add("a", 25)
    assert dead.last(["a", "b"], 25) == ["b", "a"]
    assert dead.last(["a", "b"], 587) == ["a", "b"]
    dead.add("b", 25)
    assert dead.last(["a", "b"], 25) == ["a", "b"]
    dead.discard("a", 25)
    assert dead.last(["b", "a"], 25) == ["a", "b"]
    now[0] = MEMORY
    assert dead.last(["b", "a"], 25) == ["b", "a"]


def test_dead_for_longer_and_longer() -> None:
    """Twice as long each time, up to a quarter of an hour; what fails meanwhile says nothing new, and a good while makes it good."""
    now = [0.0]
    dead = NegativeCache(lambda: now[0])

    def fails() -> float:
        """How long the address is dead for."""
        dead.add("a", 25)
        begun = now[0]
        while dead.all(["a"], 25):
            now[0] += 1
            if now[0] - begun < MEMORY:
                dead.add("a", 25)
        return now[0] - begun

    assert [fails() for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    now[0] += LONGEST
    assert fails() == MEMORY
    dead.discard("a", 25)
    assert not dead
    assert fails() == MEMORY


def test_a_host_is_dead_when_all_its_addresses_are() -> None:
    """One that is left makes it as good as any."""
    dead = NegativeCache(lambda: 0.0)
    dead.add("a", 25)
    assert dead.all(["a"], 25)
    assert not dead.all(["a", "b"], 25)
    assert not dead.all(["a"], 587)


def test_only_so_many_are_remembered() -> None:
    """However many addresses die, memory is bounded, and the last ones are known."""
    dead = NegativeCache(lambda: 0.0)
    for number in range(MOST + 1):
        dead.add(str(number), 25)
    assert dead.last(["0", "x"], 25) == ["0", "x"]
    assert dead.last([str(MOST), "x"], 25) == ["x", str(MOST)]
