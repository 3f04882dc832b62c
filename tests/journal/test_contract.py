"""What every journal promises, whatever keeps it: to the one who writes, and to all who read."""

from __future__ import annotations

import asyncio
from asyncio import run
from math import inf

import pytest

from mailer.journal.api import Behind, Journal
from mailer.spool import is_id, put_at
from tests.fakes.mail import NOW, FakeClock

from .lines import everything, happened, several, who

NOTHING = 10**9  # bytes: too much for no journal
NEVER = "01KAHC00000000000000000000"


def test_what_was_appended_is_read_in_order(journal: Journal) -> None:
    """Page by page, with the IDs that the writer was told, and all members as they were."""

    async def scenario() -> None:
        event = happened(
            99, "failed", NOW + 0.25, request_id="r-1", key="shop", stream="news", enhanced="5.1.1", reply="no such user\u2028é",
            host="mx.example.net", tls="TLSv1.3 verified", class_="no_mailbox", attempt=3, next=NOW + 60,
        )  # fmt: skip
        told = [*await journal.append(several(20)), *await journal.append([event]), *await journal.append([])]
        assert await everything(journal) == told
        assert [each._replace(id="") for each in told] == [*several(20), event]
        assert all(is_id(each.id) for each in told)

    run(scenario())


def test_an_empty_journal_has_nothing(journal: Journal) -> None:
    """Before anything was ever begun."""

    async def scenario() -> None:
        assert (await journal.read(), await journal.first(), await journal.last()) == ([], "", "")
        assert tuple(await journal.held()) == (0, 0, 0.0)
        assert await journal.cursors() == {}
        assert (await journal.cursor("hooks.shop"), await journal.behind("hooks.shop")) == ("", Behind(0, 0.0))
        await journal.close()

    run(scenario())


def test_ids_ascend_whatever_the_clock_does(journal: Journal, clock: FakeClock) -> None:
    """It is put back a year, and comes again."""

    async def scenario() -> None:
        for step in (0.0, 0.0, 5.0, -3e7, -1.0, 3.1e7, 0.0):
            clock.time += step
            await journal.append(several(3))
        ids = [event.id for event in await everything(journal)]
        assert len(ids) == 21
        assert ids == sorted(set(ids))
        assert put_at(ids[-1]) == pytest.approx(clock.time, abs=0.01)

    run(scenario())


def test_a_cursor_that_is_ahead_is_overtaken(journal: Journal, clock: FakeClock) -> None:
    """The power failed, and what a reader had was not on the disk; and the clock was set back. What is written then is after the cursor."""

    async def scenario() -> None:
        ahead = "01ZZZZ00000000000000000000"
        await journal.move("hooks.shop", ahead)
        await journal.append(several(2))
        assert who(await journal.read(await journal.cursor("hooks.shop"))) == [0, 1]

    run(scenario())


def test_reading_begins_behind_any_id(journal: Journal) -> None:
    """One that was given, one that never was, and the last one."""

    async def scenario() -> None:
        told = await journal.append(several(30))
        for nth, event in enumerate(told):
            assert who(await everything(journal, event.id)) == [*range(nth + 1, 30)]
        between = told[9].id[:-4] + "ZZZZ"
        if between < told[10].id:
            assert who(await journal.read(between, 1)) == [10]
        assert who(await journal.read(NEVER, 1)) == [0]
        assert (await journal.first(), await journal.last()) == (told[0].id, told[-1].id)

    run(scenario())


def test_waiting_ends_with_the_next_event(journal: Journal) -> None:
    """At once where there is one, and not before."""

    async def scenario() -> None:
        waiting = asyncio.ensure_future(journal.wait())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        [first] = await journal.append([happened(1)])
        await asyncio.wait_for(waiting, 60)
        await asyncio.wait_for(journal.wait(), 60)
        waiting = asyncio.ensure_future(journal.wait(first.id))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await journal.append(several(40))
        await asyncio.wait_for(waiting, 60)

    run(scenario())


def test_cursors_are_kept_by_name(journal: Journal) -> None:
    """They go forward and back, and can be forgotten."""

    async def scenario() -> None:
        first, second = await journal.append(several(2))
        await journal.move("hooks.shop", second.id)
        await journal.move("amqp", second.id)
        await journal.move("amqp", first.id)
        assert await journal.cursors() == {"amqp": first.id, "hooks.shop": second.id}
        await journal.forget("amqp")
        await journal.forget("amqp")
        assert await journal.cursors() == {"hooks.shop": second.id}
        assert await journal.cursor("amqp") == ""

    run(scenario())


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "ä", "x" * 101, "a\n"])
def test_a_name_of_a_cursor_names_no_file_elsewhere(journal: Journal, name: str) -> None:
    """Names come from configurations."""

    async def scenario() -> None:
        for call in (journal.cursor(name), journal.move(name, NEVER), journal.forget(name), journal.behind(name)):
            with pytest.raises(ValueError, match="name of a cursor"):
                await call

    run(scenario())


def test_a_cursor_is_an_id(journal: Journal) -> None:
    """Anything else is a mistake of whoever moves it."""

    async def scenario() -> None:
        for wrong in ("", "yesterday", NEVER.lower()):
            with pytest.raises(ValueError, match="no ID"):
                await journal.move("amqp", wrong)

    run(scenario())


def test_who_is_behind_is_told_by_how_much(journal: Journal, clock: FakeClock) -> None:
    """In events, and in the age of the oldest."""

    async def scenario() -> None:
        told = await journal.append([happened(nth, at=NOW + nth) for nth in range(30)])
        clock.time = NOW + 100
        for nth in (0, 7, 28):
            await journal.move("amqp", told[nth].id)
            assert await journal.behind("amqp") == Behind(29 - nth, pytest.approx(99 - nth))
        await journal.move("amqp", told[-1].id)
        assert await journal.behind("amqp") == Behind(0, 0.0)
        await journal.append(several(1))
        assert (await journal.behind("amqp")).events == 1
        assert (await journal.held()).events == 31

    run(scenario())


def test_what_is_old_is_deleted_and_the_newest_stays(journal: Journal, clock: FakeClock) -> None:
    """By the time at which it was written."""

    async def scenario() -> None:
        await journal.append(several(20))
        clock.time += 1000
        for nth in range(20, 40):
            await journal.append(several(1, nth))
        assert await journal.keep(inf, NOTHING, ()) == {}
        assert len(await everything(journal)) == 40
        clock.time += 10
        assert await journal.keep(500.0, NOTHING, ()) == {}
        left = who(await everything(journal))
        assert left == [*range(left[0], 40)]
        assert 0 < left[0] <= 20
        clock.time += 10_000
        await journal.keep(500.0, NOTHING, ())
        assert who(await everything(journal))[-1] == 39
        assert len(await everything(journal)) < 20

    run(scenario())


def test_what_a_living_reader_needs_stays_however_old(journal: Journal, clock: FakeClock) -> None:
    """One that nobody has any more keeps nothing."""

    async def scenario() -> None:
        told = await journal.append(several(20))
        for nth in range(10):
            clock.time += 1000
            await journal.append(several(2, 20 + 2 * nth))
        await journal.move("amqp", told[4].id)
        assert await journal.keep(50.0, NOTHING, ["amqp", "hooks.never-moved"]) == {}
        assert who(await journal.read(told[4].id, 100)) == [*range(5, 40)]
        assert await journal.lost("amqp") == 0
        assert await journal.keep(50.0, NOTHING, []) == {}
        assert await journal.first() > told[4].id
        assert await journal.lost("amqp") > 0

    run(scenario())


def test_a_journal_that_is_too_large_loses_its_oldest_and_says_how_many(journal: Journal) -> None:
    """Each reader is told what it has lost; it goes on with the oldest that is left."""

    async def scenario() -> None:
        told = [(await journal.append([event]))[0] for event in several(60)]
        await journal.move("amqp", told[9].id)
        await journal.move("hooks.quick", told[-1].id)
        lost = await journal.keep(inf, 6000, ["amqp", "hooks.quick"])
        left = who(await everything(journal, told[9].id))
        assert left == [*range(left[0], 60)]
        assert 10 < left[0] < 60
        assert lost == {"amqp": left[0] - 10}
        assert await journal.lost("amqp") == left[0] - 10
        assert await journal.lost("hooks.quick") == 0
        held = await journal.held()
        assert held.bytes <= 6000 + 2000
        assert held.events == 60 - left[0]
        again = await journal.keep(inf, 2000, ["amqp"])
        assert await journal.lost("amqp") == left[0] - 10 + again["amqp"]
        await journal.forget("amqp")
        assert await journal.lost("amqp") == 0

    run(scenario())


def test_a_journal_that_was_begun_says_since_when(journal: Journal, clock: FakeClock) -> None:
    """Also before anything has happened: what happened before is not in it."""

    async def scenario() -> None:
        await journal.keep(inf, NOTHING, ())
        clock.time += 50
        held = await journal.held()
        assert held[:2] == (0, 0)
        assert held.since == pytest.approx(NOW, abs=0.01)
        await journal.append(several(3))
        assert (await journal.held()).since == pytest.approx(NOW, abs=0.01)
        assert who(await journal.read()) == [0, 1, 2]

    run(scenario())
