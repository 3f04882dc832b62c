"""The wall clock is set while mail waits: nothing expires by it, nothing waits for a year, and somebody is told."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from mailer.events import Alarm
from mailer.mail.dates import rfc3339
from mailer.queue.clock_step import waiting, words
from mailer.queue.invariants import Invariants
from mailer.spool.api import Due, at_once
from mailer.spool.files import suspensions
from tests.fakes.mail import Machine, outcome, put, suspend

from .post import DAY, NOW, Post, play

YEAR = 365 * DAY


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def post(tmp_path: Path, machine: Machine) -> Post:
    made = Post(tmp_path, clock=machine.clock)
    made.courier.clock = machine.clock  # type: ignore[assignment]
    return made


async def passes(post: Post, machine: Machine, seconds: float) -> None:
    """So much time passes, and the manager has had its turn."""
    machine.passes(seconds)
    post.context.wake()
    await asyncio.sleep(0.02)


async def put_off(post: Post, machine: Machine, count: int = 1) -> list[str]:
    """Messages that were tried once and are due in a minute."""
    post.courier.script["a@example.com"] = ["defer"]
    ids = [post.put("a@example.com", sender="", at=machine.clock.now()) for _ in range(count)]
    for id in ids:
        await post.settled(id, "deferred")
    return ids


def tries(post: Post, ids: Iterable[str]) -> set[int]:
    return {post.tries(id) for id in ids}


@pytest.mark.parametrize("step", [10 * YEAR, 3 * DAY, -3600.0, -21 * DAY])
def test_what_waits_for_a_minute_waits_for_a_minute(post: Post, machine: Machine, step: float) -> None:
    """Whichever way the clock is set, and set right again: it is tried when its time has passed, once, and does not expire."""

    async def scenario() -> None:
        async with post.running():
            ids = await put_off(post, machine, 5)
            machine.set(step)
            await passes(post, machine, 8.0)
            assert post.told("alarm") == ["alarm clock"]
            machine.set(-step)
            await passes(post, machine, 20.0)
            assert tries(post, ids) == {1}
            await passes(post, machine, 33.0)
            await post.until("tried", lambda: tries(post, ids) == {2})
            await post.until("settled", lambda: not post.scheduler.active)
            assert {post.spool.read(id).status for id in ids} == {"deferred"}
        assert [alarm.times for alarm in post.book.alarms] == [2]

    play(scenario())


def test_mail_is_tried_by_the_new_clock_too(post: Post, machine: Machine) -> None:
    """The clock stays set back by an hour: the next try is no hour late, and the try after that neither."""

    async def scenario() -> None:
        async with post.running():
            ids = await put_off(post, machine)
            machine.set(-3600.0)
            for count, wait in ((2, 61.0), (3, 301.0)):
                await passes(post, machine, wait)
                await post.until("tried", lambda count=count: tries(post, ids) == {count})  # type: ignore[misc]
                await post.until("settled", lambda: not post.scheduler.active)

    play(scenario())


def test_a_message_expires_when_it_has_waited_for_so_long(post: Post, machine: Machine) -> None:
    """Two days, however the clock is set every few hours."""

    async def scenario() -> None:
        async with post.running():
            (id,) = await put_off(post, machine)
            for nth in range(30):
                machine.set(5 * DAY if nth % 2 else -4 * DAY)
                post.manager.check_clock()
                await passes(post, machine, DAY / 12)
                await post.until("settled", lambda: not post.scheduler.active)
                expected = "deferred" if (nth + 1) * DAY / 12 < 2 * DAY else "expired"
                assert post.spool.read(id).status == expected, nth
                if expected == "expired":
                    break

    play(scenario())


@pytest.mark.parametrize("restarted", [False, True])
def test_mail_that_was_put_by_a_clock_that_was_behind_is_not_three_weeks_old(tmp_path: Path, restarted: bool) -> None:
    """A machine without a battery: the mail of its start is put off like any other once the time is right."""
    machine = Machine(NOW - 21 * DAY)
    post = Post(tmp_path, clock=machine.clock)

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer"]
        id = put(post.spool, "a@example.com", sender="", at=NOW - 21 * DAY)
        async with post.running():
            if not restarted:
                machine.set(21 * DAY)
            post.courier.clock = machine.clock  # type: ignore[assignment]
            await post.settled(id, "deferred")
            machine.set(21 * DAY if restarted else 0.0)
            await passes(post, machine, 61.0)
            await post.until("tried again", lambda: post.tries(id) == 2)
            await post.settled(id, "deferred")
        if restarted:
            after = Post(tmp_path, clock=Machine(machine.clock.now() + 5 * DAY).clock)
            after.courier.script["a@example.com"] = ["defer"]
            async with after.running():
                await after.until("tried again", lambda: after.tries(id) == 1)
                await after.settled(id, "deferred")

    play(scenario())


def test_mail_for_a_time_of_day_leaves_at_that_time(post: Post, machine: Machine) -> None:
    """Its sender named it by the wall clock, not by how long it is until then."""

    async def scenario() -> None:
        upkeep = post.housekeeping()
        post.put("warm@example.net")
        at = NOW + 3600.0
        id = put(post.spool, "b@example.com", options={"at": rfc3339(at)})
        os.utime(post.spool.path("queued", id), (at, at))
        os.rename(post.spool.path("queued", id), post.spool.path("deferred", id))
        async with post.running():
            machine.set(-1800.0)
            await passes(post, machine, 3601.0)
            assert post.tries(id) == 0
            machine.set(900.0)
            post.manager.check_clock()
            await upkeep.look()
            await passes(post, machine, 800.0)
            assert post.tries(id) == 0
            await passes(post, machine, 101.0)
            await post.settled(id, None)

    play(scenario())


def test_the_files_say_when_they_are_due_by_the_new_clock(post: Post, machine: Machine) -> None:
    """So that a restart, and whoever looks, sees the same; the guard finds nothing wrong."""

    async def scenario() -> None:
        upkeep = post.housekeeping()
        async with post.running():
            (id,) = await put_off(post, machine)
            machine.set(10 * YEAR)
            upkeep.clock()
            await upkeep.look()
            assert post.spool.due(id) == pytest.approx(machine.clock.now() + 60.0, abs=1.0)
            machine.set(-10 * YEAR)
            upkeep.clock()
            await upkeep.look()
            assert post.spool.due(id) == pytest.approx(NOW + 60.0, abs=1.0)
            assert upkeep.invariants.violations == 0

    play(scenario())


def test_a_destination_that_rests_does_so_for_as_long_as_it_was_to(post: Post, machine: Machine) -> None:
    """A day back, and it is called again after a minute all the same."""

    async def scenario() -> None:
        gone = outcome(0, "defer", scope="host", code=451, text="gone", phase="connect")
        post.courier.script["a@example.com"] = [gone, gone, gone, "delivered"]
        async with post.running():
            for _ in range(3):
                await post.settled(post.put("a@example.com", at=NOW), "deferred")
            destination = post.scheduler.destinations["example.com"]
            assert destination.breaker.is_open(machine.clock.now())
            machine.set(-DAY)
            await passes(post, machine, 61.0)
            await post.until("delivered", lambda: not post.places())

    play(scenario())


def test_each_recipient_is_tried_when_it_would_have_been(post: Post, machine: Machine) -> None:
    """Also those who wait for longer than the others of the message; and the database hears of it, for whoever looks."""

    async def scenario() -> None:
        upkeep = post.housekeeping()
        post.courier.script |= {
            "a@one.example": ["defer", "delivered"],
            "b@two.example": [outcome(0, "defer", due=NOW + 7000.0), "delivered"],
        }
        async with post.running():
            id = post.put("a@one.example", "b@two.example", at=NOW)
            await post.until("written", lambda: ("settled deferred", ["deferred"]) in post.written)
            post.written.clear()
            machine.set(-DAY)
            assert upkeep.clock()
            await upkeep.look()
            await post.until("written", lambda: ("settled deferred", ["deferred"]) in post.written)
            history = post.spool.read(id).history
            assert [history.last[to].due - machine.clock.now() for to in (0, 1)] == pytest.approx([60.0, 7000.0], abs=1.0)
            assert history.tries == {0: 1, 1: 1}
            await passes(post, machine, 61.0)
            await post.until("the first", lambda: post.courier.tried[2:] == [(id, ["a@one.example"])])
            await post.settled(id, "deferred")
            await passes(post, machine, 6940.0)
            await post.settled(id, None)

    play(scenario())


def test_a_machine_that_has_slept_delivers_when_it_wakes(post: Post, machine: Machine) -> None:
    """The timers of a program do not go on while the machine sleeps, so somebody looks at the clock."""

    async def scenario() -> None:
        upkeep = post.housekeeping()
        async with post.running():
            (id,) = await put_off(post, machine)
            await post.until("nothing is under way", lambda: post.written and not post.context.tasks.running)
            await asyncio.sleep(0.02)
            machine.passes(59.0)
            assert not upkeep.clock()
            machine.passes(2.0)
            await asyncio.sleep(0.02)
            assert post.tries(id) == 1
            assert not upkeep.clock()
            await post.until("tried", lambda: post.tries(id) == 2)

    play(scenario())


def test_what_a_clock_that_was_ahead_put_off_is_found_at_the_start(tmp_path: Path) -> None:
    """The file was last changed in the future: it waits for as long as it was to, counted from now."""
    now = time.time() - 3600
    post = Post(tmp_path, clock=Machine(now).clock)

    async def scenario() -> None:
        id = put(post.spool, "a@example.com")
        with post.spool.claim(id) as claim:
            post.spool.defer(claim, [outcome(0, "defer", due=time.time() + 60)], time.time() + 60)
        (found,), ahead = await waiting(post.context, now)
        assert isinstance(found, Due)
        assert (found.id, ahead) == (id, 1)
        due = found.due
        assert 0 < due - now < 70
        assert post.spool.due(id) == pytest.approx(due)
        assert post.spool.read(id).history.due == pytest.approx(due, abs=1.0)
        assert (await waiting(post.context, time.time() + 1))[1] == 0
        await post.recorder.close()

    play(scenario())


def test_a_due_time_that_nothing_can_give_is_mended_whenever_the_message_came(tmp_path: Path) -> None:
    """Also where the message itself came from a year that is not yet: the next try is not in ten years."""
    post = Post(tmp_path)
    guard = Invariants(post.manager, lambda: 4e9)

    async def scenario() -> None:
        id = put(post.spool, "a@example.com", at=NOW + 10 * YEAR)
        with post.spool.claim(id) as claim:
            post.spool.defer(claim, [outcome(0, "defer", at=NOW + 10 * YEAR, due=NOW + 10 * YEAR + 60)], NOW + 10 * YEAR + 60)
        async with post.running():
            at_once(guard.look())
            await post.settled(id, None)
        assert guard.violations == 1
        assert any("longer than anything" in event.detail for event in post.events if isinstance(event, Alarm))

    play(scenario())


def test_how_far_it_was_set_is_said_in_words() -> None:
    """For whoever reads the log."""
    assert words(10 * YEAR) == "the clock of this machine was set ahead by 3650.0 days"
    assert words(-3600.0) == "the clock of this machine was set back by 1.0 hours"
    assert words(5.5) == "the clock of this machine was set ahead by 5.5 seconds"


@pytest.mark.parametrize("step", [YEAR, 8.0, -3600.0])
def test_a_pause_for_a_time_lasts_for_that_time(post: Post, machine: Machine, step: float) -> None:
    """Whichever way the clock is set meanwhile, in memory and in the file."""

    async def scenario() -> None:
        async with post.running():
            suspend(post.spool.root, "example.com", machine.clock.now() + 60, "", machine.clock.now())
            post.mind()
            id = post.put("a@example.com", sender="", at=machine.clock.now())
            await post.settled(id, "deferred")
            machine.set(step)
            await passes(post, machine, 50)
            for known in (post.manager.suspended.pauses, suspensions.read(post.spool.root)):
                assert known.by_target["example.com"].until - machine.clock.now() == pytest.approx(10, abs=1)
            assert post.spool.find(id) == "deferred"
            await passes(post, machine, 40)
            await post.settled(id, None)

    play(scenario())


def test_a_pause_that_is_said_by_the_new_clock_is_as_long_as_it_says(post: Post, machine: Machine) -> None:
    """Also before anybody noticed that it was set; the one of before is moved."""

    async def scenario() -> None:
        async with post.running():
            suspend(post.spool.root, "example.com", machine.clock.now() + 60, "", machine.clock.now())
            post.mind()
            machine.set(-3600.0)
            wall = machine.up + machine.ahead
            suspend(post.spool.root, "example.net", wall + 300, "", wall)
            post.mind()
            until = {pause.target: pause.until - wall for pause in suspensions.read(post.spool.root)}
            assert until == {"example.com": pytest.approx(60, abs=1), "example.net": pytest.approx(300, abs=1)}

    play(scenario())
