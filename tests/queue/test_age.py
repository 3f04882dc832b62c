"""What a message has really been waited for: by one daemon, by one pass after the other, and by a machine that was off."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from mailer.mail.dates import rfc3339
from mailer.mail.delivery_options import NOTHING
from mailer.mail.history import History
from mailer.queue.age import asked
from mailer.spool.api import Entry
from tests.fakes.mail import FakeClock, Machine, envelope, put, suspend

from .post import DAY, NOW, Post, play

HOUR = 3600.0


def a_pass(root: Path, now: float, answer: str = "defer") -> Post:
    """One pass over the spool at `now`, as ``run --once`` makes it: nothing is remembered of the one before."""
    post = Post(root, clock=(machine := Machine(now)).clock)
    post.courier.clock = machine.clock  # type: ignore[assignment]
    post.courier.script["a@example.com"] = [answer]

    async def scenario() -> None:
        post.manager.settler.once = True
        post.mind()
        post.manager.expect_all([(0.0, id) for id in post.spool.ids("queued")])
        post.manager.expect_all(post.spool.dues())
        await post.manager.run()
        await post.recorder.close()

    play(scenario())
    return post


def first_pass(root: Path) -> str:
    """A message that was put and put off at `NOW`."""
    post = Post(root)
    id = put(post.spool, "a@example.com", sender="", at=NOW)
    a_pass(root, NOW)
    return id


@pytest.mark.slow
@pytest.mark.parametrize(("every", "after"), [(HOUR, 2 * DAY), (7 * HOUR, 49 * HOUR), (DAY, 2 * DAY), (7 * DAY, 14 * DAY)])
def test_passes_give_up_in_time(tmp_path: Path, every: float, after: float) -> None:
    """Two days, however often cron comes, if it comes once a day; if less, it is not given up at the first try after a pause."""
    id = first_pass(tmp_path)
    at = next(at for at in count(NOW + every, every) if a_pass(tmp_path, at).spool.find(id) != "deferred")
    assert at - NOW == after


def test_what_has_waited_for_its_time_has_its_whole_time_after_that(tmp_path: Path) -> None:
    """It is given up two days after it was due, not after it was put."""
    machine, due = Machine(NOW), NOW + 3 * DAY
    post = Post(tmp_path, clock=machine.clock)
    post.courier.clock = machine.clock  # type: ignore[assignment]
    post.courier.script["a@example.com"] = ["defer"]
    id = put(post.spool, "a@example.com", sender="", at=NOW, options={"at": rfc3339(due)})
    os.utime(post.spool.path("queued", id), (due, due))
    os.rename(post.spool.path("queued", id), post.spool.path("deferred", id))

    async def scenario() -> None:
        async with post.running():
            machine.passes(3 * DAY)
            post.context.wake()
            await post.until("it was tried", lambda: post.tries(id) == 1 and id not in post.scheduler.active)
            assert post.spool.find(id) == "deferred"
            machine.passes(2 * DAY)
            post.context.wake()
            await post.settled(id, "failed")

    play(scenario())


@pytest.mark.slow
def test_what_is_paused_grows_old_too(tmp_path: Path) -> None:
    """Also where each pass has only to say what the one before said, and does not write it again."""
    suspend(Post(tmp_path).spool.root, "example.com", NOW + 40 * HOUR, "", NOW)
    id = first_pass(tmp_path)
    for nth in range(1, 41):
        a_pass(tmp_path, NOW + nth * HOUR / 2)
    assert a_pass(tmp_path, NOW + 41 * HOUR).spool.find(id) == "deferred"
    assert a_pass(tmp_path, NOW + 49 * HOUR).spool.find(id) == "failed"


def test_a_week_without_a_daemon_leaves_half_of_the_time(tmp_path: Path) -> None:
    """A laptop after the holidays: its mail is tried for another day."""
    id = first_pass(tmp_path)
    week = NOW + 7 * DAY
    for hours in range(0, 24, 6):
        assert a_pass(tmp_path, week + hours * HOUR).spool.find(id) == "deferred"
    assert a_pass(tmp_path, week + DAY).spool.find(id) == "failed"


def entry(options: dict[str, object], arrived: float = NOW) -> Entry:
    """A message for which that is asked."""
    letter = envelope("a@example.net")
    letter.options = options
    return Entry(letter.id, "queued", letter, 100, History(1), 0.0, arrived)


@pytest.mark.parametrize(("options", "left"), [({"by": 120}, 70), ({"by": 30, "by_return": False}, -20)])
def test_the_next_host_gets_what_is_left_of_the_time(options: dict[str, object], left: int) -> None:
    """RFC 2852: the seconds that the message has waited here are not the next host's to use."""
    assert asked(entry(options, NOW - 50), FakeClock()).by == left


def test_the_time_that_is_left_is_no_matter_of_the_wall_clock() -> None:
    """RFC 2852: who wanted it there within two minutes gave us two minutes, though the clock is set by an hour meanwhile."""
    machine = Machine()
    machine.passes(20.0)
    machine.set(3600.0)
    machine.clock.check()
    machine.passes(30.0)
    assert asked(entry({"by": 120}), machine.clock).by == 70


def test_options_that_nobody_could_ask_for_stop_no_mail() -> None:
    """A file that somebody else wrote may hold anything there."""
    assert asked(entry({"ret": ["x"], "priority": "high"}), FakeClock()) is NOTHING
