"""The real daemon, dying at each step by which it settles messages: one delivered, one put off, one given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.sink import SinkThread
from tests.fakes.processes import MAILER
from tests.journey.world import World

from .injected import Victim, side_by_side

pytestmark = pytest.mark.peer("strace")

STEPS = ("rename", "unlink", "fdatasync", "fsync", "pwrite64")
"""The system calls by which anything is settled: moves, ends, syncs; and the pages of the status database."""

MOST = 60


def test_the_daemon_may_die_at_any_step_of_settling(tmp_path: Path) -> None:
    """Killed at the first, second, … rename, unlink or sync of a pass, it finishes after a restart as if nothing had been.

    The recipient has one copy, or two if the daemon died between the server's answer and the end of the message;
    the sender has a report; what was put off waits. Nothing else is left.
    """

    def dies(step: str) -> None:
        for nth in range(1, MOST):
            if not struck(tmp_path / f"{step}-{nth}", step, nth):
                return
        raise AssertionError(f"a pass over three messages makes {MOST} times {step}?")

    side_by_side(dies, STEPS)


def struck(home: Path, step: str, nth: int) -> bool:
    """Make a pass that dies at the nth `step`, then one undisturbed, and look at what is left. Whether it died."""
    home.mkdir()
    world = World(home)
    with SinkThread() as sink:
        world.configure(sink.port, schedule=("1h",))
        sent, put_off, refused = (world.send(f"{who}@there.example") for who in ("you", "451", "550"))
        victim = Victim([*MAILER, "run", "--once"], home / "trace", env=world.env)
        died = victim.strace("-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={nth}").code
        assert died in (0, -9)
        world.once()
        world.once()  # for a report that was queued in the last
        where = f"after {step} #{nth}"
        assert [world.where(id) for id in (sent, put_off, refused)] == ["", "deferred", "failed"], where
        assert world.in_spool() == sorted((put_off, refused)), where
        assert [world.status(id)["status"] for id in (sent, put_off, refused)] == ["sent", "deferred", "failed"], where
        copies = [message.recipients[0] for message in sink.messages]
        assert 1 <= copies.count("you@there.example") <= 2, where
        assert 1 <= copies.count("me@here.example") <= 2, where
        assert set(copies) == {"you@there.example", "me@here.example"}, where
        if died == 0:
            assert len(copies) == 2
    return died != 0
