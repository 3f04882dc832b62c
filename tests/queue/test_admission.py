"""The memory of a manager: how many messages and how many of their octets it holds, and that all of it is given back."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from mailer.queue import admission
from mailer.queue.scheduler import QueueLimits
from tests.fakes.mail import BODY, outcome

from .post import NOW, Post, play

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_no_more_messages_are_in_memory_than_allowed(tmp_path: Path) -> None:
    """And all get through."""
    post = Post(tmp_path, QueueLimits(active=3, connections=10))

    async def scenario() -> None:
        post.courier.gates["example.com"] = asyncio.Event()
        async with post.running():
            for nth in range(12):
                post.put(f"{nth}@example.com")
            await post.until("work", lambda: post.courier.busy)
            await asyncio.sleep(0.05)
            assert len(post.scheduler.active) == 3
            post.courier.gates["example.com"].set()
            await post.until("all gone", lambda: not post.places())

    play(scenario())


def test_what_does_not_fit_into_memory_is_read_again(tmp_path: Path) -> None:
    """The bodies of messages that wait have a budget; beyond it, each is read when its turn comes, and delivered whole."""
    post = Post(tmp_path)
    post.kept.kept.limit = 3 * len(BODY)
    contents: list[bytes] = []
    deliver = post.courier.deliver

    async def watched(load: Any, ahead: Any) -> Any:
        contents.append(load.content)
        return await deliver(load, ahead)

    post.courier.deliver = watched  # type: ignore[method-assign]

    async def scenario() -> None:
        async with post.running():
            for nth in range(30):
                post.put("a@a.example", "b@b.example", at=NOW + nth)
            await post.until("all gone", lambda: not post.places())
        assert contents == [BODY] * 60

    play(scenario())


@pytest.mark.parametrize("slow", [False, True])
def test_the_memory_of_every_message_is_given_back(post: Post, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    """However its parts end: side by side while a record is written, recorded before a crash, taken away."""
    watched = Post(Path(post.spool.root).parent / "other")
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (time.sleep(0.02 if slow else 0), real(fd)))

    async def scenario() -> None:
        async with watched.running():
            for nth in range(5):
                watched.put("a@a.example", "b@b.example", "c@c.example", at=NOW + nth)
            done = watched.put("x@x.example", at=NOW - 5)
            with watched.spool.claim(done) as claim:
                watched.spool.record(claim, [outcome(0)])
            await watched.until("all gone", lambda: not watched.places())
        assert (watched.kept.kept.used, watched.kept.kept.open) == (0, 0)

    play(scenario())


def test_a_slow_destination_does_not_fill_the_memory(tmp_path: Path) -> None:
    """What comes beyond its share goes back to waiting, unlocked and as it was; mail for others that comes later is delivered."""

    async def scenario() -> None:
        post = Post(tmp_path, QueueLimits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        post.put("first@other.example")
        async with post.running():
            slow = [post.put("you@slow.example") for _ in range(60)]
            other = post.put("you@other.example")
            await post.settled(other, None)
            assert len(post.scheduler.active) < 20
            assert all(post.scheduler.knows(id) for id in slow)
            assert not post.scheduler.idle
            post.courier.gates["slow.example"].set()
            for id in slow:
                await post.settled(id, None)
        assert sorted(id for id, _ in post.courier.tried if id in slow) == sorted(slow)
        assert post.scheduler.idle

    play(scenario())


def test_a_message_with_a_part_for_a_full_destination_goes_to_the_others(tmp_path: Path) -> None:
    """That part is put off for a minute or two, and that is no attempt."""

    async def scenario() -> None:
        post = Post(tmp_path, QueueLimits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            for _ in range(60):
                post.put("you@slow.example")
            both = post.put("a@slow.example", "b@other.example")
            await post.settled(both, "deferred")
            assert 60 <= post.scheduler.due_of(both) - post.clock.now() <= 120
            assert any("b@other.example" in people for id, people in post.courier.tried if id == both)
            entry = post.spool.read(both, "deferred")
            assert entry.history.tries == {1: 1}
            post.courier.gates["slow.example"].set()

    play(scenario())


def test_what_would_wait_for_very_long_is_put_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of an hour or more, and no attempt: so it has a time at which it is late, and one at which it expires."""
    monkeypatch.setattr(admission, "LOT", 10)
    monkeypatch.setattr(admission, "BEGUN", 0.0)

    async def scenario() -> None:
        post = Post(tmp_path, QueueLimits(active=20))
        post.courier.gates["slow.example"] = asyncio.Event()
        async with post.running():
            ids = [post.put("you@slow.example") for _ in range(40)]
            deferred = await post.until("some put off", lambda: post.spool.ids("deferred"))
            for id in deferred:
                assert post.scheduler.due_of(id) - NOW >= 900
                assert post.spool.read(id, "deferred").history.tries == {}
            assert all(post.scheduler.knows(id) for id in ids)
            post.courier.gates["slow.example"].set()

    play(scenario())
