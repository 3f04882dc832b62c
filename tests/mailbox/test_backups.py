"""Backups of mailboxes: whole or not there, grown by what is new, and made into mailboxes again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer import spool
from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.api import Frozen, NewMail
from mailer.mailbox.backups import restoring, rows
from mailer.mailbox.backups.restoring import Restoring
from mailer.mailbox.backups.writing import BackedUp, Backups, BackupTerms
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.connections import Connections
from mailer.mailbox.engine.postgres import TURN, PostgresEngine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.sqlite import SqliteOwners
from tests.peers.postgresql import NEEDED, PASSWORD, PostgreSQL

from .test_exports import everything
from .test_imports_taking import letter

ANN = "ann@example.com"


class Here:
    """Mailboxes below `root`, a backup of them, and a clock."""

    def __init__(self, root: Path, connections: Connections | None = None) -> None:
        self.connections = connections
        self.layout = Layout(str(root / "mailboxes"))
        self.layout.have(self.layout.root)
        self.now = 1_700_000_000.0
        self.mailboxes = Mailboxes(SqliteOwners(self.layout.owners), self._engine, FileBodies(self.layout), clock=lambda: self.now)
        self.backups = Backups(str(root / "backup"), self.mailboxes, BackupTerms(kept=3), lambda: self.now)

    def _engine(self, owner: Owner) -> Engine:
        if self.connections is not None:
            return PostgresEngine(self.connections, owner.number)
        self.layout.have(self.layout.home(owner.id))
        return SqliteEngine(self.layout.index(owner.id))

    def put(self, *numbers: int, folder: str = "INBOX") -> None:
        """Put letters, a minute later."""
        self.now += 60
        with self.mailboxes.of(ANN, make=True) as box:
            news = [NewMail(folder, letter(n), b"Return-Path: <>\r\n", Flag(n % 4), ("work",), self.now, made=True) for n in numbers]
            box.put(news)

    def backup(self) -> BackedUp:
        """Make a state of it, a minute later."""
        self.now += 60
        found = self.mailboxes.owners.find([ANN])[0]
        assert found is not None
        return self.backups.write(found, lambda done, total: None)

    def restoring(self, state: str = "") -> Restoring:
        """A restore, a minute later."""
        self.now += 60
        return Restoring(self.backups, ANN, lambda done, total: None, state)

    def seen(self, address: str = ANN) -> list[object]:
        """All that a mailbox shows, but UIDVALIDITY."""
        with self.mailboxes.of(address) as box:
            return [(name, *rest) for name, _, *rest in everything(box, uidls=False)]  # type: ignore[misc]

    def uidvalidities(self, address: str = ANN) -> set[int]:
        """Those of all folders."""
        with self.mailboxes.of(address) as box:
            return {folder.uidvalidity for folder in box.folders()}

    def bodies(self) -> list[Path]:
        """The messages of the backup."""
        return sorted(Path(self.backups.shelf.root).glob("u/*/*/mail/*/*"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=NEEDED)])
def here(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Here]:
    connections = None
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        connections = Connections(server.url(server.schema()), {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),)}, PASSWORD)
    made = Here(tmp_path, connections)
    made.put(1, 2, 3)
    made.put(4, folder="Work/2024")
    yield made
    made.mailboxes.close()
    if connections is not None:
        connections.close()


def test_a_backup_grows_by_what_is_new(here: Here) -> None:
    """Each message is copied once; each state has all."""
    first = here.backup()
    assert (first.messages, first.copied, first.lost) == (4, 4, [])
    here.put(5)
    second = here.backup()
    assert (second.messages, second.copied) == (5, 1)
    assert [len(state.messages()) for state in here.backups.shelf.states(here.mailboxes.owners.find([ANN])[0].id)] == [4, 5]  # type: ignore[union-attr]
    assert all(path.stat().st_mode & 0o077 == 0 for path in Path(here.backups.shelf.root).rglob("*") if path.is_file())


def test_a_mailbox_comes_back_as_it_was(here: Here) -> None:
    """With its folders, flags and UIDs; every UIDVALIDITY is above all that there were. What came since is added."""
    here.backup()
    before, numbers = here.seen(), here.uidvalidities()
    here.put(7, folder="Later")
    with here.mailboxes.of(ANN) as box:
        box.delete("Work/2024")
        box.expunge(box.folders()[0].id, ((1, 2),), marked=False)
    done = here.restoring().instead()
    assert (done.messages, done.added, done.flaws, done.owner.address) == (4, 1, [], ANN)
    assert [one for one in here.seen() if one[0] != "Later"] == before  # type: ignore[index]
    assert [one[0] for one in here.seen()] == ["INBOX", "Later", "Work/2024"]  # type: ignore[index]
    assert min(here.uidvalidities()) > max(numbers)
    assert [owner.address for owner in here.mailboxes.owners.listing(removed=True)] == [ANN]
    here.put(8)
    assert here.backup().copied == 6  # it is another owner's mailbox


def test_messages_keep_the_names_that_pop3_tells(here: Here) -> None:
    """Also those that are there twice: RFC 1939 §7; a client who knows them fetches none again, and skips none."""
    with here.mailboxes.of(ANN) as box:
        inbox = box.folders()[0].id
        box.copy(inbox, [(1, 2)], "INBOX")
        box.expunge(inbox, [(1, 1)], marked=False)
        before = box.uidls(inbox)
    here.backup()
    assert here.restoring().instead().flaws == []
    with here.mailboxes.of(ANN) as box:
        assert box.uidls(box.folders()[0].id) == before


def test_what_comes_at_the_last_moment_is_not_left_behind(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever delivers, or has the mailbox open for days, is refused from when the last message was added on, and tries again."""
    here.backup()
    give = here.mailboxes.give

    def late(owner: Owner, address: str) -> Owner:
        with pytest.raises(Frozen):
            here.put(7)
        return give(owner, address)

    monkeypatch.setattr(here.mailboxes, "give", late)
    monkeypatch.setattr(restoring, "LEASE", 120.0)
    with here.mailboxes.of(ANN) as session:
        assert here.restoring().instead().added == 0
        with pytest.raises(Problem, match="not here any more; try again"):
            session.put([NewMail("INBOX", letter(7))])
    monkeypatch.undo()
    here.put(7)
    with here.mailboxes.of(ANN) as box:
        assert box.usage().messages == 5


def test_a_restore_that_takes_too_long_gives_up(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lease is over somebody may write; the mailbox is as it was, and is written."""
    here.backup()
    monkeypatch.setattr(restoring, "LEASE", 0.5)
    with pytest.raises(Problem, match="try again when less is going on"):
        here.restoring().instead()
    here.put(7)
    monkeypatch.undo()
    assert here.restoring().instead().added == 1


@pytest.mark.parametrize("back", [0.01, 86400.0])
def test_what_came_with_an_older_number_is_added_too(here: Here, back: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was on its way to the disk when the state was made by another process, or the clock was set back since."""
    here.backup()
    monkeypatch.setattr(spool, "_last", 0)  # as in a process that has given no IDs
    here.now -= back + 60
    here.put(7)
    here.now += back + 120
    assert here.restoring().instead().added == 1


def test_a_mailbox_is_made_beside(here: Here) -> None:
    """Of any state that is there; the one that is there is as it was."""
    first = here.backup()
    before = here.seen()
    here.put(5)
    here.backup()
    after = here.seen()
    done = here.restoring(first.state).beside("restored@example.com")
    assert (done.messages, done.flaws) == (4, [])
    assert here.seen("restored@example.com") == before
    assert here.seen() == after
    with pytest.raises(Problem, match="has a mailbox"):
        here.restoring().beside(ANN)


def test_a_mailbox_that_lost_its_rows_comes_back(here: Here) -> None:
    """Nothing is asked of what is gone."""
    here.backup()
    before = here.seen()
    owner = here.mailboxes.owners.find([ANN])[0]
    assert owner is not None
    if here.connections is not None:
        pytest.skip("what a database has lost is for its own backup")
    here.mailboxes.close()
    for path in Path(here.layout.home(owner.id)).glob("index.sqlite3*"):
        path.unlink()
    done = here.restoring().instead()
    assert done.messages == 4
    assert here.seen() == before


def test_a_state_that_is_not_whole_does_not_take_the_place(here: Here) -> None:
    """A message of the backup that is cut, or gone: what is there stays, and beside it a mailbox names what is lost."""
    here.backup()
    before = here.seen()
    damaged, gone, *_ = here.bodies()
    damaged.chmod(0o600)
    damaged.write_bytes(b"x")
    gone.unlink()
    with pytest.raises(Problem, match="not whole"):
        here.restoring().instead()
    assert here.seen() == before
    assert [owner.address for owner in here.mailboxes.owners.listing()] == [ANN]
    done = here.restoring().beside("restored@example.com")
    assert {flaw.mail for flaw in done.flaws} == {damaged.name, gone.name}


def test_the_difference_is_told(here: Here) -> None:
    """By the IDs of the messages."""
    here.backup()
    here.put(5)
    with here.mailboxes.of(ANN) as box:
        box.expunge(box.folders()[0].id, ((1, 1),), marked=False)
        box.sweep(here.now + 30 * 86400)
    found = here.restoring().compare()
    assert (found.both, len(found.backup_only), len(found.mailbox_only)) == (3, 1, 1)


@pytest.mark.parametrize("what", ["messages", "rows", "renumber", "check", "give"])
def test_a_restore_that_is_killed_changes_nothing(here: Here, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox is as it was, and the next restore does all of it; what the first had made is nobody's and goes."""
    here.backup()
    here.put(5)
    before = here.seen()
    with monkeypatch.context() as patch:
        places: dict[str, tuple[object, str]] = {
            "messages": (Restoring, "_messages"),
            "rows": (rows, "restore_rows"),
            "renumber": (OwnMailbox, "renumber"),
            "check": (OwnMailbox, "check"),
            "give": (Mailboxes, "give"),
        }
        patch.setattr(*places[what], killed)
        with pytest.raises(Killed):
            here.restoring().instead()
    assert here.seen() == before
    done = here.restoring().instead()
    assert (done.messages, done.added) == (4, 1)
    assert {owner.address for owner in here.mailboxes.owners.listing()} == {ANN}


def killed(*words: object, **more: object) -> None:
    """The process is gone."""
    raise Killed


class Killed(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("what", ["mkdir", "rename", "fsync", "link", "write", "open"])
def test_a_backup_that_is_killed_leaves_those_before(here: Here, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each call of the system of a kind; the next one is whole, and leaves nothing of the one before."""
    first = here.backup()
    here.put(5, 6)
    real = getattr(os, what)
    for at in range(1, 200):
        calls = 0

        def call(*words: object, at: int = at, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == at:
                raise Killed
            return real(*words, **more)

        with monkeypatch.context() as patch:
            patch.setattr(os, what, call)
            try:
                done = here.backup()
                break
            except Killed:
                pass
        assert here.restoring(first.state).compare().both == 4
    else:
        pytest.fail("it never came to its end")
    assert at > 1
    assert done.messages == 6
    assert not [*Path(here.backups.shelf.root).rglob("*.part")]
    assert here.restoring(done.state).beside("restored@example.com").flaws == []


def test_old_states_go_with_what_they_alone_have(here: Here) -> None:
    """Three are kept here; a message that was removed goes with the last state that has it."""
    here.backup()
    with here.mailboxes.of(ANN) as box:
        gone = box.entries(box.folders()[0].id, ((1, 1),))[0].mail
        box.expunge(box.folders()[0].id, ((1, 1),), marked=False)
        box.sweep(here.now + 30 * 86400)
    assert [here.backup().forgotten for _ in range(3)] == [0, 0, 1]
    assert gone not in {path.name for path in here.bodies()}
    assert here.restoring().beside("restored@example.com").flaws == []


def test_a_lost_message_is_named(here: Here) -> None:
    """The others are backed up."""
    body = next(Path(here.layout.root).glob("u/*/*/mail/*/*"))
    body.unlink()
    done = here.backup()
    assert (done.lost, done.copied) == ([body.name], 3)


@pytest.mark.parametrize("state", ["", "01KAJ2W7C5Q0R8Z1MZ6N7V3D9E"])
def test_what_is_not_in_a_backup(here: Here, state: str) -> None:
    """An address, a state; a directory that was never one."""
    with pytest.raises(Problem, match="has no"):
        Restoring(here.backups, "ben@example.com", lambda done, total: None, state)
    here.backup()
    with pytest.raises(Problem, match="has no"):
        Restoring(here.backups, ANN if state else "ben@example.com", lambda done, total: None, state)


def test_what_strangers_put_into_a_backup_is_passed_over(here: Here) -> None:
    """Names that are none, a state without an owner, or with one that is nonsense."""
    here.backup()
    states = next(Path(here.backups.shelf.root).glob("u/*/*/states"))
    (states / "x").mkdir()
    for at, text in enumerate((None, "{}", "[]", '{"owner": 5}', '{"owner": {"id": 1, "wrapped_private": 3}}', "\xff")):
        (states / f"01KAJ2W7C5Q0R8Z1MZ6N7V3D9{at}").mkdir()
        if text is not None:
            (states / f"01KAJ2W7C5Q0R8Z1MZ6N7V3D9{at}" / "owner.json").write_text(text)
    assert here.restoring().compare().both == 4
