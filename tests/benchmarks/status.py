"""What the status database costs: messages a second that are seen, tried and sent, in batches as the daemon writes them.

``python -m tests.benchmarks.status [MESSAGES] [BATCH]``. Each message has one recipient that no other has, in one of
300 domains, which is the worst case for the index of recipients.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from asyncio import run
from itertools import chain
from pathlib import Path

from mailer.events import Event, Seen, Settled, Tried
from mailer.mail.history import History
from mailer.mail.outcome import Hop
from mailer.spool.api import Entry
from mailer.status.sqlite.writer import SqliteRecorder
from tests.fakes.mail import NOW, envelope, outcome

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")


def story(nth: int) -> list[Event]:
    """All that a daemon tells of a message that is delivered at once."""
    at = NOW + nth / 1000
    address = f"user{random.randrange(10**9)}@d{random.randrange(300)}.example.net"
    letter = envelope(address, at=at, message_id=f"<{nth:026}@host.example.com>", subject="Your nightly report is ready")
    told = outcome(text="Ok: queued as 4XyZ1234", hop=HOP, at=at + 1, seconds=0.05, queue_id="4XyZ1234", phase="body")
    entry = Entry(letter.id, "queued", letter, 1024, History(1, [told]), 0.0, at)
    return [Seen(at, entry), Tried(at, entry, [told]), Settled(at, entry, "sent")]


async def written(writer: SqliteRecorder, batches: list[list[Event]]) -> None:
    """One batch after the other, as a daemon writes them."""
    for events in batches:
        await writer.write(events)


def main(messages: int = 30_000, batch: int = 100) -> None:
    """Print a figure for every third of them, for the indexes grow."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "status.sqlite3")
        writer = SqliteRecorder(str(path))
        for third in range(3):
            stories = [story(third * messages + nth) for nth in range(messages // 3)]
            batches = [[*chain.from_iterable(stories[at : at + batch])] for at in range(0, len(stories), batch)]
            wall, cpu = time.perf_counter(), time.process_time()
            run(written(writer, batches))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            done, size = len(stories), path.stat().st_size >> 20
            print(f"{done / wall:,.0f} messages/s, {cpu / done * 1e6:.1f} us of CPU each, after {third * done:,} in {size} MB")
        run(writer.close())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
