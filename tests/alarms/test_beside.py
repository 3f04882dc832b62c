"""Alarms of processes beside the daemon: one beginning and one end for people, whoever met it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from mailer.alarms.beside import AlarmsBeside, Neighbours
from mailer.alarms.book import AlarmBook
from mailer.events import Alarm, Event, Mended
from mailer.io.component import Chores
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import FakeClock


def test_what_begins_and_ends_there_does_so_here(tmp_path: Path) -> None:
    """Told once, again when its words change, and over when the process says so or ends in order."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    told: list[Event] = []

    async def run() -> None:
        clock, book = FakeClock(), AlarmBook()
        there, here = AlarmsBeside(spool, "amqp", book), Neighbours(spool, told.append, clock, Chores(print, print))
        await here.look()
        async with there.kept():
            book.heard(Alarm(0.0, "broker", "it is away"))
            book.heard(Alarm(0.0, "disk", "no room", "amqp"))
            while len(told) < 2:
                await asyncio.sleep(0.05)
                await here.look()
            book.heard(Mended(1.0, "broker"))
            while len(told) < 3:
                await asyncio.sleep(0.05)
                await here.look()
        await here.look()
        await here.look()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert [(type(event), event.what, event.key) for event in told if isinstance(event, Alarm | Mended)] == [
        (Alarm, "broker", ""), (Alarm, "disk", "amqp"), (Mended, "broker", ""), (Mended, "disk", "amqp"),
    ]  # fmt: skip


def test_a_process_that_is_gone_has_no_alarms(tmp_path: Path) -> None:
    """Nor has what is no note; that it has ended is another alarm."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    told: list[Event] = []
    here = Neighbours(spool, told.append, FakeClock(), Chores(print, print))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for note in (
        f'{{"pid": {gone.pid}, "alarms": [["broker", "", "x", "", "critical"]]}}',
        "[]",
        "{",
        '{"pid": "x"}',
        '{"pid": 1, "alarms": [1]}',
    ):
        spool.remember("alarms.amqp", note.encode())
        asyncio.run(here.look())
    spool.remember("alarms.amqp", f'{{"pid": {os.getpid()}, "alarms": [["nonsense", "", "x", "", "critical"]]}}'.encode())
    asyncio.run(here.look())
    assert told == []
