"""Two thousand messages through a daemon that is killed twenty times: none lost, none stuck, none twice without a reason."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections import defaultdict
from contextlib import closing
from itertools import pairwise

import pytest

from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.spool import new_id
from mailer.spool.files.doorbell import ring
from mailer.spool.files.enqueue import put
from tests.fakes.processes import PATIENCE, wait_until
from tests.journey.world import Sink, World

MESSAGES = 2000
KILLS = 20
CONNECTIONS = 4
ME = "me@here.example"
BODY = b"From: me@here.example\r\nTo: you@there.example\r\nSubject: one of many\r\n\r\nAll of it.\r\n"


def addresses() -> list[str]:
    """A recipient of its own for each message: most are taken, one in twenty only at the second try, one in forty never."""
    kinds = {7: "greylist", 27: "greylist", 13: "550"}
    return [f"{kinds.get(number % 40, 'you')}+{number}@there.example" for number in range(MESSAGES)]


def send_all(spool: str, recipients: list[str]) -> None:
    """What 2,000 runs of `mailer send` would do, without starting Python 2,000 times."""
    for address in recipients:
        now = time.time()
        id = new_id(now)
        put(spool, id, Envelope(id, rfc3339(now), ME, [Recipient(address)]).to_line(), BODY)
        ring(spool, id)


@pytest.mark.timeout(600)
def test_nothing_is_lost_stuck_or_doubled_without_a_reason(world: World) -> None:
    """Each message reaches its recipient or comes back to its sender; a second copy has a crash between it and the first."""
    sink = world.sink("--delay", "body=0.015")  # slow enough that every kill strikes in the middle
    world.configure(sink, schedule=("1s",), more=f'[delivery]\nmax_connections = {CONNECTIONS}\nrescan = "2s"\n[log]\nlevel = "error"\n')
    assert world.mailer("send", "-f", ME, "you+first@there.example", input=BODY).code == 0
    recipients = addresses()
    sender = threading.Thread(target=send_all, args=(str(world.spool), recipients))
    sender.start()
    killed = kill_again_and_again(world, sink)
    sender.join()
    daemon = world.start("run")
    wait_until("nothing waits any more", lambda: not world.in_spool("queued", "deferred"), 4 * PATIENCE, 0.1)
    assert daemon.stop() == 0

    taken: dict[str, list[float]] = defaultdict(list)
    reports = 0
    for event in sink.told("taken"):
        reports += event["from"] == ""
        if event["from"]:
            taken[event["to"][0]].append(parse_rfc3339(event["at"]))
    refused = [address for address in recipients if address.startswith("550")]
    assert set(recipients) - set(taken) == set(refused)
    assert len(world.in_spool("failed")) == len(refused)
    assert not any((world.spool / "corrupt").iterdir())
    assert len(refused) <= reports <= len(refused) + KILLS
    explained(taken, killed)
    assert statuses(world) == {"sent": MESSAGES + 1, "failed": len(refused)}


def kill_again_and_again(world: World, sink: Sink) -> list[float]:
    """Start a daemon, let it deliver some, kill it; returns the moments (seconds since the epoch)."""
    chance = random.Random(4711)
    moments = []
    for _ in range(KILLS):
        daemon = world.start("run")
        goal = len(os.listdir(sink.maildir / "new")) + chance.randint(10, 90)
        while len(os.listdir(sink.maildir / "new")) < goal:
            assert daemon.running, daemon.said
            time.sleep(0.002)
        daemon.kill()
        moments.append(time.time())
    return moments


def explained(taken: dict[str, list[float]], killed: list[float]) -> None:
    """A message is taken again only if the daemon died just after it was taken, and before it could write that down."""
    doubles = 0
    for address, moments in taken.items():
        for first, second in pairwise(moments):
            # The sink may have read what a daemon had written a moment before it died.
            assert any(abs(at - first) < 5 and at < second for at in killed), f"{address} was taken at {first} and {second}"
            doubles += 1
    print(f"{doubles} of {MESSAGES} messages came twice, after {len(killed)} kills")
    assert doubles <= len(killed) * CONNECTIONS * 3


def statuses(world: World) -> dict[str, int]:
    """How many messages the status database has in each status."""
    with closing(sqlite3.connect(f"file:{world.spool}/status.sqlite3?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT status, COUNT(*) FROM emails GROUP BY status"))
