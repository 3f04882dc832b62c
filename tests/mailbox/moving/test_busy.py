"""A mailbox that is moved to and fro while several write and read it loses nothing, and has nothing twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.connections import Connections
from mailer.mailbox.engine.postgres import TURN, PostgresEngine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.moving.move import Move
from mailer.mailbox.moving.place import MailboxStore
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.sqlite import SqliteOwners
from tests.fakes.processes import wait_until
from tests.peers.postgresql import NEEDED, PASSWORD, PostgreSQL

pytestmark = list(NEEDED)

ANN = "ann@example.com"
WRITERS = 3
MOVES = 6


class Busy:
    """Processes that share owners and bodies; each has mailboxes of its own, as on another machine."""

    def __init__(self, place: Path, connections: Connections) -> None:
        self.bodies = MemoryBodies(time.time)
        self.owners = SqliteOwners(str(place / "owners.sqlite3"))
        self.stores = {
            "file": MailboxStore("file", lambda owner: SqliteEngine(str(place / f"{owner.id}.sqlite3")), self.bodies),
            "db": MailboxStore("db", lambda owner: PostgresEngine(connections, owner.number), self.bodies),
        }
        self.done = threading.Event()
        self.put: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.troubles: list[BaseException] = []
        self.owner = self.owners.make(ANN, time.time(), "file")

    def open(self, owner: Owner) -> Engine:
        return self.stores[owner.store].open(owner)

    def process(self) -> Mailboxes:
        return Mailboxes(self.owners, self.open, self.bodies)

    def write(self, name: int) -> None:
        """Put messages until all is done, each again until it is there, as the queue does."""
        boxes, number = self.process(), 0
        try:
            while not self.done.is_set():
                number += 1
                self._deliver(boxes, f"{name}-{number}")
        except BaseException as error:
            self.troubles.append(error)

    def _deliver(self, boxes: Mailboxes, key: str) -> None:
        new = NewMail("INBOX", f"Subject: {key}\r\n\r\n{key}\r\n".encode(), once=(key, ANN))
        while True:
            try:
                with boxes.of(ANN) as box:
                    box.put([new])
                    box.flag(1, [(1, 5)], "add", Flag.SEEN, [f"k{len(key)}"])
            except Problem as problem:
                if problem.kind != "try-again":
                    raise
                self.refused[type(problem).__name__] += 1
                time.sleep(0.005)  # as a queue waits for its next attempt
            else:
                self.put[key] += 1
                return

    def move(self, to: str) -> float:
        """Move her, and again if that was refused."""
        while True:
            (owner,) = self.owners.find([ANN])
            assert owner is not None
            try:
                return Move(self.owners, self.stores[owner.store], self.stores[to], time.time).run(owner).frozen
            except Problem as problem:
                if problem.kind != "try-again":
                    raise
                self.refused["move"] += 1


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_moves(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """By six moves between a file and a database, beside three who write all the time."""
    connections = Connections(postgresql.url(), {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),)}, PASSWORD)
    busy = Busy(tmp_path, connections)
    writers = [threading.Thread(target=busy.write, args=(name,)) for name in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        frozen = []
        for number in range(MOVES):
            before = len(busy.put)
            wait_until("they write", lambda before=before: busy.troubles or len(busy.put) > before + 20)
            frozen.append(busy.move("db" if number % 2 == 0 else "file"))
    finally:
        busy.done.set()
        for writer in writers:
            writer.join(60)
    assert busy.troubles == []
    assert max(frozen) < 5
    with busy.process().of(ANN) as box:
        assert box.check(bodies=True) == []
        entries = box.entries(1)
        subjects = Counter(mail.subject for mail in box.mails([entry.mail for entry in entries]) if mail)
        assert subjects == Counter(dict.fromkeys(busy.put, 1))
        assert [entry.uid for entry in entries] == list(range(1, len(entries) + 1))
        assert all(entry.flags & Flag.SEEN for entry in entries[:5])
    connections.close()
    busy.owners.close()
