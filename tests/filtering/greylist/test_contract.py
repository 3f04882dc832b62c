"""Who was put off is remembered alike wherever that is kept: in SQLite, and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mailer.filtering.greylist.api import Greylist, GreylistTerms, key_of
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.filtering.greylist.sqlite import SqliteGreylist
from mailer.mail.problem import Problem

NOW = 1_800_000_000.0
TERMS = GreylistTerms(300.0, 3600.0, 86400.0)
Scenario = Callable[[Greylist], Coroutine[Any, Any, None]]


@pytest.fixture(params=["sqlite", "memory"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario with an empty list that has room for three."""

    def ran(scenario: Scenario) -> None:
        async def main() -> None:
            greylist = MemoryGreylist(3) if request.param == "memory" else SqliteGreylist(str(tmp_path), 3)
            try:
                await scenario(greylist)
            finally:
                await greylist.close()

        asyncio.run(main())

    return ran


def test_who_comes_first_waits_and_passes_when_he_comes_again(run: Callable[[Scenario], None]) -> None:
    """Who comes too early waits on, and not anew; who has passed passes at once, as long as he comes within the time."""

    async def scenario(greylist: Greylist) -> None:
        assert await greylist.met(["a", "b"], NOW, TERMS) == [300.0, 300.0]
        assert await greylist.met(["a"], NOW + 100, TERMS) == [200.0]
        assert await greylist.met(["a"], NOW + 300, TERMS) == [0.0]
        assert await greylist.met(["a", "b"], NOW + 80_000, TERMS) == [0.0, 300.0]
        assert await greylist.met(["a"], NOW + 160_000, TERMS) == [0.0]
        assert await greylist.met(["a"], NOW + 300_000, TERMS) == [300.0]
        assert await greylist.count() == 2

    run(scenario)


def test_what_is_over_is_forgotten(run: Callable[[Scenario], None]) -> None:
    async def scenario(greylist: Greylist) -> None:
        assert await greylist.expire(NOW, TERMS) == 0
        await greylist.met(["a", "b"], NOW, TERMS)
        await greylist.met(["a"], NOW + 400, TERMS)
        assert await greylist.expire(NOW + 3600, TERMS) == 0
        assert await greylist.expire(NOW + 3601, TERMS) == 1
        assert await greylist.met(["a"], NOW + 3602, TERMS) == [0.0]
        assert await greylist.expire(NOW + 90_003, TERMS) == 1
        assert await greylist.count() == 0

    run(scenario)


def test_there_is_room_for_so_many_and_the_oldest_goes(run: Callable[[Scenario], None]) -> None:
    async def scenario(greylist: Greylist) -> None:
        for at, key in enumerate("abc"):
            await greylist.met([key], NOW + at, TERMS)
        await greylist.met(["a"], NOW + 5, TERMS)
        await greylist.met(["d"], NOW + 6, TERMS)
        assert await greylist.count() == 3
        assert await greylist.met(["a"], NOW + 305, TERMS) == [0.0]
        assert await greylist.met(["b"], NOW + 306, TERMS) == [300.0]

    run(scenario)


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long(run: Callable[[Scenario], None]) -> None:
    async def scenario(greylist: Greylist) -> None:
        await greylist.met(["a"], NOW, TERMS)
        assert await greylist.met(["a"], NOW - 1_000_000, TERMS) == [0.0]

    run(scenario)


def test_what_was_remembered_outlives_its_process(tmp_path: Path) -> None:
    async def main() -> None:
        first = SqliteGreylist(str(tmp_path))
        await first.met(["a"], NOW, TERMS)
        await first.close()
        assert await SqliteGreylist(str(tmp_path)).met(["a"], NOW + 300, TERMS) == [0.0]

    asyncio.run(main())


def test_a_file_that_is_none_is_a_problem_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "greylist.sqlite3").write_bytes(b"garbage" * 1000)
    (tmp_path / "greylist.sqlite3").chmod(0o600)

    async def main() -> None:
        with pytest.raises(Problem, match=r"greylist.*remove it"):
            await SqliteGreylist(str(tmp_path)).met(["a"], NOW, TERMS)

    asyncio.run(main())


def test_a_pool_of_servers_is_one() -> None:
    """By the network, or by the domain that is proved; another sender or recipient is another one."""
    known = key_of("192.0.2.1", "", "a@b.example", "c@d.example")
    assert known == key_of("192.0.2.254", "", "A@b.example", "C@d.example") == key_of("::ffff:192.0.2.9", "", "a@b.example", "c@d.example")
    assert known != key_of("192.0.3.1", "", "a@b.example", "c@d.example")
    assert known != key_of("192.0.2.1", "", "x@b.example", "c@d.example")
    assert key_of("2001:db8::1", "", "", "c@d.example") == key_of("2001:db8::ffff", "", "", "c@d.example")
    assert key_of("192.0.2.1", "b.example", "a@b.example", "c@d.example") == key_of(
        "2001:db8::1", "B.example", "a@b.example", "c@d.example"
    )
    assert len(key_of("x" * 10_000, "", "y" * 10_000, "z")) == 32
