"""A report of another host, and the daemon dying at each step of what follows from it: none is lost, and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from mailer.sink import SinkThread
from mailer.spool.files.store import SpoolDirectory
from mailer.suppression.sqlite import SqliteSuppression
from tests.bounces.letters import dsn
from tests.fakes.processes import MAILER
from tests.journey.world import World

from .injected import Victim, side_by_side
from .test_journal import journal_of

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

MORE = '[bounce]\naddress = "bounces@here.example"\n[suppress]\nautomatic = "always"\n[journal]\nkeep = true\n'
STEPS = {"rename": 1, "fsync": 2, "fdatasync": 1, "link": 1, "unlink": 3, "write": 8, "pwrite64": 30}
"""The system calls by which anything is settled or written down, and every how manieth is struck."""

MOST = 120
NOBODY = 9  # the port where nobody listens: what the sender gets stays in the spool, where it can be counted


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A spool whose message was delivered, with a report about it that nobody has acted upon, and the ID of the message."""
    home = tmp_path_factory.mktemp("begun")
    world = World(home)
    with SinkThread() as sink:
        world.configure(sink.port, more=MORE)
        id = world.send("you@there.example")
        assert world.once().code == 0
        [kept] = sink.messages
    done = world.mailer("bounces", "ingest", input=dsn(kept.sender, "you@there.example"))
    assert done.code == 0, done
    world.close()
    return world.spool, id


@pytest.mark.timeout(600)
def test_a_report_is_acted_upon_once_wherever_the_daemon_died(tmp_path: Path, begun: tuple[Path, str]) -> None:
    """After the next start it is done: suppressed, told, bounced, passed on, settled, each exactly once."""
    struck: list[str] = []

    def dies(step: str) -> None:
        nth = 1
        while nth < MOST * STEPS[step] and strike(tmp_path / f"{step}-{nth}", *begun, step, nth):
            struck.append(step)
            nth += STEPS[step]

    side_by_side(dies, STEPS)
    assert len(struck) > 10


def strike(home: Path, spool: Path, id: str, step: str, nth: int) -> bool:
    """Make a pass that dies at the nth `step`, and an undisturbed one, and look. Whether it died."""
    where = f"after {step} #{nth}"
    home.mkdir()
    world = World(home)
    shutil.copytree(spool, world.spool, ignore=shutil.ignore_patterns("doorbell"))
    world.configure(NOBODY, schedule=("1h",), more=MORE)
    victim = Victim([*MAILER, "run", "--once"], home / "trace", env=world.env)
    done = victim.strace("-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={nth}")
    died = done.code
    assert died in (0, -9), (where, done)
    if died:
        left = sum(len(os.listdir(world.spool / "reports" / state)) for state in ("new", "done", "unmatched"))
        assert left == 1, where
        assert world.once().code in (0, 75), where
    look(world, id, where)
    shutil.rmtree(home)
    return died != 0


def look(world: World, id: str, where: str) -> None:
    """All that follows from the report is there, and nothing twice."""
    assert [len(os.listdir(world.spool / "reports" / state)) for state in ("new", "done", "unmatched")] == [0, 1, 0], where
    assert [event["type"] for event in journal_of(world) if event["message"] == id] == ["accepted", "delivered", "bounced"], where
    assert world.status(id)["recipients"][0]["status"] == "bounced", where
    assert len(json.loads(world.mailer("explain", id, "--json").out)["heard"]) == 1, where
    suppression = SqliteSuppression(str(world.spool))
    log = asyncio.run(suppression.log())
    assert [(line.act, line.address, line.evidence) for line in log] == [("add", "you@there.example", id)], where
    directory = SpoolDirectory(str(world.spool))
    passed = [directory.read(each).envelope for state in ("queued", "deferred") for each in directory.ids(state)]
    assert [(each.sender, each.recipients[0].address) for each in passed] == [("", "me@here.example")], where
