"""How much waits, why and since when, as a manager at work has it."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from mailer.metrics.queue_figures import REASONS, Disk, QueueFigures
from mailer.queue.scheduler import QueueLimits
from tests.fakes.mail import NOW, outcome, suspend
from tests.queue.post import Post, play


def reasons(post: Post) -> dict[str, int]:
    """Those for which something waits."""
    return {reason: number for reason, number in QueueFigures(post.manager).reasons(post.clock.now()).items() if number}


def test_mail_that_is_put_off_waits_for_its_time(tmp_path: Path) -> None:
    """And is as old as when it was put, whatever was tried since."""
    post = Post(tmp_path)
    post.courier.script = {"a@slow.example": ["defer"]}

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@slow.example", at=NOW - 1000)
            await post.settled(id, "deferred")
            figures = QueueFigures(post.manager)
            assert reasons(post) == {"retry": 1}
            assert figures.oldest() == {"deferred": NOW - 1000}

    play(scenario())


def test_mail_for_a_pause_waits_for_its_end(tmp_path: Path) -> None:
    """It is not among what waits for its time."""
    post = Post(tmp_path)

    async def scenario() -> None:
        async with post.running():
            suspend(post.spool.root, "slow.example", math.inf, "they asked", NOW)
            post.mind()
            await post.settled(post.put("a@slow.example"), "deferred")
            assert reasons(post) == {"pause": 1}

    play(scenario())


def test_mail_for_a_relay_that_is_down_waits_for_its_breaker(tmp_path: Path) -> None:
    """Which is open; what has found out that it is waits for its time."""
    post = Post(tmp_path)
    post.finder.routes = {"there.example": "relay:out"}
    down = outcome(0, "defer", scope="host", code=451, enhanced="4.4.1", phase="connect")
    post.courier.script = {f"{number}@there.example": [down] for number in range(9)}

    async def scenario() -> None:
        async with post.running():
            ids = [post.put(f"{number}@there.example") for number in range(9)]
            for id in ids:
                await post.settled(id, "deferred")
            found = reasons(post)
            assert set(found) == {"retry", "breaker"}
            assert sum(found.values()) == 9
            assert [state for state, _, _ in QueueFigures(post.manager).breakers(post.clock.now())] == ["open"]

    play(scenario())


def test_mail_behind_others_waits_for_a_session(tmp_path: Path) -> None:
    """One is sent, the next waits for a place, and what nobody has read yet for its turn."""
    post = Post(tmp_path, QueueLimits(connections=1, per_destination=1, start_mx=1))

    async def scenario() -> None:
        async with post.running():
            gate = post.courier.gates["slow.example"] = asyncio.Event()
            post.put("a@slow.example", at=NOW - 10)
            await post.until("it is sent", lambda: post.courier.busy)
            post.put("b@slow.example")
            await post.until("it is read", lambda: len(post.scheduler.destinations["slow.example"]))
            assert reasons(post) == {"sending": 1, "window": 1}
            assert QueueFigures(post.manager).oldest() == {"active": NOW - 10}
            gate.set()
            await post.until("all are gone", lambda: not post.scheduler.active)

    play(scenario())


def test_what_nobody_has_read_waits_for_its_turn(tmp_path: Path) -> None:
    """It is queued, as old as its name says; a name that is none has no age."""
    post = Post(tmp_path)
    figures = QueueFigures(post.manager)
    assert figures.oldest() == {}
    assert dict(figures.reasons(NOW)) == dict.fromkeys(REASONS, 0)
    post.put("a@slow.example", at=NOW - 5)
    post.put("b@slow.example", at=NOW - 50)
    assert reasons(post) == {"turn": 2}
    assert figures.oldest() == {"queued": NOW - 50}
    post.scheduler.expect("0", NOW)
    post.scheduler.forget("0")
    post.scheduler.expect("stranger", 0.0)
    assert figures.oldest() == {"queued": NOW - 50}


def test_a_disk_is_asked(tmp_path: Path) -> None:
    """Its size, what is free, and how many files it has room for."""
    disk = Disk.of(str(tmp_path))
    assert disk.size >= disk.free > 0
    with pytest.raises(OSError, match="No such file"):
        Disk.of(str(tmp_path / "nowhere"))
