"""The real daemon, dying at each step by which it settles messages: one delivered, one put off, one given up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailer.sink import SinkThread
from tests.fakes.processes import MAILER
from tests.journey.world import World

from .injected import Victim, sweep

pytestmark = pytest.mark.peer("strace")

STEPS = {"rename": 1, "unlink": 1, "fdatasync": 1, "fsync": 1, "pwrite64": 7}
"""The system calls by which anything is settled: moves, ends, syncs; and pages of the status database, every seventh."""

MOST = 100


@pytest.mark.timeout(600)
def test_the_daemon_may_die_at_any_step_of_settling(tmp_path: Path) -> None:
    """Killed at the first, second, … rename, unlink or sync of a pass, it finishes after a restart as if nothing had been.

    The recipient has one copy, or two if the daemon died between the server's answer and the end of the message;
    the sender has a report; what was put off waits. Nothing else is left.
    """
    sweep(tmp_path, struck, STEPS, MOST)


def struck(world: World, ids: list[str], step: str, nth: int) -> bool:
    """Make a pass that dies at the nth `step`, then undisturbed ones, and look at what is left. Whether it died."""
    where = f"after {step} #{nth}"
    with SinkThread() as sink:
        world.configure(sink.port, schedule=("1h",))
        victim = Victim([*MAILER, "run", "--once"], world.home / "trace", env=world.env)
        done = victim.strace("-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={nth}")
        died = done.code
        assert died in (0, -9), (where, done)
        if died:
            world.once()
        if world.in_spool("queued"):
            world.once()  # a report that was put in the last pass
        assert [world.where(id) for id in ids] == ["", "deferred", "failed"], where
        assert world.in_spool() == sorted(ids[1:]), where
        told = world.mailer("status", "--json", *ids).out.splitlines()
        assert [json.loads(line)["status"] for line in told] == ["sent", "deferred", "failed"], where
        copies = [message.recipients[0] for message in sink.messages]
        assert 1 <= copies.count("you@there.example") <= 2, where
        assert 1 <= copies.count("me@here.example") <= 2, where
        assert set(copies) == {"you@there.example", "me@here.example"}, where
        if died == 0:
            assert len(copies) == 2
    return died != 0


@pytest.mark.timeout(600)
def test_a_sender_is_told_once_though_the_disk_takes_no_record_of_it(world: World) -> None:
    """The report has left when the next run tries to write down what it is about; the run after that can, and tells nobody again."""
    with SinkThread() as sink:
        world.configure(sink.port, schedule=("1h",))
        id = world.send("550@there.example")
        victim = Victim([*MAILER, "run", "--once"], world.home / "trace", env=world.env)
        for _ in range(2):
            done = victim.strace("-e", "trace=write", "-e", "inject=write:error=EIO", "-P", str(world.spool / "queued" / id))
            assert (done.code, world.where(id)) == (75, "queued"), done
        world.once()
        assert world.where(id) == "failed"
        assert [message.recipients for message in sink.messages] == [("me@here.example",)]
