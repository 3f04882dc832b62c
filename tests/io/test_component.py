"""Chores: what components do every so often, and what becomes of the daemon when one of them fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mailer.io.component import Chores

Told = list[tuple[str, object]]


def with_chores(scenario: Callable[[Chores, Told], Coroutine[Any, Any, None]]) -> Told:
    """What chores have told by the end of `scenario`."""
    told: Told = []

    async def run() -> None:
        chores = Chores(lambda error: told.append(("trouble", error.strerror)), lambda what: told.append(("short", what)))
        await scenario(chores, told)

    asyncio.run(run())
    return told


async def turns(done: list[object], count: int) -> None:
    async with asyncio.timeout(60):
        while len(done) < count:
            await asyncio.sleep(0.001)


def test_nothing_is_done_before_all_have_begun() -> None:
    """What is registered waits for `begin`; then plain functions, coroutine functions and threads have their turns again and again."""

    async def scenario(chores: Chores, _: Told) -> None:
        plain: list[object] = []
        awaited: list[object] = []
        threads: list[object] = []

        async def work() -> None:
            await asyncio.sleep(0)
            awaited.append(None)

        chores.every(0.001, lambda: plain.append(None))
        chores.every(lambda: 0.001, work)
        chores.every(0.001, lambda: threads.append(threading.current_thread() is threading.main_thread()), threaded=True)
        await chores.start()
        await asyncio.sleep(0.01)
        assert plain == awaited == threads == []
        chores.begin()
        for done in (plain, awaited, threads):
            await turns(done, 3)
        await chores.stop(0.0)
        assert True not in threads

    with_chores(scenario)


def test_what_fails_for_now_is_told_and_has_its_turn_again() -> None:
    """An error of the disk goes to one, the end of the memory to the other with the words for it."""

    async def scenario(chores: Chores, told: Told) -> None:
        def full() -> None:
            raise OSError(28, "No space left")

        def short() -> None:
            raise MemoryError

        chores.every(0.001, full)
        chores.every(0.001, short, what="nothing was looked through")
        chores.begin()
        await turns(told, 20)
        await chores.stop(0.0)

    told = with_chores(scenario)
    assert set(told) == {("trouble", "No space left"), ("short", "nothing was looked through")}


def test_a_chore_with_a_bug_ends_the_daemon() -> None:
    """`until` returns though nobody asked for it, and `stop` raises what was wrong."""

    async def scenario(chores: Chores, _: Told) -> None:
        def bug() -> None:
            raise ValueError("a bug")

        chores.every(60.0, lambda: None)
        chores.every(0.001, bug)
        chores.begin()
        async with asyncio.timeout(60):
            await chores.until(asyncio.Event())
        with pytest.raises(ValueError, match="a bug"):
            await chores.stop(0.0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with_chores(scenario)


def test_work_that_ends_ends_the_daemon_and_what_is_done_beside_does_not() -> None:
    """`run` is what it lives for; `beside` is done once, and that is all."""

    async def scenario(chores: Chores, _: Told) -> None:
        done: list[object] = []
        goes_on = asyncio.Event()

        async def beside() -> None:
            done.append(None)

        async def work() -> None:
            await goes_on.wait()

        chores.beside(beside)
        chores.run(work)
        chores.begin()
        await turns(done, 1)
        waiting = asyncio.ensure_future(chores.until(asyncio.Event()))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        goes_on.set()
        async with asyncio.timeout(60):
            await waiting
        await chores.stop(0.0)

    with_chores(scenario)


def test_a_signal_ends_the_wait() -> None:
    """And what goes on is cancelled by `stop` alone."""

    async def scenario(chores: Chores, _: Told) -> None:
        stopping, done = asyncio.Event(), []
        chores.every(0.001, lambda: done.append(None))
        chores.begin()
        stopping.set()
        await chores.until(stopping)
        await turns(done, 3)
        await chores.stop(0.0)

    with_chores(scenario)


def test_what_is_wanted_soon_does_not_wait_for_its_time() -> None:
    """Setting the event gives it its turn, once for each time it was set."""

    async def scenario(chores: Chores, _: Told) -> None:
        soon, done = asyncio.Event(), []
        chores.every(3600.0, lambda: done.append(None), soon=soon)
        chores.begin()
        for count in (1, 2):
            soon.set()
            await turns(done, count)
        await asyncio.sleep(0.01)
        assert len(done) == 2
        await chores.stop(0.0)

    with_chores(scenario)
