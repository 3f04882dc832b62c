"""A small post office: a spool and the writer of its status database, and messages that things happen to.

What the daemon does is done here step by step, in its order: the records, the move, what the listeners are told.
"""

from __future__ import annotations

import os
from asyncio import run
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mailer.events import Event, Seen, Settled, Tried
from mailer.mail.dates import rfc3339
from mailer.mail.outcome import Outcome
from mailer.mail.principal import unix
from mailer.spool.api import Entry
from mailer.spool.files.enqueue import put as spool_put
from mailer.spool.files.store import SpoolDirectory
from mailer.status import sqlite
from mailer.status.memory import MemoryReader, MemoryRecorder
from mailer.status.view import View
from tests.fakes.mail import BODY, NOW, envelope, outcome, put


class Office:
    """Everything below `directory`; the status is kept in SQLite, or in memory."""

    def __init__(self, directory: Path, *, memory: bool = False) -> None:
        self.spool = SpoolDirectory(str(directory / "spool"))
        self.spool.prepare()
        self.path = Path(self.spool.root, sqlite.NAME)
        self.reports: list[str] = []
        self.memory = MemoryRecorder(unix(os.geteuid())) if memory else None
        self.recorder: Any = self.memory or sqlite.recorder(self.spool.root, self.reports.append)

    def close(self) -> None:
        run(self.recorder.close())

    def view(self) -> View:
        return View(self.spool, MemoryReader(self.memory)) if self.memory else sqlite.view(self.spool)

    def write(self, events: Sequence[Event]) -> None:
        run(self.recorder.write(events))

    def put(self, *recipients: str, **more: Any) -> str:
        """A message that nobody has looked at yet."""
        return put(self.spool, *recipients, **more)

    def seen(self, id: str) -> None:
        entry = self.spool.read(id)
        self.write([Seen(entry.arrived, entry)])

    def settle(self, id: str, *outcomes: Outcome, known: bool = True) -> list[Event]:
        """An attempt that taught these outcomes; `known` is whether the database hears of it. Returns what was told."""
        with self.spool.claim(id) as claim:
            entry = claim.entry
            history = entry.history
            history.add(outcomes)
            if history.status() != "sent":
                self._move(claim, outcomes)
            told: list[Event] = [
                Seen(entry.arrived, entry),
                Tried(NOW, entry, outcomes),
                Settled(NOW, entry, history.status(), history.due),
            ]
            if known:
                self.write(told)
            if history.status() == "sent":
                self.spool.drop(claim)
        return told

    def _move(self, claim: Any, outcomes: tuple[Outcome, ...]) -> None:
        if claim.entry.history.pending():
            self.spool.defer(claim, outcomes, claim.entry.history.due)
        else:
            self.spool.fail(claim, outcomes)

    def sent(self, *recipients: str, **more: Any) -> str:
        """A message that all have received."""
        id = self.put(*recipients, **more)
        self.settle(id, *(outcome(to, at=NOW + 5) for to in range(max(len(recipients), 1))))
        return id

    def deferred(self, *recipients: str, known: bool = True, due: float = NOW + 300, text: str = "come back later", **more: Any) -> str:
        """A message that is to be tried again at `due`."""
        id = self.put(*recipients, **more)
        count = max(len(recipients), 1)
        self.settle(id, *(outcome(to, "defer", text=text, due=due, at=NOW + 5) for to in range(count)), known=known)
        return id

    def scheduled(self, due: float, *, known: bool = True, **more: Any) -> str:
        """A message that is to leave at `due`, not before."""
        letter = envelope(options={"at": rfc3339(due)}, **more)
        id = spool_put(self.spool.root, letter.id, letter.to_line(), BODY, due=due)
        if known:
            self.seen(id)
        return id

    def failed(self, *recipients: str, known: bool = True, text: str = "no such user", **more: Any) -> str:
        """A message that nobody received."""
        id = self.put(*recipients, **more)
        self.settle(id, *(outcome(to, "fail", text=text, at=NOW + 5) for to in range(max(len(recipients), 1))), known=known)
        return id

    def held(self, *recipients: str, **more: Any) -> str:
        """A message that an operator took out of delivery."""
        id = self.put(*recipients, **more)
        self.spool.hold(id)
        return id

    def spool_path(self, id: str) -> Path:
        return Path(self.spool.path(self.spool.find(id) or "queued", id))

    def entry(self, id: str) -> Entry:
        return self.spool.read(id)
