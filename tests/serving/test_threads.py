"""The threads in which mailboxes are asked are shared by their users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Event

import pytest

from mailer.serving.threads import SHARE, THREADS, BoxThreads


def shared(test: Callable[[BoxThreads, Event], Awaitable[None]]) -> None:
    """Do `test` with threads, and with what those wait for who are to go on at its end."""

    async def scenario() -> None:
        end = Event()
        with BoxThreads() as threads:
            try:
                async with asyncio.timeout(20):
                    await test(threads, end)
            finally:
                end.set()

    asyncio.run(scenario())


def test_one_user_leaves_threads_to_the_others() -> None:
    """However much he asks at a time, somebody else is answered; and his own questions all come to their turn."""

    async def test(threads: BoxThreads, end: Event) -> None:
        began = []

        def long(number: int) -> int:
            began.append(number)
            end.wait()
            return number

        asked = [asyncio.ensure_future(threads.answer("ann", lambda each=each: long(each))) for each in range(3 * THREADS)]  # type: ignore[misc]
        assert await threads.answer("bob", lambda: "here") == "here"
        assert len(began) <= SHARE
        end.set()
        assert await asyncio.gather(*asked) == [*range(3 * THREADS)]
        assert began == [*range(3 * THREADS)]

    shared(test)


def test_who_leaves_gains_no_thread() -> None:
    """What he has asked for is done to its end, and keeps its place until then; what waits is not begun."""

    async def test(threads: BoxThreads, end: Event) -> None:
        for _ in range(3 * THREADS):
            asked = asyncio.ensure_future(threads.answer("ann", end.wait))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
        assert await threads.answer("bob", lambda: "here") == "here"
        end.set()
        assert await threads.answer("ann", lambda: "here") == "here"

    shared(test)


def test_a_place_that_was_handed_over_to_somebody_who_leaves_goes_on() -> None:
    """The next has it."""

    async def test(threads: BoxThreads, end: Event) -> None:
        asked = [asyncio.ensure_future(threads.answer("ann", end.wait)) for _ in range(SHARE)]
        leaving = [asyncio.ensure_future(threads.answer("ann", lambda: None)) for _ in range(SHARE)]
        await asyncio.sleep(0)
        end.set()
        await asyncio.gather(*asked)
        for each in leaving:
            each.cancel()
        await asyncio.wait(leaving)
        assert await asyncio.gather(*(threads.answer("ann", lambda: "here") for _ in range(SHARE + 1))) == ["here"] * (SHARE + 1)

    shared(test)


def test_what_a_question_raises_is_raised() -> None:
    """And frees its place; of threads that have ended, the error is told and no place is kept."""

    async def test(threads: BoxThreads, _: Event) -> None:
        for _ in range(2 * SHARE):
            with pytest.raises(ZeroDivisionError):
                await threads.answer("ann", lambda: 1 // 0)
        threads.shutdown()
        for _ in range(2 * SHARE):
            with pytest.raises(RuntimeError):
                await threads.answer("ann", lambda: 1)

    shared(test)
