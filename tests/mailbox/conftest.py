"""The mailboxes of tests over each engine, and the server of PostgreSQL that they share; it starts when the first of them asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer import spool
from mailer.mailbox import schema
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sealed import SealedEngine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.keyring import Keyring
from mailer.mailbox.keys import MasterKeys
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from tests.peers.postfix import scratch
from tests.peers.postgresql import PASSWORD, PostgreSQL

from .premises import Premises


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """See `PostgreSQL`. A test that asks for it is marked with the peer of that name."""
    with scratch("postgresql") as home, PostgreSQL(home) as server:
        yield server


@pytest.fixture(autouse=True)
def ids_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """IDs ascend within a process; those of a test whose clock has gone on for months are nothing to the tests after it."""
    monkeypatch.setattr(spool, "_last", 0)


@pytest.fixture(params=["sqlite", "encrypted", "memory", pytest.param("postgresql", marks=pytest.mark.peer("postgresql"))])
def premises(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Premises]:
    """Mailboxes over each engine; each is checked when it closes, and must be as it has to be."""
    connections = None
    if request.param == "sqlite":
        layout = Layout(str(tmp_path / "mailboxes"))

        def engine(owner: Owner) -> Engine:
            layout.have(layout.home(owner.id))
            return SqliteEngine(layout.index(owner.id))

        made = Premises(engine, FileBodies(layout))
    elif request.param == "encrypted":
        made = encrypted(Layout(str(tmp_path / "mailboxes")))
    elif request.param == "postgresql":
        from mailer.mailbox.engine.connections import Connections
        from mailer.mailbox.engine.postgres import TURN, PostgresEngine

        connections = Connections(request.getfixturevalue("postgresql").url(), {"mailboxes": (schema.ddl("postgresql") + TURN,)}, PASSWORD)
        shared = connections
        made = Premises(lambda owner: PostgresEngine(shared, owner.number))
    else:
        made = Premises()
    yield made
    made.boxes.close()
    if connections:
        connections.close()


def encrypted(layout: Layout) -> Premises:
    """Mailboxes whose rows and bodies are encrypted."""
    masters = MasterKeys(lambda: {1: b"k" * 32}, "the keys of a test")

    def keyring() -> Keyring:
        return Keyring(made.owners, masters, encrypting=True)

    def engine(owner: Owner) -> Engine:
        layout.have(layout.home(owner.id))
        return SealedEngine(layout.index(owner.id), owner, keyring())

    made = Premises(engine, FileBodies(layout), opener=lambda owner: keyring().sealing(owner), ready=lambda owner: keyring().ready(owner))
    return made
