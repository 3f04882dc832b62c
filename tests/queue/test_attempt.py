"""An attempt: what each recipient learned is on record in the order of the contract, before anything else happens."""

from __future__ import annotations

import asyncio
import itertools
import os
import time

import pytest

from mailer.events import Settled
from mailer.queue.attempt import Attempt
from tests.fakes.mail import outcome

from .post import NOW, Post, play

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_a_delivered_message_leaves_the_spool_after_its_status_is_written(post: Post) -> None:
    """The record stands before the file goes: a crash in between delivers twice, never loses the news."""

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.com")
            await post.settled(id, None)
        assert post.told() == ["seen", "tried", "settled sent"]
        assert post.written == [("seen", ["queued"]), ("tried", ["queued"]), ("settled sent", ["queued"])]
        assert post.tries(id) == 1

    play(scenario())


def test_a_deferred_message_waits_at_its_files_mtime_and_is_tried_again(post: Post) -> None:
    """First wait, second wait, delivered; each time with all that was learned on record."""

    async def scenario() -> None:
        post.courier.script["a@example.com"] = ["defer", "defer", "delivered"]
        async with post.running():
            id = post.put("a@example.com")
            for seconds, tries in ((60.0, 1), (300.0, 2)):
                await post.settled(id, "deferred")
                entry = post.spool.read(id)
                assert (entry.due, entry.history.attempts) == (pytest.approx(post.clock.now() + seconds, abs=0.001), tries)
                post.advance(seconds - 1)
                await asyncio.sleep(0.02)
                assert post.tries(id) == tries
                post.advance(1)
                await post.until("another try", lambda tries=tries: post.tries(id) == tries + 1)  # type: ignore[misc]
            await post.settled(id, None)
        assert post.told("settled") == ["settled deferred", "settled deferred", "settled sent"]
        assert [event.due for event in post.events if isinstance(event, Settled)] == [NOW + 60, NOW + 360, 0.0]

    play(scenario())


def test_a_delivered_part_is_on_disk_before_the_rest_is_through(post: Post) -> None:
    """Then the rest is put off, and only those who wait are tried again."""

    async def scenario() -> None:
        post.courier.gates["slow.example"] = asyncio.Event()
        post.courier.script["b@slow.example"] = ["defer", "delivered"]
        async with post.running():
            id = post.put("a@fast.example", "b@slow.example", "c@fast.example")
            await post.until("a record", lambda: len(post.spool.read(id).history.outcomes) == 2)
            assert post.spool.find(id) == "queued"
            assert post.spool.read(id).history.pending() == [1]
            post.courier.gates["slow.example"].set()
            await post.settled(id, "deferred")
            post.advance(60)
            await post.settled(id, None)
        assert sorted(addresses for _, addresses in post.courier.tried) == [
            ["a@fast.example", "c@fast.example"], ["b@slow.example"], ["b@slow.example"],
        ]  # fmt: skip

    play(scenario())


def test_who_was_put_off_together_is_tried_again_together(post: Post) -> None:
    """Chance moves messages apart, not the recipients of one: they share their next transaction, and one record."""

    async def scenario() -> None:
        addresses = [f"{nth}@example.com" for nth in range(20)]
        for address in addresses:
            post.courier.script[address] = ["defer", "delivered"]
        chances = itertools.cycle([0.1, 0.9, 0.4])
        post.manager.settler.random = lambda: next(chances)
        async with post.running():
            id = post.put(*addresses)
            await post.settled(id, "deferred")
            assert len({last.due for last in post.spool.read(id).history.last.values()}) == 1
            post.advance(120)
            await post.settled(id, None)
        assert post.courier.tried == [(id, addresses)] * 2

    play(scenario())


def test_who_is_not_due_yet_is_not_tried_with_the_others(post: Post) -> None:
    """One file has one time, but each recipient his own; an operator's retry is for all."""

    async def scenario() -> None:
        id = post.put("a@example.com", "b@example.com")
        with post.spool.claim(id) as claim:
            post.spool.defer(claim, [outcome(0, "defer", due=NOW + 60), outcome(1, "defer", due=NOW + 600)], NOW + 60)
        post.courier.script["a@example.com"] = ["defer", "delivered"]
        async with post.running():
            post.advance(60)
            await post.until("a try", lambda: post.courier.tried == [(id, ["a@example.com"])])
            await post.settled(id, "deferred")
            post.spool.retry(id)
            post.look([id])
            await post.settled(id, None)
        assert post.courier.tried[1] == (id, ["a@example.com", "b@example.com"])

    play(scenario())


def test_parts_that_end_while_a_record_is_written_wait_for_it(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk: who settles knows what all have learned, and nothing is written to a file that was given back."""
    real = os.fdatasync

    def slow(fd: int) -> None:
        time.sleep(0.05)
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)

    async def scenario() -> None:
        post.courier.gates["b.example"] = asyncio.Event()
        async with post.running():
            id = post.put("a@a.example", "b@b.example")
            await post.until("both under way", lambda: len(post.courier.tried) == 2)
            await asyncio.sleep(0.01)
            post.courier.gates["b.example"].set()
            await post.settled(id, None)
        assert post.told("settled", "alarm") == ["settled sent"]
        assert len(post.courier.tried) == 2

    play(scenario())


def test_all_of_one_way_share_a_transaction_up_to_a_hundred(post: Post) -> None:
    """Domains with the same hosts are one destination; more recipients are more jobs, and one message."""

    async def scenario() -> None:
        post.finder.routes = {"a.example": "mx", "b.example": "mx"}
        async with post.running():
            await post.settled(post.put("x@a.example"), None)
            await post.settled(post.put("x@b.example"), None)
            id = post.put("1@a.example", "2@b.example", "3@A.Example")
            await post.settled(id, None)
            assert post.courier.tried[-1] == (id, ["1@a.example", "3@A.Example", "2@b.example"])
            many = post.put(*(f"{nth}@a.example" for nth in range(250)))
            await post.settled(many, None)
        assert [len(addresses) for tried, addresses in post.courier.tried if tried == many] == [100, 100, 50]
        assert post.told("settled") == ["settled sent"] * 4

    play(scenario())


def test_an_attempt_is_over_when_its_last_part_is() -> None:
    """A part may become several; none is forgotten and none counted twice."""
    attempt = Attempt(None, NOW)  # type: ignore[arg-type]
    attempt.split(2)
    assert not attempt.part_done()
    attempt.split(2)  # the other one, beside itself
    assert attempt.parts == 3
    assert [attempt.part_done() for _ in range(3)] == [False, False, True]
