"""What may take long beside the loop: a thread of its own, one for each source."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from mailer.mail.problem import Problem
from mailer.net.aside import aside


def test_those_who_ask_the_same_wait_for_one_answer() -> None:
    """However many sessions: the source is asked once; and once more when there is an answer."""

    async def scenario() -> None:
        asked, go = [], threading.Event()

        def source() -> str:
            asked.append(1)
            go.wait(60)
            return "secret"

        waiters = [asyncio.create_task(aside(source)) for _ in range(50)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        go.set()
        assert await asyncio.gather(*waiters[1:]) == ["secret"] * 49
        assert await aside(source) == "secret"
        assert len(asked) == 2

    asyncio.run(scenario())


def test_one_that_hangs_stops_neither_another_one_nor_the_disk() -> None:
    """However many hang."""

    async def scenario() -> None:
        go = threading.Event()
        hanging = [asyncio.create_task(aside(lambda nth=nth: go.wait(60) and nth)) for nth in range(40)]  # type: ignore[misc]
        await asyncio.sleep(0)
        assert await aside(lambda: "other") == "other"
        assert await asyncio.to_thread(lambda: "written") == "written"
        go.set()
        assert await asyncio.gather(*hanging) == [*range(40)]

    asyncio.run(scenario())


def test_what_it_raises_is_raised_to_all_and_told_to_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """Also where nobody has waited for it."""

    async def scenario() -> None:
        go = threading.Event()

        def source() -> str:
            go.wait(60)
            raise Problem("no", "try-again")

        waiters = [asyncio.create_task(aside(source)) for _ in range(2)]
        await asyncio.sleep(0)
        go.set()
        results = await asyncio.gather(*waiters, return_exceptions=True)
        assert [str(result) for result in results] == ["no", "no"]
        go.clear()
        left = asyncio.create_task(aside(source))
        await asyncio.sleep(0)
        left.cancel()
        go.set()
        with pytest.raises(Problem):
            await aside(source)

    asyncio.run(scenario())
    gc.collect()
    assert caplog.records == []
