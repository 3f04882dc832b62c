"""A program of this machine that sends ten thousand messages by mistake: its fuse goes, and three commands end it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mailer.spool.files import doorbell
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import envelope, spool_file
from tests.journey.world import World

MANY, BURST = 10_000, 100
WILD = {"uid": 4_000_001, "principal": "unix:4000001"}


def flood(world: World) -> None:
    """Queue the messages of the program, and tell the daemon."""
    spool = SpoolDirectory(str(world.spool))
    spool.prepare()
    now = time.time()
    for nth in range(MANY):
        letter = envelope("admin@there.example", at=now, sender="wild@here.example", subject=f"Job {nth} failed", submitter=WILD)
        Path(spool.path("queued", letter.id)).write_bytes(spool_file(letter))
    doorbell.ring(spool.root, doorbell.EVERYTHING)


@pytest.mark.timeout(600)
def test_ten_thousand_are_stopped_found_and_cancelled(world: World) -> None:
    """A burst of them leaves; mail of others that is sent meanwhile does, too; what is left is gone after hold, list and cancel."""
    sink = world.sink()
    world.configure(sink, more=f'[fuse]\nrate = "100/h"\nburst = {BURST}\n')
    daemon = world.daemon()
    flood(world)
    others = [world.send(f"other{nth}@there.example") for nth in range(3)]
    began = time.monotonic()
    for id in others:
        world.becomes(id, "sent", 120)
    print(f"FIGURE mail of others was sent {time.monotonic() - began:.1f} s after the flood of {MANY}")
    daemon.says('"what":"sender"')
    world.until("all of it waits", lambda: len(list((world.spool / "queued").iterdir())) == 0, 300)
    assert BURST <= sum(kept.sender == "wild@here.example" for kept in sink.kept) < BURST + 30  # one in 36 seconds besides
    for words in (
        ("queue", "hold", "--submitter", "unix:4000001", "--quiet"),
        ("queue", "list", "--state", "held", "--by", "subject", "--json"),
        ("queue", "cancel", "--subject", "Job*failed", "--quiet"),
    ):
        began = time.monotonic()
        done = world.mailer(*words)
        assert done.code == 0
        print(f"FIGURE mailer {' '.join(words)} took {time.monotonic() - began:.1f} s")
        if "list" in words:
            assert MANY - BURST - 30 < json.loads(done.out)["count"] <= MANY - BURST
    *none, failed = [len(list((world.spool / state).iterdir())) for state in ("queued", "deferred", "held", "failed")]
    assert none == [0, 0, 0]
    assert MANY - BURST - 30 < failed <= MANY - BURST
