"""The journal as a part of the daemon: begun, ended and cleared out as the configuration says, and made good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from mailer.config import Config
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended, Seen, Tried
from mailer.io.component import Chores
from mailer.journal.api import Journal
from mailer.journal.component import JournalComponent
from mailer.journal.memory import MemoryJournal
from mailer.queue.recorder import Recorder
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.status.memory import MemoryRecorder
from tests.fakes.mail import FakeClock, entry_of, id_at, outcome, put

from .lines import happened, several

NOW = int(time.time()) + 0.1234568  # the file system knows no other time; records write six digits of it
KEEP = "[journal]\nkeep = true\n"
QUEUE = '[amqp]\nurl_file = "/nowhere/url"\nevents = "mailer.events"\n'


class Part:
    """A component on a spool, with a journal in memory."""

    def __init__(self, root: Path, more: str) -> None:
        self.root = root
        self.clock = FakeClock(NOW)
        self.spool = SpoolDirectory(str(root / "spool"))
        self.spool.prepare()
        self.journal = MemoryJournal(self.clock.now)
        self.told: list[Event] = []
        self.begin(more)

    def begin(self, more: str, journal: Journal | None = None) -> None:
        """Another daemon."""
        self.recorder = Recorder(FileSpool(self.spool), MemoryRecorder())
        chores = Chores(lambda _: None, lambda _: None)
        known = (lambda _: False), (lambda: True)
        asked = self.config(more), self.told.append, self.clock, chores
        self.component = JournalComponent(journal or self.journal, self.recorder, self.spool, *known, *asked, once=True)

    def config(self, more: str) -> Config:
        """A configuration with these lines."""
        return config_of(str(self.root / "config.toml"), f'[mailer]\nspool = "{self.spool.root}"\n{more}'.encode())

    def reload(self, more: str) -> None:
        """Another configuration holds."""
        with self.component.reload(self.config(more)):
            pass

    async def types(self) -> list[str]:
        """What is in the journal, when all is written."""
        await self.recorder.close()
        return [event.type for event in await self.journal.read()]


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a loop of its own."""
    asyncio.run(scenario())


@pytest.mark.parametrize(("more", "written"), [("", False), (KEEP, True), (QUEUE, True), (QUEUE.replace("events", "failed"), False)])
def test_it_is_written_where_somebody_subscribes_and_nowhere_else(tmp_path: Path, more: str, written: bool) -> None:
    """Then not even a file is made."""

    async def scenario() -> None:
        part = Part(tmp_path, more + ("queues = ['in']\n" if "failed" in more else ""))
        await part.component.start()
        part.recorder.told(Seen(NOW, entry_of()))
        assert await part.types() == ["accepted"] * written
        assert (await part.journal.held()).since == (NOW if written else 0.0)

    run(scenario)


def test_a_reload_begins_and_ends_it(tmp_path: Path) -> None:
    """What happens while nobody subscribes is in no journal."""

    async def scenario() -> None:
        part = Part(tmp_path, "")
        await part.component.start()
        kept = 0
        for more in ("", KEEP, KEEP, "", KEEP):
            part.reload(more)
            part.recorder.told(Seen(NOW, entry_of()))
            kept += more == KEEP
            async with asyncio.timeout(60):
                while len(await part.journal.read()) < kept:
                    await asyncio.sleep(0.01)
        assert await part.types() == ["accepted"] * 3

    run(scenario)


def test_who_loses_events_is_told_by_name_and_number(tmp_path: Path) -> None:
    """And the figures say so."""

    async def scenario() -> None:
        part = Part(tmp_path, QUEUE)
        await part.component.start()
        told = await part.journal.append(several(100))
        await part.journal.move("amqp", told[0].id)
        config = part.config(QUEUE)
        with part.component.reload(config.but(journal=config.journal.but(size=6000))):
            pass
        await part.component.look()
        [alarm] = [event for event in part.told if isinstance(event, Alarm)]
        state = part.component.state
        assert state is not None
        assert (alarm.what, alarm.key) == ("journal", "amqp")
        assert f"amqp has lost {state.lost['amqp']} events" in alarm.detail
        assert state.lost["amqp"] + state.behind["amqp"].events == 99

    run(scenario)


def test_what_a_crash_kept_from_the_journal_is_told_at_the_start(tmp_path: Path) -> None:
    """The spool has learned it, and says so again; what the journal has is not told twice."""

    async def scenario() -> None:
        part = Part(tmp_path, KEEP)
        await part.journal.append([happened()])
        id = put(part.spool, "a@x.example", id=id_at(NOW - 1))
        learned = [outcome(0, "defer", at=NOW + 1, due=NOW + 999)]
        with part.spool.claim(id) as claim:
            part.spool.defer(claim, learned, NOW + 999)
        part.clock.time += 5
        await part.component.start()
        assert await part.types() == ["delivered", "accepted", "deferred"]
        part.begin(KEEP)
        part.clock.time += 5
        await part.component.start()
        assert await part.types() == ["delivered", "accepted", "deferred"]

    run(scenario)


def test_what_did_not_fit_into_memory_is_told_from_the_spool_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal could not be written for long; when it can, nothing is missing and nothing is there twice."""
    monkeypatch.setattr("mailer.journal.chronicle.MOST", 2)
    monkeypatch.setattr("mailer.queue.recorder.AGAIN", 0.05)

    async def scenario() -> None:
        part = Part(tmp_path, KEEP)
        await part.component.start()
        chronicle = part.component.chronicle
        assert chronicle is not None
        part.journal.trouble = OSError(28, "No space left on device")
        for nth in range(5):
            id = put(part.spool, f"r{nth}@x.example", id=id_at(NOW + 1 + nth))
            learned = [outcome(0, "defer", at=NOW + 1 + nth, due=NOW + 999)]
            with part.spool.claim(id) as claim:
                part.recorder.told(Seen(NOW + nth, part.spool.read(id)))
                part.spool.defer(claim, learned, NOW + 999)
            part.recorder.told(Tried(NOW + nth, part.spool.read(id), learned))
            await asyncio.sleep(0.03)
        async with asyncio.timeout(60):
            while not chronicle.incomplete:
                await asyncio.sleep(0.01)
            part.journal.trouble = None
            while chronicle.failing:
                await asyncio.sleep(0.01)
        part.clock.time += 100
        await part.component._make_good_again()
        assert sorted(await part.types()) == ["accepted"] * 5 + ["deferred"] * 5
        events = await part.journal.read()
        assert len({event.same for event in events}) == 10

    run(scenario)


def test_a_journal_that_cannot_be_cleared_out_is_told_and_mended(tmp_path: Path) -> None:
    """The daemon goes on, and looks again."""

    async def scenario() -> None:
        part = Part(tmp_path, KEEP)
        part.journal.trouble = OSError(13, "Permission denied")
        await part.component.start()
        await part.component.look()
        part.journal.trouble = None
        await part.component.look()
        kinds = [(type(event), getattr(event, "key", "")) for event in part.told]
        assert kinds == [(Alarm, "keep"), (Alarm, "keep"), (Mended, "keep")]
        assert "Permission denied" in part.told[0].detail  # type: ignore[attr-defined]

    run(scenario)
