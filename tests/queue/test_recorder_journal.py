"""The recorder with a journal: events first, then the status, then the file goes; and a journal that cannot be written keeps the file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.events import Alarm, Event, Mended, Seen, Settled, Tried
from mailer.journal.api import JournalEvent
from mailer.journal.chronicle import Chronicle
from mailer.journal.memory import MemoryJournal
from mailer.queue import recorder as module
from mailer.queue.recorder import Recorder
from mailer.spool.files.claim import Claim
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import NOW, FakeClock, outcome, put

from .post import Told, play

FULL = OSError(28, "No space left on device")


class Watched(MemoryJournal):
    """A journal that notes in what order it was written."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self.order = order

    async def append(self, events: Sequence[JournalEvent]) -> Sequence[JournalEvent]:
        """As every journal does."""
        done = await super().append(events)
        self.order += [f"journal {event.type}" for event in events]
        return done


class Desk:
    """A recorder with a journal, and in what order things were written."""

    def __init__(self, spool: SpoolDirectory, *, once: bool = False) -> None:
        self.spool = spool
        self.clock = FakeClock()
        self.order: list[str] = []
        self.journal = Watched(self.order)
        self.told: list[Event] = []
        self.gone: list[str] = []
        self.problems: list[tuple[str, Exception]] = []
        self.recorder = Recorder(FileSpool(spool), Told(self._write), self._done, once=once)
        self.recorder.chronicle = Chronicle(self.journal, self.clock, self.told.append)

    def delivered(self, *recipients: str) -> Claim:
        """A message that all have: told, and released."""
        claim = self.spool.claim(put(self.spool, *recipients))
        outcomes = [outcome(to) for to in range(len(claim.entry.envelope.recipients))]
        self.recorder.told(Seen(NOW, claim.entry))
        claim.entry.history.add(outcomes)
        self.recorder.told(Tried(NOW, claim.entry, outcomes))
        self.recorder.told(Settled(NOW, claim.entry, "sent"))
        self.recorder.release(claim)
        return claim

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.005)

    def _write(self, events: Sequence[Event]) -> None:
        self.order += [f"status {type(event).__name__}" for event in events] + [f"there {len(self.spool.ids('queued'))}"]

    def _done(self, ids: list[str], problems: list[tuple[str, Exception]]) -> None:
        self.gone += ids
        self.problems += problems


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """On an empty spool; what could not be written is tried again soon."""
    monkeypatch.setattr(module, "AGAIN", 0.05)
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    return Desk(spool)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """In a loop of its own."""
    play(scenario())


def test_the_journal_is_written_before_the_status_and_both_before_the_file_goes(desk: Desk) -> None:
    """In one batch of each."""

    async def scenario() -> None:
        claim = desk.delivered()
        await desk.recorder.close()
        assert desk.order == ["journal accepted", "journal delivered", "status Seen", "status Tried", "status Settled", "there 1"]
        assert desk.gone == [claim.entry.id]
        assert desk.spool.ids("queued") == []

    run(scenario)


def test_where_nobody_subscribes_nothing_is_asked_of_a_journal(desk: Desk) -> None:
    """The status alone is written, as ever."""

    async def scenario() -> None:
        desk.recorder.chronicle = None
        claim = desk.delivered()
        await desk.recorder.close()
        assert desk.order == ["status Seen", "status Tried", "status Settled", "there 1"]
        assert desk.gone == [claim.entry.id]

    run(scenario)


def test_a_journal_that_cannot_be_written_keeps_the_file_which_says_that_it_is_delivered(desk: Desk) -> None:
    """Nothing is in the status before it is in the journal; both come when the disk has room, and then the file goes."""

    async def scenario() -> None:
        desk.journal.trouble = FULL
        claim = desk.delivered()
        await desk.until(lambda: desk.told)
        id = claim.entry.id
        await desk.until(lambda: desk.spool.read(id).history.done)
        assert desk.spool.read(id).history.status() == "sent"
        await asyncio.sleep(0.15)
        assert (desk.order, desk.gone, desk.problems) == ([], [], [])
        assert desk.recorder.holds(id)
        assert all(isinstance(event, Alarm) and event.what == "journal" for event in desk.told)
        later = desk.delivered()
        desk.journal.trouble = None
        await desk.until(lambda: len(desk.gone) == 2)
        assert sorted(desk.gone) == sorted([id, later.entry.id])
        assert isinstance(desk.told[-1], Mended)
        assert desk.order[:4] == ["journal accepted", "journal delivered"] * 2
        assert desk.spool.ids("queued") == []
        await desk.recorder.close()

    run(scenario)


def test_the_end_does_not_wait_for_a_journal_that_cannot_be_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is given back, its file says all, and the status has what became of it."""
    monkeypatch.setattr(module, "AGAIN", 1000.0)

    async def scenario() -> None:
        desk.journal.trouble = FULL
        claim = desk.delivered()
        id = claim.entry.id
        await desk.until(lambda: desk.told)
        await asyncio.wait_for(desk.recorder.close(), 60)
        assert desk.gone == []
        assert claim.fd == -1
        assert desk.spool.read(id, "queued").history.status() == "sent"
        assert "status Settled" in desk.order
        desk.spool.claim(id).close()

    run(scenario)


def test_one_pass_goes_on_without_what_the_journal_does_not_take(tmp_path: Path) -> None:
    """It is told as a message that would not leave, so that the pass ends, and says so."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    desk = Desk(spool, once=True)

    async def scenario() -> None:
        desk.journal.trouble = FULL
        claim = desk.delivered()
        await desk.until(lambda: desk.problems)
        assert [id for id, _ in desk.problems] == [claim.entry.id]
        await desk.recorder.close()

    run(scenario)


def test_of_very_many_events_the_status_has_them_though_the_journal_has_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """People are told what goes on; memory has a bound, and the files keep what the journal is to be told."""
    monkeypatch.setattr(module, "MOST", 5)
    monkeypatch.setattr("mailer.journal.chronicle.MOST", 4)

    async def scenario() -> None:
        desk.journal.trouble = FULL
        for _ in range(4):
            desk.delivered()
        await desk.until(lambda: "status Settled" in desk.order)
        assert desk.gone == []
        chronicle = desk.recorder.chronicle
        assert chronicle is not None
        assert chronicle.incomplete
        assert chronicle.dropped == 4
        desk.journal.trouble = None
        await desk.until(lambda: len(desk.gone) == 4)
        assert len(await desk.journal.read()) == 4
        await desk.recorder.close()

    run(scenario)


def test_a_subscriber_that_leaves_lets_go_of_what_waited(desk: Desk) -> None:
    """Nobody has to hear of it any more."""

    async def scenario() -> None:
        desk.journal.trouble = FULL
        claim = desk.delivered()
        await desk.until(lambda: desk.told)
        desk.recorder.chronicle = None
        await desk.until(lambda: desk.gone == [claim.entry.id])
        assert not os.path.exists(desk.spool.path("queued", claim.entry.id))
        await desk.recorder.close()

    run(scenario)
