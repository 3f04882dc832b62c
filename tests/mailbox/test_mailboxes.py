"""All mailboxes: whose each is, how many are open, and what becomes of those whose owners are gone."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mailer.io import database
from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sealed import SealedEngine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.owners.sqlite import SqliteOwners

from .premises import ANN, DAY, Premises, message, put, uids


def test_an_address_that_nobody_has_has_no_mailbox(premises: Premises) -> None:
    """Unless one is to be made; however it is written then, it is one."""
    with pytest.raises(Problem, match=r"there is no mailbox of bob@example\.com") as caught, premises.boxes.of("bob@example.com"):
        pass
    assert caught.value.kind == "no-such"
    with premises.boxes.of("Bob@EXAMPLE.com", make=True) as box:
        put(box)
    with premises.boxes.of("bob@example.com") as box:
        assert box.usage().messages == 1


def test_mail_of_one_is_never_anothers(premises: Premises) -> None:
    """Each has folders, numbers and messages of his own."""
    with premises.ann() as ann, premises.boxes.of("bob@example.com", make=True) as bob:
        (mail,) = put(ann)
        assert bob.mails([mail]) == [None]
        assert bob.places([mail]) == []
        assert bob.entries(1) == []
        with pytest.raises(Problem, match="there is no message"):
            bob.put_again(mail, "INBOX")
        bob.create("his")
        assert ann.folder("his") is None
        bob.delete("Sent")
        assert ann.folder("Sent") is not None
        assert bob.usage().messages == 0
        bob.sweep(premises.now + 100 * DAY)
        assert ann.mails([mail]) != [None]


def test_whoever_uses_a_mailbox_at_once_has_the_same(premises: Premises) -> None:
    """It is opened once, however many ask in one moment."""
    with premises.ann() as one, premises.ann() as other:
        assert one is other
    gate = threading.Barrier(8)

    def open_and_put(number: int) -> OwnMailbox:
        gate.wait()
        with premises.boxes.of("bob@example.com", make=True) as box:
            put(box)
            return box

    with ThreadPoolExecutor(8) as threads:
        assert len({id(box) for box in threads.map(open_and_put, range(8))}) == 1
    with premises.boxes.of("bob@example.com") as box:
        assert uids(box, "INBOX") == [*range(1, 9)]


def test_a_bounded_number_is_kept_open() -> None:
    """Those that were used last; one that is in use stays, however many are opened beside it."""
    closed: list[str] = []

    premises = Premises(most_open=3)
    with premises.ann() as ann:
        ann.close = lambda: closed.append("ann")  # type: ignore[method-assign]
        for number in range(10):
            with premises.boxes.of(f"u{number}@example.com", make=True) as box:
                box.close = lambda number=number: closed.append(f"u{number}")  # type: ignore[misc, method-assign]
        assert closed == [f"u{number}" for number in range(7)]
    premises.boxes.close()
    assert sorted(closed) == ["ann", *(f"u{number}" for number in range(10))]


def test_an_owner_who_was_changed_is_another_mailbox_to_whoever_opens_it_next(premises: Premises) -> None:
    """Who has the one of before keeps it while he uses it."""
    with premises.ann() as before:
        newer = premises.owners.put(before.owner._replace(address="anna@example.com"))
        with premises.boxes.of("anna@example.com") as after:
            assert after is not before
            assert after.owner == newer
            put(after)
        assert before.usage().messages == 1
        put(before)
        assert before.owner == newer


def test_a_removed_owner_is_kept_for_a_while_and_then_forgotten(premises: Premises) -> None:
    """Nobody finds the mailbox any more, and whoever gets the address has another one; after 30 days nothing is left of it."""
    with premises.ann() as box:
        put(box, many=2)
        id, engine = box.owner.id, box.engine
    removed = premises.boxes.remove(ANN)
    assert (removed.id, removed.state, removed.until) == (id, "removed", premises.now + 30 * DAY)
    with pytest.raises(Problem, match="there is no mailbox"), premises.boxes.of(ANN):
        pass
    with pytest.raises(Problem, match="there is no mailbox"):
        premises.boxes.remove(ANN)
    with premises.ann() as other:
        assert other.owner.id != id
        assert other.usage().messages == 0
    assert premises.boxes.sweep(premises.now + 29 * DAY) == (0, [])
    assert len(list(premises.bodies.listing(id))) == 2
    assert premises.boxes.sweep(premises.now + 31 * DAY).troubles == []
    assert list(premises.bodies.listing(id)) == []
    assert premises.owners.by_id([id]) == [None]
    if not isinstance(engine, SqliteEngine | SealedEngine):
        assert engine.read(lambda rows: rows.run("SELECT * FROM entry WHERE owner = ?", (engine.owner,))) == []


def test_one_mailbox_in_trouble_keeps_no_other_from_being_swept(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trouble is said."""
    with premises.ann() as ann, premises.boxes.of("bob@example.com", make=True) as bob:
        for box in (ann, bob):
            put(box)
            box.expunge(1, marked=False)

        def ill(_: float) -> int:
            raise Problem("the index is damaged", "io-error")

        monkeypatch.setattr(ann, "sweep", ill)
        assert premises.boxes.sweep(premises.now + 8 * DAY) == (1, ["ann@example.com: the index is damaged"])


def on_disk(root: Path) -> Mailboxes:
    layout = Layout(str(root / "mailboxes"))
    layout.have(layout.root)

    def engine(owner: object) -> SqliteEngine:
        id: str = owner.id  # type: ignore[attr-defined]
        layout.have(layout.home(id))
        return SqliteEngine(layout.index(id))

    return Mailboxes(SqliteOwners(layout.owners), engine, FileBodies(layout))


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    """With its numbers."""
    boxes = on_disk(tmp_path)
    with boxes.of(ANN, make=True) as box:
        mails = put(box, many=3)
        folders = box.folders()
    boxes.close()
    boxes = on_disk(tmp_path)
    with boxes.of(ANN) as box:
        assert box.folders() == folders
        assert [entry.mail for entry in box.entries(1)] == mails
        assert box.check(bodies=True) == []
    boxes.close()


def test_an_index_that_is_gone_or_damaged_is_not_begun_anew(tmp_path: Path) -> None:
    """It is rebuilt when somebody says so; what was damaged stays beside it."""
    boxes = on_disk(tmp_path)
    with boxes.of(ANN, make=True) as box:
        (mail,) = put(box)
        owner, index = box.owner, box.engine.path  # type: ignore[attr-defined]
    boxes.close()
    Path(index).write_bytes(b"not a database" * 1000)
    boxes = on_disk(tmp_path)
    with pytest.raises(Problem, match="mailer doctor --repair") as caught, boxes.of(ANN):
        pass
    assert caught.value.kind == "io-error"
    assert [flaw.mail for flaw in boxes.repair(owner)][-1] == mail
    with boxes.of(ANN) as box:
        assert uids(box, "INBOX/Recovered") == [1]
    (aside,) = [path for path in Path(index).parent.iterdir() if ".damaged" in path.name]
    assert aside.read_bytes().startswith(b"not a database")
    boxes.close()


def test_processes_that_write_one_mailbox_wait_for_each_other(tmp_path: Path) -> None:
    """Each has the file open for itself; nothing is lost, and no number is given twice."""
    several = [on_disk(tmp_path) for _ in range(3)]

    def work(boxes: Mailboxes) -> list[int]:
        given = []
        with boxes.of(ANN, make=True) as box:
            for _ in range(20):
                given += [each.uid for each in box.put([NewMail("INBOX", message())])]
                box.flag(1, [(given[-1], given[-1])], "add", Flag.SEEN)
        return given

    with ThreadPoolExecutor(3) as threads:
        given = [*threads.map(work, several)]
    assert all(uids == sorted(uids) for uids in given)
    assert sorted(uid for uids in given for uid in uids) == [*range(1, 61)]
    with several[0].of(ANN) as box:
        assert box.check(bodies=True) == []
        assert box.folder("INBOX")[8:10] == (60, 0)  # type: ignore[index]
    for boxes in several:
        boxes.close()


def test_a_mailbox_that_others_hold_up_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That passes: it is said so, mail waits, and nothing is left of what was not put."""
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    boxes = on_disk(tmp_path)
    with boxes.of(ANN, make=True) as box:
        put(box)
        with closing(sqlite3.connect(box.engine.path, isolation_level=None)) as other:  # type: ignore[attr-defined]
            other.execute("BEGIN IMMEDIATE")
            box.engine.close()
            with pytest.raises(Problem, match="is being written for longer") as caught:
                put(box)
            assert caught.value.kind == "try-again"
            assert box.usage().messages == 1
            assert len(list(box.bodies.kept.listing(box.owner.id))) == 1
            other.execute("ROLLBACK")
        put(box)
    boxes.close()
