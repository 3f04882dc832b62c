"""The recorder: status first, then the file, in batches, off the loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.events import Daemon, Event
from mailer.io.loop import run_loop
from mailer.queue import recorder
from mailer.queue.recorder import Recorder
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import NOW, put

from .post import Told, play


class Book:
    """What a recorder wrote and said."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self.spool = spool
        self.batches: list[list[str]] = []
        self.there: list[int] = []
        self.threads: set[int] = set()
        self.gone: list[str] = []
        self.problems: list[tuple[str, Exception]] = []
        self.error: Exception | None = None
        self.disk = threading.Event()  # is free to write
        self.disk.set()
        self.waiting = threading.Event()  # a batch has come to the disk
        self.recorder = Recorder(FileSpool(spool), Told(self.write), self.done)

    def write(self, events: Sequence[Event]) -> None:
        self.waiting.set()
        assert self.disk.wait(60)
        self.threads.add(threading.get_ident())
        self.there.append(len(self.spool.ids("queued")))
        self.batches.append([getattr(event, "what", "") for event in events])
        if self.error:
            raise self.error

    def done(self, ids: list[str], problems: list[tuple[str, Exception]]) -> None:
        self.gone += ids
        self.problems += problems


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A recorder on an empty spool."""
    spool = SpoolDirectory(str(tmp_path / "spool"))
    spool.prepare()
    return Book(spool)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    play(scenario())


def test_a_message_is_gone_after_its_status_is_written(book: Book) -> None:
    """Never before; and whoever wants to know is told."""

    async def scenario() -> None:
        id = put(book.spool)
        book.recorder.told(Daemon(NOW, "sent"))
        book.recorder.release(book.spool.claim(id))
        await book.recorder.close()
        assert (book.batches, book.there) == ([["sent"]], [1])
        assert book.gone == [id]
        assert book.spool.ids("queued") == []

    run(scenario)


def test_an_end_at_the_moment_of_a_batch_writes_it(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the daemon's own loop, whose timers that ring at once are of another kind."""
    monkeypatch.setattr(recorder, "DELAY", 0.0)

    async def scenario() -> None:
        id = put(book.spool)
        book.recorder.told(Daemon(NOW, "sent"))
        book.recorder.release(book.spool.claim(id))
        await book.recorder.close()
        assert (book.batches, book.gone) == ([["sent"]], [id])

    run_loop(scenario())


def test_what_comes_together_is_one_batch(book: Book) -> None:
    """Also what comes while the batch before is being written."""

    async def scenario() -> None:
        book.disk.clear()
        for nth in range(3):
            book.recorder.told(Daemon(NOW, str(nth)))
        await asyncio.to_thread(book.waiting.wait, 60)
        for nth in range(3, 100):
            book.recorder.told(Daemon(NOW, str(nth)))
        book.disk.set()
        await book.recorder.close()
        assert book.batches == [[str(nth) for nth in range(3)], [str(nth) for nth in range(3, 100)]]

    run(scenario)


def test_a_slow_disk_holds_up_the_record_and_nothing_else(book: Book) -> None:
    """The loop goes on while the status is written."""

    async def scenario() -> None:
        book.disk.clear()
        book.recorder.told(Daemon(NOW, "x"))
        await asyncio.to_thread(book.waiting.wait, 60)
        await asyncio.sleep(0)
        book.recorder.told(Daemon(NOW, "y"))
        assert book.batches == []  # the loop has gone on, and the disk has not
        book.disk.set()
        await book.recorder.close()
        assert threading.get_ident() not in book.threads

    run(scenario)


def test_a_status_that_cannot_be_written_keeps_no_message(book: Book) -> None:
    """The mail is delivered, whether or not that can be told."""

    async def scenario() -> None:
        book.error = ValueError("disk image is malformed")
        id = put(book.spool)
        book.recorder.release(book.spool.claim(id))
        await book.recorder.close()
        assert book.gone == [id]
        assert book.problems == [("status", book.error)]

    run(scenario)


def test_a_message_that_cannot_be_removed_is_told_and_the_others_go(book: Book) -> None:
    """Its lock is given back all the same."""

    async def scenario() -> None:
        ids = [put(book.spool) for _ in range(3)]
        claims = [book.spool.claim(id) for id in ids]
        os.unlink(book.spool.path("queued", ids[1]))
        os.mkdir(book.spool.path("queued", ids[1]))
        for claim in claims:
            book.recorder.release(claim)
        await book.recorder.close()
        assert book.gone == [ids[0], ids[2]]
        assert [id for id, _ in book.problems] == [ids[1]]
        assert all(claim.fd == -1 for claim in claims)

    run(scenario)


def test_closing_writes_what_is_left(book: Book) -> None:
    """Also what was told in the last moment, and nothing twice."""

    async def scenario() -> None:
        await asyncio.sleep(0)
        for nth in range(5):
            book.recorder.told(Daemon(NOW, str(nth)))
            await asyncio.sleep(0.004)
        await book.recorder.close()
        assert [what for batch in book.batches for what in batch] == ["0", "1", "2", "3", "4"]

    run(scenario)


def test_a_ledger_without_news_closes_at_once(book: Book) -> None:
    """Nothing was written."""

    async def scenario() -> None:
        await book.recorder.close()
        assert book.batches == []

    run(scenario)
