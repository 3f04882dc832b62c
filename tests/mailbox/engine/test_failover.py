"""Whatever was told to be done is there when a standby takes over, and whatever was told not to be done is not."""

from __future__ import annotations

import threading
import time

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.engine.connections import Connections
from mailer.mailbox.engine.postgres import TURN, PostgresEngine
from tests.fakes.processes import wait_until
from tests.peers.postfix import scratch
from tests.peers.postgresql import NEEDED, PASSWORD, USER, PostgreSQL

pytestmark = [*NEEDED, pytest.mark.slow]

ADD = "INSERT INTO keyword (owner, folder, word, name) VALUES (?, 1, ?, '')"
ALL = "SELECT word FROM keyword WHERE owner = ?"
WRITERS = 4


class Told:
    """What writers were told, by the word that each has tried to add: done, not done, or not known."""

    def __init__(self, engine: PostgresEngine) -> None:
        self.engine = engine
        self.done: set[str] = set()
        self.not_done: set[str] = set()
        self.unknown: set[str] = set()
        self.bugs: list[BaseException] = []
        self.ended = threading.Event()

    def write(self, name: int) -> None:
        """Add words until it is over, each once."""
        number = 0
        while not self.ended.is_set():
            word = f"{name}-{number}"
            number += 1
            try:
                self.engine.change(lambda rows, word=word: rows.change(ADD, (self.engine.owner, word)))  # type: ignore[misc]
            except Problem as problem:
                (self.unknown if "is not known" in str(problem) else self.not_done).add(word)
                time.sleep(0.01)
            except BaseException as error:
                self.bugs.append(error)
                return
            else:
                self.done.add(word)


def test_a_standby_that_takes_over_has_all_that_was_told_to_be_done() -> None:
    """With the server killed under several who write; they go on at the other, and nobody was told anything that is not so."""
    with scratch("primary") as first, scratch("standby") as second, PostgreSQL(first) as server:
        standby = server.standby(second)
        try:
            hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
            tables = {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),)}
            connections = Connections(f"postgresql://{USER}@{hosts}/postgres", tables, PASSWORD)
            told = [Told(PostgresEngine(connections, owner)) for owner in range(1, WRITERS + 1)]
            writers = [threading.Thread(target=each.write, args=(at,)) for at, each in enumerate(told)]
            for writer in writers:
                writer.start()
            wait_until("they write", lambda: all(len(each.done) > 20 or each.bugs for each in told))
            server.kill()
            standby.promote()
            before = [len(each.done) for each in told]
            wait_until("they go on", lambda: all(len(each.done) > many + 20 or each.bugs for each, many in zip(told, before, strict=True)))
            for each in told:
                each.ended.set()
            for writer in writers:
                writer.join(60)
            assert [each.bugs for each in told] == [[]] * WRITERS
            for each in told:
                there = {row[0] for row in each.engine.read(lambda rows, owner=each.engine.owner: rows.run(ALL, (owner,)))}  # type: ignore[misc]
                assert each.done <= there
                assert not each.not_done & there
                assert there <= each.done | each.unknown
            connections.close()
        finally:
            standby.stop()
