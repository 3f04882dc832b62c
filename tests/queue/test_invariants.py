"""The guard and the watchdog: what no code should ever do is done here by hand, and is found, told and mended."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import pytest

from mailer.events import Alarm
from mailer.queue import invariants as guards
from mailer.queue.invariants import Invariants
from mailer.queue.tasks import Watchdog
from mailer.spool.api import at_once
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import NOW, outcome, put

from .post import DAY, Post, play


@pytest.fixture
def guard(post: Post) -> Invariants:
    return Invariants(post.manager, lambda: 4e9)  # every file was there before


def scan(post: Post) -> None:
    """What the service does after each look."""
    post.manager.expect_all((0.0, id) for id in post.spool.ids("queued"))
    post.manager.expect_all(post.spool.dues())


# The guard


def test_a_busy_daemon_breaks_no_invariant(post: Post, guard: Invariants) -> None:
    """New mail, mail under way, mail put off, mail that an operator has: nothing is told."""

    async def scenario() -> None:
        post.courier.script = {"b@slow.example": ["defer"], "c@fail.example": ["fail"]}
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            for _ in range(20):
                post.put("a@fast.example", "b@slow.example")
                post.put("c@fail.example", sender="")
                at_once(guard.look())
                scan(post)
                await asyncio.sleep(0)
            held = post.put("d@slow.example")
            with post.spool.claim(held):
                await asyncio.sleep(0.02)
                at_once(guard.look())
            post.courier.gates["slow.example"].set()
            await post.until("settled", lambda: not post.scheduler.active)
            post.advance(3000)
            await asyncio.sleep(0.02)
            at_once(guard.look())
        assert guard.violations == 0
        assert post.told("alarm") == []

    play(scenario())


@pytest.mark.parametrize("state", ["queued", "deferred"])
def test_a_message_that_nobody_expects_is_found_and_goes(post: Post, guard: Invariants, state: str) -> None:
    """However the scheduler lost it: an alarm, and it is delivered, also if its file says next year."""

    async def scenario() -> None:
        async with post.running():
            at_once(guard.look())
            scan(post)
            id = put(post.spool, "a@example.com")
            if state == "deferred":
                with post.spool.claim(id) as claim:
                    post.spool.defer(claim, [outcome(0, "defer", due=NOW + 60)], NOW + 60)
            at_once(guard.look())
            await post.settled(id, None)
        assert post.told("alarm") == ["alarm invariant"]
        assert guard.violations == 1

    play(scenario())


def test_a_message_whose_ring_was_lost_is_no_violation(post: Post) -> None:
    """Its file is younger than the last look: it is simply found."""

    async def scenario() -> None:
        guard = Invariants(post.manager, lambda: 1.0)
        async with post.running():
            at_once(guard.look())
            id = put(post.spool, "a@example.com")
            at_once(guard.look())
            scan(post)
            await post.settled(id, None)
        assert guard.violations == 0

    play(scenario())


def test_a_message_that_is_in_memory_in_name_only_is_found(post: Post, guard: Invariants) -> None:
    """The scheduler says that it is being tried, and nothing in memory is about it; one that waits for its turn is left alone."""

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            slow = [post.put("a@slow.example") for _ in range(4)]
            await post.until("under way", lambda: post.courier.busy == 2)
            lost = put(post.spool, "a@example.com")
            post.scheduler.active.add(lost)
            at_once(guard.look())
            post.advance(guards.LOST)
            gc.collect()
            at_once(guard.look())
            await post.settled(lost, None)
            assert guard.violations == 1
            post.courier.gates["slow.example"].set()
            for id in slow:
                await post.settled(id, None)
        assert len(post.courier.tried) == 5

    play(scenario())


def test_a_message_that_would_not_leave_the_spool_is_not_delivered_again(
    post: Post, guard: Invariants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in memory in name only, and for a reason."""

    async def scenario() -> None:
        def stays(*_: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(post.spool, "drop", stays)
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            for _ in range(3):
                at_once(guard.look())
                post.advance(guards.LOST)
                await asyncio.sleep(0.01)
            assert post.tries(id) == 1
        assert guard.violations == 0

    play(scenario())


def test_a_clock_that_was_wrong_costs_no_year(post: Post, guard: Invariants) -> None:
    """Put off until long after its time is up: found, and tried now. What was submitted to leave next month is left alone."""

    async def scenario() -> None:
        id = put(post.spool, "a@example.com")
        with post.spool.claim(id) as claim:
            post.spool.defer(claim, [outcome(0, "defer", due=NOW + 400 * DAY)], NOW + 400 * DAY)
        later = put(post.spool, "b@example.com", options={"at": "2027-06-01T00:00:00Z"})
        os.rename(post.spool.path("queued", later), post.spool.path("deferred", later))
        os.utime(post.spool.path("deferred", later), (NOW + 136 * DAY, NOW + 136 * DAY))
        async with post.running():
            at_once(guard.look())
            await post.settled(id, None)
            assert post.spool.find(later) == "deferred"
        assert guard.violations == 1

    play(scenario())


def test_a_message_of_a_later_version_stays_where_it_is(post: Post, guard: Invariants) -> None:
    """After a step back to an older version: said once, not each time that the queue is looked through, and no pass waits for it."""

    async def scenario() -> None:
        ids = [put(post.spool, "a@example.com") for _ in range(2)]
        path = Path(post.spool.path("queued", ids[0]))
        path.write_bytes(path.read_bytes().replace(b"mailer/1", b"mailer/2", 1))
        post.manager.expect_all([(0.0, id) for id in ids])
        post.manager.settler.once = True
        await post.manager.run()
        for _ in range(3):
            at_once(guard.look())
        post.look([ids[0]])
        post.manager.settler.once = True
        await post.manager.run()
        await post.recorder.close()
        assert post.places() == {"queued": [ids[0]]}
        assert post.told("alarm") == ["alarm later"]
        assert guard.violations == 0

    play(scenario())


def test_a_thousand_violations_are_a_few_lines(post: Post, guard: Invariants) -> None:
    """All are mended, five are named."""

    async def scenario() -> None:
        async with post.running():
            at_once(guard.look())
            for _ in range(200):
                put(post.spool, "a@example.com")
            at_once(guard.look())
            await post.until("delivered", lambda: not post.spool.ids("queued"))
        alarms = [event.detail for event in post.events if isinstance(event, Alarm)]
        assert (guard.violations, len(alarms)) == (200, 1)
        assert alarms[0].count("message ") == guards.TOLD
        assert "and 195 more" in alarms[0]

    play(scenario())


# The watchdog


def test_an_attempt_that_makes_no_progress_is_broken_off(post: Post) -> None:
    """Told with the phase; its message is put off like after a lost connection, and goes the next time."""

    async def scenario() -> None:
        watchdog = Watchdog(post.context.tasks)
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            id, behind = post.put("a@slow.example"), post.put("b@slow.example")
            await post.until("under way", lambda: post.courier.busy == 2)
            limit = post.context.policy.attempt_limit
            watchdog.look(0.0, limit)
            watchdog.look(limit, limit)
            assert watchdog.bitten == 0
            watchdog.look(limit + 1, limit)
            await post.settled(id, "deferred")
            await post.settled(behind, "deferred")
            last = SpoolDirectory(post.spool.root).read(id).history.last[0]
            assert last.reply.startswith("451 4.4.2 broken off: no progress for 14401 s in phase body")
            assert (last.phase, last.scope, last.counts) == ("body", "host", True)
            assert watchdog.bitten == 2
            assert post.scheduler.running == 0
            del post.courier.gates["slow.example"]
            post.advance(3600)
            await post.settled(id, None)
            await post.settled(behind, None)
        assert post.told("alarm") == ["alarm stuck", "alarm stuck"]
        assert f"message {id} to slow.example" in " ".join(event.detail for event in post.events if isinstance(event, Alarm))

    play(scenario())


def test_a_session_that_goes_from_message_to_message_is_left_alone(post: Post) -> None:
    """However long it lasts: each message is progress."""

    async def scenario() -> None:
        watchdog = Watchdog(post.context.tasks)
        limit = post.context.policy.attempt_limit
        gate = post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            ids = [post.put(f"{nth}@slow.example") for nth in range(6)]
            for nth in range(3):
                await post.until("under way", lambda nth=nth: len(post.courier.tried) >= 2 * (nth + 1))  # type: ignore[misc]
                watchdog.look(nth * limit, limit)
                gate.set()
                gate.clear()
                await asyncio.sleep(0.01)
            gate.set()
            for id in ids:
                await post.settled(id, None)
        assert watchdog.bitten == 0

    play(scenario())


def test_a_look_up_that_never_ends_is_broken_off(post: Post) -> None:
    """The message is put off; the phase is that of the DNS."""

    async def scenario() -> None:
        watchdog = Watchdog(post.context.tasks)
        never = asyncio.Event()
        find, ever = post.finder.find, {"never.example"}
        looked_up: list[str] = []

        async def finds(domain: str):  # type: ignore[no-untyped-def]
            if domain in ever:
                looked_up.append(domain)
                await never.wait()
            return await find(domain)

        post.finder.find = finds  # type: ignore[method-assign]
        async with post.running():
            id = post.put("a@never.example")
            await post.until("it is looked up", lambda: looked_up)
            watchdog.look(0.0, post.context.policy.attempt_limit)
            watchdog.look(post.context.policy.attempt_limit + 1, post.context.policy.attempt_limit)
            await post.settled(id, "deferred")
            assert SpoolDirectory(post.spool.root).read(id).history.last[0].phase == "dns"
            ever.clear()
            post.advance(3600)
            await post.settled(id, None)
        assert watchdog.bitten == 1

    play(scenario())


def test_what_the_disk_holds_up_is_told_and_not_broken_off(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned would be lost: the message stays in memory until the disk takes it."""

    async def scenario() -> None:
        watchdog = Watchdog(post.context.tasks)
        post.courier.script["a@example.com"] = ["defer"]
        full = [True]
        defer = post.spool.defer

        def tries(*arguments: object) -> None:
            if full[0]:
                raise OSError(28, "No space left on device")
            defer(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr("mailer.queue.settle.PAUSE", 0.01)
        post.spool.defer = tries  # type: ignore[method-assign]
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            for nth in range(4):
                watchdog.look(nth * 2 * post.context.policy.attempt_limit, post.context.policy.attempt_limit)
            full[0] = False
            await post.settled(id, "deferred")
        assert (post.tries(id), watchdog.bitten) == (1, 0)
        assert post.told("alarm") == ["alarm spool", "alarm stuck"]

    play(scenario())


def test_a_status_database_that_takes_nothing_is_no_storm(post: Post) -> None:
    """What is told of it would go there, too: one alarm until it does, and the daemon can stop."""

    async def scenario() -> None:
        post.status_fails = OSError(28, "No space left on device")
        async with post.running():
            for _ in range(5):
                await post.settled(post.put("a@example.com"), None)
            await post.until("an alarm", lambda: post.told("alarm"))
            await asyncio.sleep(0.2)
            assert post.told("alarm") == ["alarm status"]
            post.status_fails = None
            await post.settled(post.put("a@example.com"), None)
            await post.until("its end", lambda: post.told("mended"))
        assert post.told("alarm", "mended") == ["alarm status", "mended status"]

    play(scenario())


# Loops


@pytest.mark.parametrize(("hops", "state"), [(50, None), (51, "failed")])
def test_a_message_that_goes_in_circles_is_stopped(post: Post, hops: int, state: str | None) -> None:
    """Fifty Received fields are a long way, fifty-one are a loop; its sender is told. What the body says does not count."""

    async def scenario() -> None:
        post.courier.gates["example.org"] = asyncio.Event()
        body = b"Received: from a\r\n\tby b\r\n" * hops + b"Subject: x\r\n\r\n" + b"Received: from c\r\n" * 100
        async with post.running():
            id = post.put("a@example.com", body=body, sender="me@example.org")
            await post.settled(id, state)
            if state:
                assert post.spool.read(id).history.last[0].reply.startswith("554 5.4.6 the message has passed more than 50 hosts")
                await post.until("a report", lambda: post.courier.busy)
            post.courier.gates["example.org"].set()
        assert post.tries(id) == (0 if state else 1)

    play(scenario())
