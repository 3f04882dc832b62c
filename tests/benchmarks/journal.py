#!/usr/bin/env python3
"""What the journal costs: a queue that empties with a subscriber to every event, beside one that nobody subscribes to.

    python tests/benchmarks/journal.py [-n 2000] [--rounds 7] [--against DIR]

The drain is that of drain.py, messages of 1 KB over loopback to smtp-sink, where the queue's own cost is all there is. The subscriber is
another process, which reads each event and moves its cursor twice a second, as the sender of webhooks does. What counts is the ratio of the
medians of a run. With --against, a clone of another state of the source is measured in turns with this one, where nobody subscribes: that
ratio is about 1, or the journal costs those who have none. Last comes the journal alone: events a second, one and a hundred in a batch,
each batch synced, and how fast a reader is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.journal.api import JournalEvent
from mailer.journal.files import FileJournal
from mailer.spool import new_id
from tests.benchmarks import house
from tests.benchmarks.drain import Daemon, Drained
from tests.benchmarks.measure import figure, median, ratio
from tests.peers.postfix import scratch
from tests.peers.smtpsink import SmtpSink

SIZE = 1024
ALONE, READ, KEPT, BEFORE = "nobody subscribes", "one subscriber", "kept, and nobody reads", "the other source"
SUBSCRIBER = """
import asyncio, sys, time
from mailer.journal.files import FileJournal

async def main():
    journal = FileJournal(sys.argv[1])
    after, moved = await journal.cursor("bench"), 0.0
    while True:
        await journal.wait(after)
        while page := await journal.read(after):
            after = page[-1].id
            if time.monotonic() - moved > 0.5:
                moved = time.monotonic()
                await journal.move("bench", after)

asyncio.run(main())
"""


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="messages of one drain (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="drains of each, in turns (default %(default)s)")
    parser.add_argument("--against", metavar="DIR", help="a clone of another state of the source, with its own environment in .venv")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(scratch("bench"))
        drains(stack, home, given.count, given.rounds, given.against)
        asyncio.run(alone(home, given.count))


def drains(stack: contextlib.ExitStack, home: Path, count: int, rounds: int, against: str | None) -> None:
    """Drains in turns."""
    sink = stack.enter_context(SmtpSink())
    ways = {ALONE: "", READ: "[journal]\nkeep = true\n", KEPT: "[journal]\nkeep = true\n", **({BEFORE: ""} if against else {})}
    contenders = {}
    for nth, (name, more) in enumerate(ways.items()):
        place = home / str(nth)
        place.mkdir()
        contenders[name] = Daemon(place, {"sink": sink.port}, more)
        if name == READ:
            reader = stack.enter_context(subprocess.Popen([sys.executable, "-c", SUBSCRIBER, str(place / "spool" / "journal")]))
            stack.callback(reader.terminate)
    ours = house.program
    found: dict[str, list[Drained]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            house.program = (lambda: [f"{against}/.venv/bin/mailer"]) if name == BEFORE else ours
            found[name].append(contender.drain(sink, count, SIZE))
    house.program = ours
    rates = {
        name: figure(
            f"drain {count} of {SIZE} bytes, {name}",
            [one.rate for one in results],
            "messages/s",
            0,
            cpu_ms_a_message=f"{median([one.cpu for one in results]):.3f}",
        )
        for name, results in found.items()
    }
    ratio("drain with one subscriber / with none", rates[READ], rates[ALONE], "must be at least 0.95")
    ratio("drain with a journal that is kept / without", rates[KEPT], rates[ALONE])
    if against:
        ratio("drain without a subscriber / of the other source", rates[ALONE], rates[BEFORE], "must be about 1.0")
        cpu = {name: median([one.cpu for one in results]) for name, results in found.items()}
        ratio("processor's time without a subscriber / of the other source", cpu[ALONE], cpu[BEFORE], "must be about 1.0")


async def alone(home: Path, count: int) -> None:
    """The journal by itself."""
    message = new_id(time.time())
    event = JournalEvent(
        "", time.time(), "delivered", message, to="you@example.net", code=250, enhanced="2.0.0", reply="ok: queued as 4XyZ"
    )
    for batch, events in ((1, max(count // 10, 1)), (100, count * 5)):
        journal = FileJournal(str(home / f"journal-{batch}"))
        begin = time.perf_counter()
        for _ in range(-(-events // batch)):
            await journal.append([event] * batch)
        figure(f"journal, {batch} a batch, synced", [events / (time.perf_counter() - begin)], "events/s", 0)
        begin, after, read = time.perf_counter(), "", 0
        while page := await journal.read(after):
            after, read = page[-1].id, read + len(page)
        figure(f"journal, read what was written {batch} a batch", [read / (time.perf_counter() - begin)], "events/s", 0)
        await journal.close()


if __name__ == "__main__":
    main()
