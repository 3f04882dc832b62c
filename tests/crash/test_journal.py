"""The daemon with a subscriber, dying at each step: each event is in the journal, and nothing left the spool before its event was there."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mailer.sink import SinkThread
from tests.fakes.processes import MAILER, wait_until
from tests.journey.world import World

from .injected import Victim, sweep

pytestmark = [pytest.mark.peer("strace"), pytest.mark.slow]

KEEP = "[journal]\nkeep = true\n"
STEPS = {"rename": 1, "unlink": 1, "fdatasync": 1, "fsync": 1, "write": 3, "ftruncate": 1, "pwrite64": 11}
"""The system calls by which anything is settled or written down, and every how manieth is struck."""

MOST = 150
EXPECTED = {
    ("you@there.example", "accepted"), ("you@there.example", "delivered"),
    ("451@there.example", "accepted"), ("451@there.example", "deferred"),
    ("550@there.example", "accepted"), ("550@there.example", "failed"),
}  # fmt: skip


def journal_of(world: World) -> list[dict[str, Any]]:
    """The lines of the journal, by its files; what a crash has torn is no line."""
    whole = [path.read_bytes().rpartition(b"\n")[0] for path in sorted(world.spool.glob("journal/*.jsonl"))]
    return [json.loads(line) for text in whole for line in text.splitlines()]


def told(world: World) -> Counter[tuple[str, str]]:
    """How often each thing was told of the three messages; the report's own events are beside the point."""
    return Counter(
        (event["to"], event["type"]) for event in journal_of(world) if event["to"] != "me@here.example" and event["type"] != "alarm"
    )


@pytest.mark.timeout(600)
def test_each_event_is_in_the_journal_wherever_the_daemon_died(tmp_path: Path) -> None:
    """Once: what was told before the crash is known after it, and what was not is found in the spool. What is tried again is told again.

    A message that has left the spool has its event, at the very moment of the crash. IDs ascend over all of it.
    """
    sweep(tmp_path, struck, STEPS, MOST)


def struck(world: World, ids: list[str], step: str, nth: int) -> bool:
    """Make a pass that dies at the nth `step`, look, make undisturbed ones, and look again. Whether it died."""
    where = f"after {step} #{nth}"
    with SinkThread() as sink:
        world.configure(sink.port, schedule=("1h",), more=KEEP)
        victim = Victim([*MAILER, "run", "--once"], world.home / "trace", env=world.env)
        done = victim.strace("-e", f"trace={step}", "-e", f"inject={step}:signal=KILL:when={nth}")
        died = done.code
        assert died in (0, -9), (where, done)
        if world.where(ids[0]) == "":
            assert told(world)["you@there.example", "delivered"], where
        if died:
            world.once()
        if world.in_spool("queued"):
            world.once()
        assert [world.where(id) for id in ids] == ["", "deferred", "failed"], where
        assert set(told(world)) == EXPECTED, where
        tries = {event["at"] for event in journal_of(world) if event["type"] == "deferred"}
        assert told(world) == {**dict.fromkeys(EXPECTED, 1), ("451@there.example", "deferred"): len(tries)}, (where, told(world))
        lines = [event["id"] for event in journal_of(world)]
        assert lines == sorted(set(lines)), where
        reported = Counter(event["type"] for event in journal_of(world) if event["to"] == "me@here.example")
        assert reported == {"accepted": 1, "delivered": 1}, (where, reported)
    return died != 0


@pytest.mark.timeout(300)
def test_a_journal_that_takes_nothing_keeps_what_is_delivered_and_nobody_gets_it_twice(world: World) -> None:
    """The file says that it is delivered, and stays; when the journal can be written the event is there, and the file goes."""
    with SinkThread() as sink:
        world.configure(sink.port, schedule=("1h",), more=KEEP)
        id = world.send("you@there.example")
        world.once()
        assert world.where(id) == ""
        id = world.send("another@there.example")
        (segment,) = (world.spool / "journal").glob("*.jsonl")
        before = segment.read_bytes()
        victim = Victim([*MAILER, "run", "--once"], world.home / "trace", env=world.env)
        done = victim.strace("-e", "trace=write", "-e", "inject=write:error=ENOSPC", "-P", str(segment))
        assert done.code == 75, done
        assert '"alarm":"journal"' in done.err.replace('"what":"journal"', '"alarm":"journal"'), done.err
        assert (world.where(id), segment.read_bytes()) == ("queued", before)
        world.once()
        assert world.where(id) == ""
        events = [(event["to"], event["type"]) for event in journal_of(world) if event["type"] != "alarm"]
        assert sorted(events[2:]) == [("another@there.example", "accepted"), ("another@there.example", "delivered")]
        assert [message.recipients for message in sink.messages] == [("you@there.example",), ("another@there.example",)]


@pytest.mark.timeout(300)
def test_a_daemon_that_is_killed_again_and_again_tells_of_each_message_once(world: World) -> None:
    """While mail comes in and is delivered: nobody waits for a good moment."""
    sink = world.sink("--count")
    world.configure(sink, schedule=("1s",), more=KEEP)
    ids = []
    for round in range(6):
        daemon = world.daemon()
        ids += [world.send(f"r{round}-{nth}@there.example") for nth in range(4)]
        daemon.signal(signal.SIGKILL)
        wait_until("it is dead", lambda daemon=daemon: not daemon.running)
    world.once()
    assert world.in_spool() == []
    events = [event for event in journal_of(world) if event["message"] in ids]
    assert Counter((event["message"], event["type"]) for event in events) == Counter(
        {(id, type): 1 for id in ids for type in ("accepted", "delivered")}
    )
