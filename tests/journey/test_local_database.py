"""Mailboxes of our own in PostgreSQL, and on the move, under a daemon that delivers: each message is there, and none twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.peers.postfix import scratch
from tests.peers.postgresql import NEEDED, PASSWORD, PostgreSQL

from .test_local import ANN, BOB, Town
from .world import World

pytestmark = list(NEEDED)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with scratch("journey") as home, PostgreSQL(home) as server:
        yield server


def database(world: World, server: PostgreSQL) -> str:
    """The settings of a database that nobody else has."""
    secret = world.home / "db.secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    return f'database = "{server.url()}"\ndatabase_password_file = "{secret}"\n'


def subjects(town: Town, address: str, many: int) -> list[bytes]:
    return [line for message in town.gets(address, many) for line in message.split(b"\r\n") if line.startswith(b"Subject: number")]


def test_mail_waits_while_the_database_is_away_and_is_there_once(world: World, server: PostgreSQL) -> None:
    """Killed under load, and started again."""
    town = Town(world)
    text = world.config.read_text()
    world.config.write_text(text.replace("[mailboxes]\n", f"[mailboxes]\n{database(world, server)}"))
    town.start()
    for nth in range(20):
        town.brings(ANN, BOB, subject=f"number {nth}")
    server.kill()
    waits = world.send(ANN, sender=BOB)
    told = world.becomes(waits, "deferred")
    assert told["recipients"][0]["enhanced_code"].startswith("4.")
    server.start()
    for nth in range(20, 30):
        town.brings(ANN, BOB, subject=f"number {nth}")
    world.becomes(waits, "sent")
    assert len({*subjects(town, ANN, 31)}) == 30
    assert len({*subjects(town, BOB, 30)}) == 30
    assert not list((world.home / "mailboxes").rglob("*.sqlite3"))


def test_a_mailbox_is_moved_under_a_daemon_that_delivers(world: World, server: PostgreSQL) -> None:
    """From files to the database and back: whoever writes to it notices nothing."""
    town = Town(world, more=f'[[mailbox_store]]\nname = "db"\n{database(world, server)}').start()
    ended = threading.Event()
    sent: list[str] = []

    def write() -> None:
        while not ended.is_set():
            sent.append(f"number {len(sent)}")
            assert town.brings(ANN, BOB, subject=sent[-1]) == {}

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for place in ("db", "home"):
            before = len(sent)
            world.until("more is written", lambda before=before: len(sent) > before + 10)
            done = world.mailer("mailbox", "move", ANN, "--to", place)
            assert done.code == 0, done.err
    finally:
        ended.set()
        writer.join(60)
    for address in (ANN, BOB):
        found = subjects(town, address, len(sent))
        assert len({*found}) == len(found) == len(sent)
    assert world.mailer("mailbox", "verify").code == 0
