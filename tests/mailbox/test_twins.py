"""The names that POP3 tells of messages stay as they are as long as they are there (RFC 1939 §7), whatever comes and goes beside them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from mailer.mailbox import maildrop, schema
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.owners.memory import MemoryOwners
from tests.peers.postgresql import PASSWORD, PostgreSQL

from .premises import ANN, NOW, Premises, number_of, put


def names(box: OwnMailbox, folder: str = "INBOX") -> dict[int, str]:
    """The names of a folder by UID, of which no two are alike."""
    found = dict(box.uidls(number_of(box, folder)))
    assert len({*found.values()}) == len(found)
    return found


def test_a_twin_keeps_its_name_when_the_first_goes(premises: Premises) -> None:
    """And one that comes later gets neither name."""
    with premises.ann() as box:
        [mail] = put(box)
        box.copy(1, [(1, 1)], "INBOX")
        before = names(box)
        assert before == {1: mail, 2: f"{box.folders()[0].uidvalidity:08x}00000002"}
        box.expunge(1, [(1, 1)], marked=False)
        assert names(box) == {2: before[2]}
        box.copy(1, [(2, 2)], "INBOX")
        assert names(box)[2] == before[2]
        assert mail not in names(box).values()


def test_a_twin_keeps_its_name_when_folders_are_numbered_anew(premises: Premises) -> None:
    """As they are after a restore."""
    with premises.ann() as box:
        put(box, many=2)
        box.copy(1, [(1, 2)], "INBOX")
        before = names(box)
        box.renumber()
        box.expunge(1, [(1, 1)], marked=False)
        assert names(box) == {uid: before[uid] for uid in (2, 3, 4)}


def test_a_message_that_goes_and_comes_back_takes_no_name_of_another(premises: Premises) -> None:
    """It has its own where nothing of it is there, and one of its entry where something is; the folder that is renamed changes none."""
    with premises.ann() as box:
        [mail] = put(box)
        box.move(1, [(1, 1)], "Archive")
        box.move(number_of(box, "Archive"), [(1, 1)], "INBOX")
        assert names(box) == {2: mail}
        box.move(1, [(2, 2)], "INBOX")
        assert names(box) == {3: mail}
        box.copy(1, [(3, 3)], "Archive")
        box.copy(1, [(3, 3)], "Archive")
        before = names(box, "Archive")
        box.rename("Archive", "Attic")
        assert names(box, "Attic") == before
        box.move(number_of(box, "Attic"), [(2, 2)], "INBOX")
        box.move(1, [(3, 3)], "Attic")
        assert names(box, "Attic") == {3: before[3], 4: f"{box.folder('Attic').uidvalidity:08x}00000004"}  # type: ignore[union-attr]


def test_a_name_of_elsewhere_is_that_of_one_message(premises: Premises) -> None:
    """Who comes under the name of another is called by its ID, and stays so when the other goes; also where the name is an ID of ours."""
    with premises.ann() as box:
        put(box, uidl="here")
        [second] = put(box, uidl="here")
        [third] = put(box, uidl=second)
        assert names(box) == {1: "here", 2: second, 3: third}
        box.expunge(1, [(1, 1)], marked=False)
        assert names(box) == {2: second, 3: third}
        [fourth] = put(box, uidl="here")
        assert names(box)[4] == fourth
        box.copy(1, [(2, 4)], "Archive")
        assert names(box, "Archive") == {1: "here", 2: third, 3: fourth}


def test_a_number_that_is_a_name_of_elsewhere_is_taken(premises: Premises) -> None:
    """A mailbox that was exported may come back with the names that we gave."""
    with premises.ann() as box:
        number = f"{box.folders()[0].uidvalidity:08x}00000003"
        [mail] = put(box)
        put(box, uidl=number)
        box.copy(1, [(1, 1)], "INBOX")
        assert names(box) == {1: mail, 2: number, 3: f"{number}.{mail}"}


def test_names_go_with_their_entries(premises: Premises) -> None:
    """By an expunge, a move, and with their folder; what is put again is named as a copy is."""
    with premises.ann() as box:
        [mail] = put(box)
        box.put_again(mail, "INBOX")
        box.copy(1, [(1, 2)], "Archive")
        assert names(box, "Archive")[2].endswith("00000002")
        box.expunge(1, marked=False)
        box.rename("Archive", "Old")
        box.delete("Old")
        assert not box.engine.read(lambda rows: rows.run("SELECT name FROM twin WHERE owner = ?", (box.engine.owner,)))


def test_many_at_once_are_named_as_one_by_one_are(premises: Premises) -> None:
    """More than one statement asks about."""
    with premises.ann() as box:
        mails = put(box, many=120)
        box.copy(1, None, "Archive")
        assert list(names(box, "Archive").values()) == mails
        box.copy(1, None, "INBOX")
        assert [name for uid, name in names(box).items() if uid <= 120] == mails


def old(box: OwnMailbox) -> list[str]:
    """Entries of which some are twins, whose names nobody has written; the messages."""
    mails = put(box, uidl="here") + put(box) + put(box, uidl="here")
    box.copy(1, [(2, 3)], "INBOX")
    box.copy(1, [(1, 1)], "INBOX")
    return mails


def expected(box: OwnMailbox, mails: list[str]) -> dict[int, str]:
    """What they were called by their places."""
    first, second, third = mails
    number = f"{box.folders()[0].uidvalidity:08x}"
    return {1: "here", 2: second, 3: third, 4: f"{number}00000004", 5: f"{number}00000005", 6: first}


def test_twins_of_earlier_versions_keep_their_names(tmp_path: Path) -> None:
    """The step writes what each was called."""
    path, owner, bodies = str(tmp_path / "index.sqlite3"), MemoryOwners().make(ANN, NOW), MemoryBodies(lambda: NOW)
    box = OwnMailbox(owner, SqliteEngine(path), bodies)
    mails = old(box)
    box.close()
    db = sqlite3.connect(path)
    db.executescript("DROP TABLE twin; DROP INDEX mail_uidl; ALTER TABLE folder DROP COLUMN recent; PRAGMA user_version = 5")
    db.close()
    box = OwnMailbox(owner, SqliteEngine(path), bodies)
    assert names(box) == expected(box, mails)
    box.expunge(1, [(1, 2)], marked=False)
    assert names(box) == {uid: name for uid, name in expected(box, mails).items() if uid > 2}
    assert not box.check()
    box.close()


@pytest.mark.peer("postgresql")
def test_twins_in_a_database_keep_their_names(postgresql: PostgreSQL) -> None:
    """The same step in the words of PostgreSQL."""
    from mailer.mailbox.engine.connections import Connections
    from mailer.mailbox.engine.postgres import TURN, PostgresEngine

    owner = MemoryOwners().make(ANN, NOW)
    connections = Connections(postgresql.url(postgresql.schema()), {"engine": (TURN,), "mailbox": schema.POSTGRESQL}, PASSWORD)
    box = OwnMailbox(owner, PostgresEngine(connections, owner.number), MemoryBodies(lambda: NOW))
    mails = old(box)
    box.engine.change(lambda rows: rows.change("DELETE FROM twin"))
    with connections.lent() as db, db.transaction():
        db.execute(schema.TWINS_FOUND["postgresql"])
    assert names(box) == expected(box, mails)
    box.close()
    connections.close()


def test_two_of_one_name_are_never_told(premises: Premises) -> None:
    """Even where the rows were damaged."""
    with premises.ann() as box:
        put(box)
        box.copy(1, [(1, 1)], "INBOX")
        box.engine.change(lambda rows: rows.change("DELETE FROM twin WHERE owner = ?", (box.engine.owner,)))
        assert len({name for _, _, name in box.engine.read(lambda rows: maildrop.maildrop(rows, box.engine.owner, 1))}) == 2
