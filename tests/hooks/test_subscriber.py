"""One endpoint's reader of the journal: what is posted when, in which order, and where its cursor is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer.hooks import subscriber
from mailer.hooks.api import DeadEvent, HookWish
from mailer.hooks.endpoint import TRIES
from mailer.hooks.subscriber import AT_ONCE
from tests.fakes import waiting
from tests.hooks.endpoints import GONE, GOOD, ILL, REFUSED, START, Bench, Script, event


def with_bench(test: Callable[[Bench], Awaitable[Any]], script: Script | None = None, **settings: Any) -> None:
    """Run `test` with a sender in a loop where waiting costs nothing."""

    async def run() -> None:
        bench = Bench(script or Script(), **settings)
        try:
            await test(bench)
        finally:
            await bench.stop()

    waiting.run(run())


def test_each_event_is_posted_once_and_the_cursor_follows() -> None:
    """Eight at once, in no more time than that takes."""

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number) for number in range(100)))
        await bench.until(lambda: len(bench.script.posts) == 100)
        assert sorted(bench.script.ids) == ids
        assert bench.script.most == AT_ONCE
        await asyncio.sleep(1)
        assert await bench.cursor() == ids[-1]
        more = await bench.write(event(100))
        await bench.until(lambda: bench.script.ids[-1] == more[0])

    with_bench(test)


def test_of_one_message_one_is_under_way() -> None:
    """Its events arrive in their order, also where one of them has to be tried again."""
    order: list[str] = []

    def answer(id: str, before: int) -> Any:
        if before < 1 and id.endswith(("0", "5", "A")):
            return REFUSED
        order.append(id)
        return GOOD

    async def test(bench: Bench) -> None:
        bench.script.seconds = 0.03
        ids = await bench.write(*(event(number, message=f"01JDZ3N4T0000000000000000{number % 4}") for number in range(64)))
        await bench.until(lambda: len(order) == 64)
        for lane in range(4):
            mine = ids[lane::4]
            assert [id for id in order if id in mine] == mine

    with_bench(test, Script(answer))


def test_an_endpoint_that_is_not_well_waits_and_keeps_its_cursor() -> None:
    """5 s, 1 m, 5 m, …: one event is tried each time; when it is taken, all others follow."""
    well: list[bool] = []

    async def test(bench: Bench) -> None:
        await bench.write(*(event(number) for number in range(30)))
        await bench.until(lambda: bench.subscriber.state.failures == 3)
        assert await bench.cursor() == ""
        times = [time for time, _ in bench.script.posts]
        assert len(times) == AT_ONCE + 2
        assert times[AT_ONCE] - times[0] == pytest.approx(5, abs=0.2)
        assert times[AT_ONCE + 1] - times[AT_ONCE] == pytest.approx(60, abs=1)
        assert bench.script.most == AT_ONCE
        well.append(True)
        await bench.until(lambda: len(set(bench.script.ids)) == 30)
        await asyncio.sleep(1)
        assert await bench.cursor() == bench.script.ids[-1]
        assert bench.subscriber.state.failures == 0

    with_bench(test, Script(lambda _id, _before: GOOD if well else ILL))


def test_a_wait_outlives_the_process() -> None:
    """A sender that is started anew does not call before it is time."""

    async def test(bench: Bench) -> None:
        await bench.write(event())
        await bench.until(lambda: bench.subscriber.state.failures == 2)
        await bench.stop()
        bench.script.answer = lambda _id, _before: GOOD
        bench.start()
        before = asyncio.get_running_loop().time()
        await bench.until(lambda: len(bench.script.posts) == 3)
        assert asyncio.get_running_loop().time() - before == pytest.approx(60, abs=1)

    with_bench(test, Script(lambda _id, _before: ILL))


def test_an_event_that_is_refused_is_buried_and_passed_over() -> None:
    """After three tries; the others do not wait for it, and the cursor does."""

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number) for number in range(20)))
        bench.script.answer = lambda it, _: REFUSED if it == ids[3] else GOOD
        await bench.until(lambda: len(bench.script.posts) == 20)
        await asyncio.sleep(2)
        assert await bench.cursor() == ids[2]
        await bench.until(lambda: len(bench.script.posts) == 22)
        await asyncio.sleep(2)
        assert bench.script.ids.count(ids[3]) == 3
        assert await bench.cursor() == ids[-1]
        (dead,) = await bench.store.dead("shop")
        assert (dead.event.id, dead.why) == (ids[3], "no")
        assert (bench.subscriber.state.dead, bench.subscriber.state.refused) == (1, 3)

    with_bench(test)


def test_one_that_is_refused_holds_up_none_that_come_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many: they are read, posted and done with while it waits for its next try; what is kept of them is their IDs."""
    monkeypatch.setattr(subscriber, "FEW", 30)
    monkeypatch.setattr(subscriber, "PAGE", 20)

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number) for number in range(150)))
        bench.script.answer = lambda it, _: REFUSED if it == ids[0] else GOOD
        began = asyncio.get_running_loop().time()
        await bench.until(lambda: len(bench.script.posts) >= 150)
        assert asyncio.get_running_loop().time() - began < sum(TRIES) / 2
        assert await bench.cursor() == ""
        await bench.until(lambda: bench.subscriber.state.dead == 1)
        await asyncio.sleep(2)
        assert await bench.cursor() == ids[-1]

    with_bench(test)


def test_an_endpoint_that_refuses_everything_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than there may be of refused ones; and each is buried in the end."""
    monkeypatch.setattr(subscriber, "LATE", 40)
    monkeypatch.setattr(subscriber, "FEW", 20)
    monkeypatch.setattr(subscriber, "PAGE", 10)

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number) for number in range(100)))
        bench.script.answer = lambda _it, _: REFUSED
        await asyncio.sleep(TRIES[0] - 1)
        assert 40 <= len(bench.script.posts) <= 40 + 20 + 10
        await bench.until(lambda: bench.subscriber.state.dead == 100)
        await asyncio.sleep(2)
        assert await bench.cursor() == ids[-1]

    with_bench(test)


def test_dead_events_are_posted_again_on_request() -> None:
    """Those that are taken now are gone, those that are refused again are dead again."""

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number) for number in range(6)))
        bench.script.answer = lambda it, _: REFUSED if it in ids[:4] else GOOD
        await bench.until(lambda: bench.subscriber.state.dead == 4)
        bench.script.answer = lambda it, _: REFUSED if it == ids[0] else GOOD
        await bench.store.wish("shop", HookWish("dead"))
        bench.subscriber.ask([*await bench.store.wishes("shop")])
        await bench.until(lambda: bench.subscriber.state.dead == 5)
        await asyncio.sleep(2)
        assert [each.event.id for each in await bench.store.dead("shop")] == ids[:1]
        assert not await bench.store.wishes("shop")
        assert not await bench.store.exhume("shop", new=False)

    with_bench(test)


def test_what_a_new_format_has_no_words_for_stays_dead() -> None:
    """A wish to post dead events again loses none: listmonk is told of bounces alone, and the rest waits for another format."""

    async def test(bench: Bench) -> None:
        delivered, failed = await bench.write(event(1), event(2, type="failed", enhanced="5.1.1"))
        await bench.store.bury("shop", [DeadEvent(each, START, "no") for each in await bench.journal.read()])
        for word in ("first", "again"):
            await bench.store.wish("shop", HookWish("dead"))
            bench.subscriber.ask([*await bench.store.wishes("shop")])
            await bench.until(lambda: failed in bench.script.ids)
            await asyncio.sleep(2)
            assert [each.event.id for each in await bench.store.dead("shop")] == [delivered], word
            assert not await bench.store.exhume("shop", new=False)
        assert delivered not in bench.script.ids

    with_bench(test, format="listmonk")


def test_410_switches_off_and_a_wish_switches_on() -> None:
    """What came meanwhile is posted then; a restart does not forget that it is off."""

    async def test(bench: Bench) -> None:
        await bench.write(event(0))
        await bench.until(lambda: bool(bench.subscriber.state.off))
        await bench.stop()
        bench.start()
        ids = await bench.write(event(1))
        await asyncio.sleep(86400)
        assert len(bench.script.posts) == 1
        assert (await bench.store.state("shop")).off == "it answered 410"
        bench.script.answer = lambda _id, _before: GOOD
        bench.subscriber.ask([HookWish("on")])
        await bench.until(lambda: ids[0] in bench.script.ids)
        assert (await bench.store.state("shop")).off == ""

    with_bench(test, Script(lambda _id, _before: GONE))


def test_everything_since_an_event_is_posted_again() -> None:
    """In order, with the same IDs."""

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number, message="01JDZ3N4T00000000000000000") for number in range(10)))
        await bench.until(lambda: len(bench.script.posts) == 10)
        await asyncio.sleep(1)
        bench.subscriber.ask([HookWish("since", ids[3])])
        await bench.until(lambda: len(bench.script.posts) == 16)
        assert bench.script.ids[10:] == ids[4:]
        await asyncio.sleep(1)
        assert await bench.cursor() == ids[-1]

    with_bench(test)


def test_what_an_endpoint_does_not_want_is_passed_over() -> None:
    """By type and by stream; an alarm is about the mail of all. The cursor goes on all the same."""

    async def test(bench: Bench) -> None:
        ids = await bench.write(
            event(0, type="deferred", stream="a"), event(1, type="failed", stream="a"), event(2, type="failed", stream="b"),
            event(3, type="alarm"), event(4, type="failed"), *(event(number, type="accepted") for number in range(5, 3000)),
        )  # fmt: skip
        await asyncio.sleep(5)
        assert bench.script.ids == [ids[1], ids[3]]
        assert await bench.cursor() == ids[-1]

    with_bench(test, events=["failed", "alarm"], stream="a")


def test_a_kill_repeats_some_and_loses_none() -> None:
    """At whatever moment; the IDs stay."""
    chance = random.Random(7)
    taken: list[str] = []

    def answer(id: str, _before: int) -> Any:
        if chance.random() < 0.02:
            return chance.choice((ILL, REFUSED))
        taken.append(id)
        return GOOD

    async def test(bench: Bench) -> None:
        ids: list[str] = []
        for burst in range(40):
            ids += await bench.write(*(event(25 * burst + number) for number in range(25)))
            await asyncio.sleep(chance.random() * 3)
            bench.kill()
            bench.start()
        await bench.until(lambda: set(ids) <= {*taken})

    with_bench(test, Script(answer))


def test_an_order_within_a_message_holds_over_kills() -> None:
    """An event is never posted for the first time before the one before it was taken."""
    taken: dict[str, int] = {}

    def answer(id: str, _before: int) -> Any:
        taken.setdefault(id, len(taken))
        return GOOD

    async def test(bench: Bench) -> None:
        ids = await bench.write(*(event(number, message=f"01JDZ3N4T0000000000000000{number % 5}") for number in range(200)))
        while len(taken) < 200:
            await asyncio.sleep(0.2)
            bench.kill()
            bench.start()
        for lane in range(5):
            order = [taken[id] for id in ids[lane::5]]
            assert order == sorted(order)

    with_bench(test, Script(answer))


def test_trouble_with_our_disk_stops_nothing_for_good() -> None:
    """It is told; nothing is passed over that is not kept, and all goes on when the disk does."""

    async def test(bench: Bench) -> None:
        broken = [True]
        bury, move = bench.store.bury, bench.journal.move

        async def burying(*given: Any) -> None:
            if broken:
                raise OSError(28, "No space left on device")
            await bury(*given)

        async def moving(*given: Any) -> None:
            if broken:
                raise OSError(28, "No space left on device")
            await move(*given)

        bench.store.bury, bench.journal.move = burying, moving  # type: ignore[method-assign]
        ids = await bench.write(*(event(number) for number in range(5)))
        bench.script.answer = lambda it, _: REFUSED if it == ids[2] else GOOD
        await asyncio.sleep(200)
        assert any(isinstance(told, OSError) for told in bench.told)
        assert await bench.cursor() == ""
        broken.clear()
        await bench.until(lambda: bench.subscriber.state.dead == 1)
        await asyncio.sleep(10)
        assert await bench.cursor() == ids[-1]
        assert [each.event.id for each in await bench.store.dead("shop")] == [ids[2]]

    with_bench(test)


def test_a_clock_that_is_set_back_years_holds_nothing_up() -> None:
    """The wait that was written down is longer than any, so it is none."""

    async def test(bench: Bench) -> None:
        await bench.store.note("shop", bench.subscriber.state._replace(failures=1, until=START + 1e8))
        await bench.stop()
        bench.start()
        await bench.write(event())
        await bench.until(lambda: len(bench.script.posts) == 1, seconds=70)

    with_bench(test)
