"""A spool that is damaged, a disk that is full, a memory that is at its end: nothing is lost, and the rest goes on."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from mailer.events import Corrupt
from mailer.mail.problem import Problem
from mailer.queue import loader, manager, worker
from mailer.spool.files import enqueue
from mailer.spool.files.store import SpoolDirectory
from mailer.transport.route import Route
from tests.fakes.mail import outcome, put
from tests.queue.trouble import Failing, reports

from .post import NOW, Post, play

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_a_corrupt_file_is_set_aside_and_stops_nothing(post: Post) -> None:
    """Told, kept, and the mail behind it goes."""

    async def scenario() -> None:
        bad = post.put("a@example.com")
        Path(post.spool.path("queued", bad)).write_bytes(b"garbage")
        async with post.running():
            good = post.put("b@example.com")
            await post.settled(good, None)
        (event,) = (event for event in post.events if isinstance(event, Corrupt))
        assert (event.id, event.path) == (bad, f"{post.spool.root}/corrupt/{bad}")
        assert Path(event.path).read_bytes() == b"garbage"

    play(scenario())


def test_a_message_with_a_damaged_record_is_held_for_a_person_to_decide(post: Post) -> None:
    """Nobody knows who has it: an alarm. Released, it goes to all of whom no record says otherwise."""

    async def scenario() -> None:
        id = put(post.spool, "a@example.com", "b@example.com")
        with post.spool.claim(id) as claim:
            post.spool.record(claim, [outcome(0)])
            post.spool.record(claim, [outcome(1, "defer", due=NOW)])
        path = Path(post.spool.path("queued", id))
        path.write_bytes(path.read_bytes().replace(b'"to":[1]', b'"to":[0]'))
        async with post.running():
            await post.settled(id, "held")
            assert post.courier.tried == []
            await post.until("both told", lambda: sorted(post.told()) == ["alarm damaged", "changed held"])
            post.spool.release(id)
            post.look([id])
            await post.settled(id, None)
        assert post.courier.tried == [(id, ["b@example.com"])]

    play(scenario())


def test_a_corrupt_file_that_cannot_be_moved_stops_nothing(post: Post) -> None:
    """An alarm, and the mail behind it goes."""

    async def scenario() -> None:
        bad = post.put("a@example.com")
        Path(post.spool.path("queued", bad)).write_bytes(b"garbage")
        os.rmdir(f"{post.spool.root}/corrupt")
        async with post.running():
            good = post.put("b@example.com")
            await post.settled(good, None)
        assert post.told("alarm", "corrupt")

    play(scenario())


def test_a_message_that_cannot_be_read_now_is_read_later(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE, EIO: an alarm, and another look in five seconds."""

    async def scenario() -> None:
        monkeypatch.setattr(post.spool, "load", Failing(post.spool.load, 1, errno.EMFILE))
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.advance(loader.UNREADABLE_PAUSE)
            await post.settled(id, None)
        assert post.told("alarm") == ["alarm spool"]

    play(scenario())


class NoMemory:
    """A function that meets the end of the memory as often as it is told to, wherever an argument is `about`, or in any case."""

    def __init__(self, real: Any, times: int, about: str = "") -> None:
        self.real = real
        self.times = times
        self.about = about

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        if self.times > 0 and (not self.about or self.about in arguments):
            self.times -= 1
            raise MemoryError
        return self.real(*arguments, **more)


def test_a_message_for_which_there_is_no_memory_waits_and_the_rest_goes_on(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is read: an alarm, and another look after a while; at each start the same, and never the end of the daemon."""

    async def scenario() -> None:
        big = put(post.spool, "a@example.com")
        monkeypatch.setattr(post.spool, "load", NoMemory(post.spool.load, 2, big))
        async with post.running():
            await post.settled(post.put("b@example.com"), None)
            assert post.spool.find(big) == "queued"
            post.advance(2 * manager.SHORT_OF_MEMORY)
            await post.until("another look", lambda: post.spool.load.times == 0)
            post.advance(2 * manager.SHORT_OF_MEMORY)
            await post.settled(big, None)
        assert [(alarm.kind, alarm.times) for alarm in post.book.alarms] == [("memory", 2)]

    play(scenario())


@pytest.mark.parametrize("place", ["courier", "signer", "claim", "plan", "record"])
def test_whoever_meets_the_end_of_the_memory_is_put_off(post: Post, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """That is no attempt, no bug and nobody's fault: nothing is learned about the destination, and nothing is delivered twice."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = [MemoryError(), "delivered"] if place == "courier" else ["delivered"]
        if place == "signer":
            monkeypatch.setattr(worker, "Load", NoMemory(worker.Load, 1))
        if place == "claim":
            monkeypatch.setattr(post.spool, "claim_again", NoMemory(post.spool.claim_again, 1))
        if place == "plan":
            monkeypatch.setattr(post.scheduler, "plan", NoMemory(post.scheduler.plan, 1))
        if place == "record":
            monkeypatch.setattr(post.spool, "record", NoMemory(post.spool.record, 1))
            post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", *(["b@slow.example"] if place == "record" else []))
            if place == "record":
                await post.until("an alarm", lambda: post.told("alarm"))
                post.courier.gates["slow.example"].set()
            elif place in ("courier", "signer"):
                await post.settled(id, "deferred")
                assert post.spool.read(id).history.attempts == 0
            await post.passes(manager.SHORT_OF_MEMORY, "it has left", lambda: post.spool.find(id) is None)
            destination = post.scheduler.destinations["example.com"]
            assert (destination.failures, destination.breaker.failures) == (0, 0)
        assert post.tries(id) == (2 if place in ("courier", "record") else 1)
        assert "alarm bug" not in post.told("alarm")

    play(scenario())


@pytest.mark.parametrize("name", ["write", "rename", "utime"])
def test_what_the_disk_does_not_take_is_settled_later_and_not_tried_again(post: Post, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A full disk: what was learned stays in memory until there is room; the recipient who has it gets nothing twice."""

    async def scenario() -> None:
        post.courier.script["b@example.com"] = ["defer"]
        post.courier.gates["example.com"] = asyncio.Event()
        async with post.running():
            id = post.put("a@example.com", "b@example.com")
            await post.until("under way", lambda: post.courier.busy)
            with monkeypatch.context() as full:
                full.setattr(os, name, Failing(getattr(os, name), 3))
                post.courier.gates["example.com"].set()
                await post.settled(id, "deferred")
            assert post.tries(id) == 1
        assert post.told("alarm") == ["alarm spool"]  # one in a minute, however often it is tried
        last = SpoolDirectory(post.spool.root).read(id).history.last
        assert {to: o.verdict for to, o in last.items()} == {0: "delivered", 1: "defer"}

    play(scenario())


def test_a_report_is_put_once_however_long_the_disk_takes(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be delivered and gone while its message still cannot be settled."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        async with post.running():
            failing = Failing(post.spool.fail, 10_000, errno.EIO)
            monkeypatch.setattr(post.spool, "fail", failing)
            id = post.put("a@example.com", sender="me@example.org")
            await post.until("the report delivered", lambda: "example.org" in post.courier.order and post.places() == {"queued": [id]})
            await asyncio.sleep(0.05)
            failing.times = 0
            await post.settled(id, "failed")
            await asyncio.sleep(0.05)
        assert post.courier.order.count("example.org") == 1
        assert reports(post, id) == []

    play(scenario())


def test_a_report_that_cannot_be_put_keeps_its_message(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given up before the sender's report is on disk."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        real = enqueue.put
        calls: list[int] = []

        def full(*arguments: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) <= 3:
                raise Problem("cannot queue the message: No space left on device", "try-again")
            return real(*arguments, **more)

        monkeypatch.setattr(enqueue, "put", full)
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org")
            await post.until("three tries", lambda: len(calls) == 3)
            assert post.told("alarm") == ["alarm spool"]
            await post.settled(id, "failed")
            await post.until("the report delivered", lambda: "example.org" in post.courier.order)
        assert post.tries(id) == 1

    play(scenario())


def test_a_report_that_can_never_be_put_keeps_nothing_back(post: Post) -> None:
    """It is larger than any message may be: an alarm, and the message is given up all the same."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        post.change(submission=post.context.policy.submission.but(max_message_size=100))
        async with post.running():
            id = post.put("a@example.com", sender="me@example.org")
            await post.settled(id, "failed")
        assert post.told("alarm") == ["alarm report"]
        assert reports(post, id) == []

    play(scenario())


def test_a_disk_that_stays_full_holds_up_no_stop(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message stays where it was, and that part of the attempt is made again by whoever runs next."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["fail"]
        monkeypatch.setattr(post.spool, "fail", Failing(post.spool.fail, 10_000))
        id = post.put("a@example.com", sender="")
        run = asyncio.create_task(post.manager.run())
        await post.until("an alarm", lambda: post.told("alarm"))
        await post.manager.stop(5.0)
        await run
        await post.recorder.close()
        assert post.places() == {"queued": [id]}
        assert post.told("settled") == []

    play(scenario())


def test_name_servers_that_are_silent_hold_up_no_stop(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only looks for a way has called nobody, and is not waited for; what others of that message have received is on record."""

    async def scenario() -> None:
        find = post.finder.find

        async def silent(domain: str) -> Route:
            return await (asyncio.get_running_loop().create_future() if domain == "silent.example" else find(domain))

        monkeypatch.setattr(post.finder, "find", silent)
        id = post.put("a@example.com", "b@silent.example")
        run = asyncio.create_task(post.manager.run())
        await post.until("one of two", lambda: post.told("tried"))
        await asyncio.wait_for(post.manager.stop(1000.0), 60)
        await run
        await post.recorder.close()
        assert post.places() == {"queued": [id]}
        assert post.spool.read(id).history.pending() == [1]

    play(scenario())


def test_a_record_that_cannot_be_written_is_written_when_all_are_through(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt goes on, and what was learned is not lost."""

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        post.courier.script["b@slow.example"] = ["defer"]
        monkeypatch.setattr(post.spool, "record", Failing(post.spool.record, 1))
        async with post.running():
            id = post.put("a@fast.example", "b@slow.example")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.courier.gates["slow.example"].set()
            await post.settled(id, "deferred")
        assert post.tries(id) == 2
        assert {to: o.verdict for to, o in post.spool.read(id).history.last.items()} == {0: "delivered", 1: "defer"}

    play(scenario())


def test_a_delivered_message_that_cannot_be_removed_is_not_delivered_again(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm; it stays known as delivered while the daemon runs, whatever a scan finds."""

    async def scenario() -> None:
        monkeypatch.setattr(post.spool, "drop", Failing(post.spool.drop, 10_000, errno.EROFS))
        async with post.running():
            id = post.put("a@example.com")
            await post.until("an alarm", lambda: post.told("alarm"))
            post.look([id])
            post.manager.expect_all([(0.0, id)])
            await asyncio.sleep(0.05)
        assert post.tries(id) == 1
        assert post.spool.find(id) == "queued"

    play(scenario())


def test_a_status_database_that_takes_nothing_stops_no_mail(post: Post) -> None:
    """Status is a view: an alarm, and the message is gone."""

    async def scenario() -> None:
        post.status_fails = RuntimeError("database disk image is malformed")
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, None)
            post.status_fails = None
        assert "alarm status" in post.told("alarm")

    play(scenario())


def test_a_bug_that_one_message_meets_is_no_trouble_of_those_that_wait_for_the_same_route(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their route is looked for once, and each of the others is queued."""
    first, *others = [post.put(f"{name}@example.com") for name in "abc"]
    admits = post.context.scheduler.admits

    def broken(route: Route, id: str, now: float) -> bool:
        if id == first:
            raise ZeroDivisionError
        return admits(route, id, now)

    monkeypatch.setattr(post.context.scheduler, "admits", broken)

    async def scenario() -> None:
        async with post.running():
            for id in others:
                await post.settled(id, None)
        assert post.spool.find(first) == "queued"
        assert post.told("alarm")

    play(scenario())
