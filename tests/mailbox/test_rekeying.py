"""Other keys for a mailbox that is used: whoever dies in the middle leaves all of it readable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.api import BodyLost, Frozen, NewMail, NoKey
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sealed import SealedEngine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.sqlite import SqliteOwners
from mailer.mailbox.rekeying import Rekeyed, rekey, rewrap
from tests.peers.postgresql import PASSWORD, PostgreSQL

from .encrypted_house import ANN, LETTERS, NEEDLE, House, Process, is_plain, letter, read


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Without a mailbox yet."""
    made = House(tmp_path / "mailboxes")
    yield made
    made.close()


def test_all_that_is_put_is_encrypted_and_read(house: House) -> None:
    """Nothing of a letter is in any file, by body or by row."""
    house.start().put(*range(5))
    house.close()
    assert house.read() == LETTERS
    assert house.sealed() == [True] * 5
    assert not [path for path in house.root.rglob("*") if path.is_file() and NEEDLE in path.read_bytes()]


def test_without_the_key_nothing_is_taken_and_nothing_written(house: House) -> None:
    """Neither for one who has a mailbox nor for one who would get his first mail; when it is back, all is there."""
    house.start().put(0)
    house.close()
    key = house.masters.pop(1)
    before = {path: path.stat().st_mtime_ns for path in house.root.rglob("*") if path.is_file() and path.name != "owners.sqlite3"}
    for address in (ANN, "bob@example.com"):
        with pytest.raises(NoKey) as caught, house.start().mailboxes.of(address, make=True) as box:
            box.put([NewMail("INBOX", letter(1))])
        assert caught.value.kind == "unavailable"
    after = {path: path.stat().st_mtime_ns for path in house.root.rglob("*") if path.is_file() and "owners.sqlite3" not in path.name}
    assert after == {path: at for path, at in before.items() if "owners.sqlite3" not in path.name}
    house.masters[1] = key
    assert house.read() == LETTERS[:1]


def test_a_master_key_is_replaced_without_touching_what_is_kept(house: House) -> None:
    """The one before is not needed any more; a process that runs goes on."""
    running = house.start()
    running.put(0, 1)
    before = house.kept()
    house.masters[2] = b"\x02" * 32
    other = house.start()
    assert rewrap(other.keyring, other.owner())
    assert not rewrap(other.keyring, other.owner())
    del house.masters[1]
    running.put(2)
    house.close()
    assert house.read() == LETTERS[:3]
    assert house.kept()[:2] == before


def test_new_keys_encrypt_everything_anew(house: House) -> None:
    """Bodies and index; with what opened them before they do not open."""
    process = house.start()
    process.put(*range(5))
    before, old = house.kept(), process.keyring.of(process.owner())
    house.masters[2] = b"\x02" * 32
    assert house.start().rekey() == Rekeyed(5)
    house.close()
    assert house.read() == LETTERS
    process = house.start()
    new = process.keyring.of(process.owner())
    assert old is not None
    assert new is not None
    assert (new.number, new.changing) == (2, False)
    assert not {*new.identities, *new.index_keys} & {*old.identities, *old.index_keys}
    assert not {*house.kept()} & {*before}
    assert process.rekey() == Rekeyed()


def test_a_process_that_runs_meanwhile_goes_on(house: House) -> None:
    """What it puts after the keys changed is sealed for the new ones, though it had the old ones; a session reads on."""
    running, rekeying = house.start(), house.start()
    running.put(0, 1)
    house.masters[2] = b"\x02" * 32
    with running.mailboxes.of(ANN) as session:
        assert read(session) == LETTERS[:2]
        assert rekeying.rekey() == Rekeyed(2)
        assert read(session) == LETTERS[:2]
        session.put([NewMail("INBOX", letter(2))])
        running.put(3)
        assert read(session) == LETTERS[:4]
    house.close()
    assert house.read() == LETTERS[:4]
    assert house.start().rekey() == Rekeyed()


def test_what_was_sealed_for_the_keys_before_is_sealed_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the keys change between its body and its row: the row is not written, and no body is left without one."""
    running = house.start()
    running.put(0)
    house.masters[2] = b"\x02" * 32
    with running.mailboxes.of(ANN) as session:
        put = session.bodies.put

        def overtaken(contents: Any) -> None:
            put([*contents])
            monkeypatch.undo()
            assert house.start().rekey() == Rekeyed(1)

        monkeypatch.setattr(session.bodies, "put", overtaken)
        session.put([NewMail("INBOX", letter(1))])
    house.close()
    assert house.read() == LETTERS[:2]
    assert len(house.kept()) == 2


@pytest.mark.parametrize("encrypting", [True, False])
def test_what_is_there_is_brought_to_the_wish(house: House, encrypting: bool) -> None:
    """The index when it is opened, bodies by `rekey`; before and after it all is readable, and new mail is as it is wished."""
    house.start(encrypting=not encrypting).put(0, 1, 2)
    house.close()
    house.start(encrypting=encrypting).put(3)
    assert [content in LETTERS for content in house.kept()] == [encrypting] * 3 + [not encrypting]
    house.close()
    assert house.read(encrypting=encrypting) == LETTERS[:4]
    assert is_plain(house.index()) is not encrypting
    assert house.start(encrypting=encrypting).rekey() == Rekeyed(3)
    house.close()
    assert house.read(encrypting=encrypting) == LETTERS[:4]
    assert set(house.sealed()) == {encrypting}
    assert any(NEEDLE in content for content in house.kept()) is not encrypting


def test_a_row_that_somebody_holds_since_before_still_reads_its_body(house: House) -> None:
    """A session knows its messages for days, and their bodies are encrypted meanwhile: a piece of a large one is never of the age file."""
    house.start(encrypting=False).put(2)
    house.close()
    process = house.start()
    with process.mailboxes.of(ANN) as box:
        inbox = box.folder("INBOX")
        assert inbox is not None
        [mail] = box.mails([box.entries(inbox.id)[0].mail])
        assert mail is not None
        assert mail.key_number == 0
        assert process.rekey() == Rekeyed(1)
        assert box.read(mail, 1000, 2000) == LETTERS[2][1000:3000]
        assert box.read(mail) == LETTERS[2]


def test_who_never_had_keys_has_nothing_to_change(house: House) -> None:
    """Where nothing is encrypted."""
    process = house.start(encrypting=False)
    process.put(0)
    assert process.rekey() == Rekeyed()
    assert not rewrap(process.keyring, process.owner())


def test_a_body_that_nobody_can_open_is_named_and_the_others_are_done(house: House) -> None:
    """The keys before stay, for a backup of it may need them; when it is back, the next one finishes."""
    process = house.start()
    process.put(0, 3, 4)
    [path, *_] = sorted(house.root.glob("u/*/*/mail/*/*"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    house.masters[2] = b"\x02" * 32
    assert process.rekey() == Rekeyed(2, (path.name,))
    keys = process.keyring.of(process.owner())
    assert keys is not None
    assert keys.changing
    with pytest.raises(BodyLost, match=path.name):
        house.read()
    path.write_bytes(content)
    assert house.read() == [LETTERS[0], *LETTERS[3:5]]
    assert house.start().rekey() == Rekeyed(1)
    house.close()
    assert house.read() == [LETTERS[0], *LETTERS[3:5]]


def test_the_mailbox_of_a_removed_owner_gets_other_keys_too(house: House) -> None:
    """It is kept for a while, and may be needed; nothing else needs the master key of before."""
    process = house.start()
    process.put(0, 3)
    removed = process.mailboxes.remove(ANN)
    house.masters[2] = b"\x02" * 32
    assert rekey(process.keyring, process.mailboxes, removed) == Rekeyed(2)
    assert process.keyring.needed() == {2: 1}
    [owner] = process.owners.by_id([removed.id])
    assert owner is not None
    assert owner.state == "removed"
    with process.mailboxes.opened(owner) as box:
        assert read(box) == [LETTERS[0], LETTERS[3]]


def test_a_mailbox_that_is_being_moved_keeps_its_keys(house: House) -> None:
    """Somebody else is at work on it."""
    process = house.start()
    process.put(0)
    process.owners.put(process.owner()._replace(state="frozen", until=4e9))
    house.masters[2] = b"\x02" * 32
    with pytest.raises(Frozen):
        process.rekey()


STEPS: tuple[tuple[Any, str], ...] = ((SqliteOwners, "put"), (SqliteEngine, "change"), (SealedEngine, "renew"), (FileBodies, "replace"))
"""Whatever changes something on the disk."""


def dying(monkeypatch: pytest.MonkeyPatch, nth: int, *, after: bool) -> Callable[[], int]:
    """Have the process die at the `nth` step, before or after it; how many there were."""
    steps = 0

    def killing(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any, **more: Any) -> Any:
            nonlocal steps
            steps += 1
            mine = steps
            if mine == nth and not after:
                raise Killed
            done = real(*given, **more)
            if mine == nth:
                raise Killed
            return done

        return step

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, killing(getattr(owner, name)))
    return lambda: steps


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("way", ["new", "on", "off"])
def test_whoever_dies_at_any_step_leaves_all_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, after: bool) -> None:
    """And the next one goes on: at the end all is as it is wished, with the newest keys alone."""
    monkeypatch.setattr("mailer.mailbox.rekeying.SOME", 2)
    nth = count = 0
    while nth <= count:
        nth += 1
        house = House(tmp_path / str(nth))
        house.start(encrypting=way != "on").put(*range(5))
        house.close()
        house.masters[2] = b"\x02" * 32
        process, wish = house.start(encrypting=way != "off"), way != "off"
        with monkeypatch.context() as patched:
            steps = dying(patched, nth, after=after)
            try:
                process.rekey()
            except Killed:
                count = max(count, nth)
            assert steps() >= min(nth, 1)
        house.close()
        assert house.read(encrypting=wish) == LETTERS, f"step {nth}"
        house.start(encrypting=wish).rekey()
        house.close()
        assert house.read(encrypting=wish) == LETTERS
        assert set(house.sealed()) == {wish}
        process = house.start(encrypting=wish)
        keys = process.keyring.of(process.owner())
        assert keys is not None
        assert not keys.changing
        house.close()
    assert count > 8


def test_a_disk_that_is_full_is_told_and_nothing_is_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends, and another one goes on."""
    process = house.start()
    process.put(*range(5))
    house.masters[2] = b"\x02" * 32

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device", target)

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(Problem) as caught:
        process.rekey()
    monkeypatch.undo()
    assert caught.value.kind == "try-again"
    house.close()
    assert house.read() == LETTERS
    assert house.start().rekey() == Rekeyed(5)


@pytest.mark.peer("postgresql")
def test_bodies_are_encrypted_anew_where_rows_are_in_a_database(tmp_path: Path, postgresql: PostgreSQL) -> None:
    """A process that has the keys of before seals again, for its epoch is an older one; rows in a database are not encrypted by us."""
    from mailer.mailbox.engine.connections import Connections
    from mailer.mailbox.engine.postgres import TURN, PostgresEngine

    class Clustered(Process):
        """A process whose rows are in PostgreSQL."""

        def engine(self, owner: Owner) -> Engine:
            """The rows of an owner."""
            return PostgresEngine(connections, owner.number)

    connections = Connections(postgresql.url(), {"engine": (TURN,), "mailboxes": (schema.ddl("postgresql"),)}, PASSWORD)
    masters = {1: b"\x01" * 32}
    running, rekeying = (Clustered(tmp_path / "mailboxes", masters) for _ in range(2))
    running.put(0, 1)
    masters[2] = b"\x02" * 32
    with running.mailboxes.of(ANN) as session:
        assert read(session) == LETTERS[:2]
        assert rekeying.rekey() == Rekeyed(2)
        session.put([NewMail("INBOX", letter(2))])
        assert read(session) == LETTERS[:3]
    keys = rekeying.keyring.of(rekeying.owner())
    assert keys is not None
    assert not keys.changing
    assert rekeying.rekey() == Rekeyed()
    for process in (running, rekeying):
        process.close()
    connections.close()
