"""A filter has its turns and its time; what it does wrong is noted once, and a message that finds no turn says nothing about it."""

from __future__ import annotations

import asyncio

import pytest

from mailer.events import Event
from mailer.filtering.attended import AttendedFilter, FilterFinding
from mailer.filtering.health import FilterHealth
from mailer.scan.opinion import Opinion, ScanError

from .scene import StoppedClock, section

SOON, LATER = 0.05, 60.0


def attended(told: list[Event], **more: object) -> AttendedFilter:
    return AttendedFilter(section("clamd", "/nowhere", **more), told.append, StoppedClock())


def until(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def test_so_many_messages_at_a_time_and_no_more() -> None:
    """Others wait; who finds no turn by the end of his time is put off, and the filter, which works, is not in trouble."""

    async def main() -> None:
        told: list[Event] = []
        filter = attended(told, at_once=2)
        here, gate, inside = asyncio.Semaphore(0), asyncio.Event(), 0

        async def ask() -> Opinion:
            nonlocal inside
            inside += 1
            here.release()
            await gate.wait()
            return Opinion()

        running = [asyncio.create_task(filter.find(1, until(LATER), ask)) for _ in range(2)]
        await here.acquire()
        await here.acquire()
        refused = await filter.find(1, until(SOON), ask)
        waiting = asyncio.create_task(filter.find(1, until(LATER), ask))
        gate.set()
        found = await asyncio.gather(*running, waiting)
        assert [each.failure for each in found] == [None] * 3
        assert refused.failure is not None
        assert refused.failure.waits
        assert inside == 3
        assert not [event for event in told if type(event).__name__ == "Alarm"]

    asyncio.run(main())


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 783)"), ScanError("it says nonsense"), TimeoutError()]
)
def test_whatever_a_filter_does_wrong_is_a_failure(error: Exception) -> None:
    async def main() -> FilterFinding:
        async def ask() -> Opinion:
            raise error

        return await attended([]).find(1, until(LATER), ask)

    found = asyncio.run(main())
    assert found.failure is not None
    assert str(found.failure) in ("Connection refused", "it says nonsense", "it does not answer in time")


def test_a_bug_of_ours_is_no_failure_of_the_filter() -> None:
    async def main() -> None:
        async def ask() -> Opinion:
            raise KeyError("x")

        with pytest.raises(KeyError):
            await attended([]).find(1, until(LATER), ask)

    asyncio.run(main())


def test_an_outage_has_two_moments_and_an_end() -> None:
    """It begins; after the patience mail is taken without the filter; one answer ends it, and the next outage begins anew."""
    health = FilterHealth(900.0)
    assert health.answered() == "answers"
    assert health.answered() == ""
    assert (health.failed(1000.0, "gone"), health.waits(1000.0)) == ("fails", True)
    assert (health.failed(1899.0, "gone"), health.waits(1899.0)) == ("", True)
    assert (health.failed(1900.0, "gone"), health.waits(1900.0)) == ("passed over", False)
    assert (health.failed(2000.0, "gone"), health.trouble) == ("", "gone")
    assert health.answered() == "answers"
    assert (health.failed(3000.0, "again"), health.waits(3000.0)) == ("fails", True)


def test_a_patience_without_end_waits_for_ever() -> None:
    health = FilterHealth(float("inf"))
    health.failed(0.0, "gone")
    assert health.waits(1e12)
