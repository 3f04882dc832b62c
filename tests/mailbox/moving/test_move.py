"""A mailbox goes from one store to another while it is used: whole, once, and with the numbers that clients know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.api import Frozen, NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.fencing import FencedEngine
from mailer.mailbox.ledger import StaleOwner
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.moving import move as moving
from mailer.mailbox.moving import news, tables
from mailer.mailbox.moving.balance import differing
from mailer.mailbox.moving.move import Move, Moved, purge
from mailer.mailbox.moving.place import MailboxStore
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.memory import MemoryOwners
from mailer.mailbox.sweeping import sweep
from tests.peers.postgresql import NEEDED, PASSWORD, PostgreSQL

ANN = "ann@example.com"
OLD = Flag.SEEN | Flag.FLAGGED


class Killed(BaseException):
    """The end of a process, wherever it is."""


class Places:
    """Two stores, north and south; `now` is what everybody's clock says."""

    def __init__(self, north: Callable[[Owner], Engine], south: Callable[[Owner], Engine], *, one_place: bool) -> None:
        self.now = 1_796_127_000.0
        self.owners = MemoryOwners()
        bodies = MemoryBodies(lambda: self.now)
        self.north = MailboxStore("north", north, bodies)
        self.south = MailboxStore("south", south, bodies if one_place else MemoryBodies(lambda: self.now))
        self.owner = self.owners.make(ANN, self.now, "north")

    def box(self, store: MailboxStore | None = None) -> OwnMailbox:
        """Ann's mailbox as another process has it, which looks where it is."""
        owner = self.owners.by_id([self.owner.id])[0]
        assert owner is not None
        at = store or {"north": self.north, "south": self.south}[owner.store]
        boxes = Mailboxes(self.owners, at.open, at.bodies, clock=lambda: self.now)
        return boxes.opened(owner).__enter__()

    def move(self, watched: Callable[[str, int], None] | None = None) -> Moved:
        """Ann goes from north to south."""
        owner = self.owners.by_id([self.owner.id])[0]
        assert owner is not None
        return Move(self.owners, self.north, self.south, lambda: self.now, watched).run(owner)


@pytest.fixture(
    params=["sqlite to sqlite", *(pytest.param(words, marks=NEEDED) for words in ("sqlite to postgresql", "postgresql to sqlite"))]
)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Places]:
    closing: list[Any] = []

    def store(kind: str, name: str) -> Callable[[Owner], Engine]:
        if kind == "sqlite":
            (tmp_path / name).mkdir()
            return lambda owner: SqliteEngine(str(tmp_path / name / f"{owner.id}.sqlite3"))
        from mailer.mailbox.engine.connections import Connections
        from mailer.mailbox.engine.postgres import TURN, PostgresEngine

        server: PostgreSQL = request.getfixturevalue("postgresql")
        connections = Connections(server.url(), {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),)}, PASSWORD)
        closing.append(connections)
        return lambda owner: PostgresEngine(connections, owner.number + 40)

    first, _, second = request.param.partition(" to ")
    yield Places(store(first, "north"), store(second, "south"), one_place=first != second)
    for each in closing:
        each.close()


def letter(text: str, number: int, answers: int | None = None) -> bytes:
    reference = "" if answers is None else f"In-Reply-To: <{answers}@example.com>\r\n"
    return (
        f"From: bob@example.net\r\nSubject: {text} é\r\nMessage-ID: <{number}@example.com>\r\n{reference}\r\n{text} {number}\r\n".encode()
    )


def fill(box: OwnMailbox, many: int = 30) -> None:
    """Messages in several folders, some with flags, some moved, some gone."""
    box.put([NewMail("INBOX", letter("hello", n), b"X-For: ann\r\n", keywords=("work", f"k{n % 3}")) for n in range(many)])
    box.create("Lists/Mailer")
    box.create("Old")
    inbox, old = box.folder("INBOX"), box.folder("Old")
    assert inbox is not None
    assert old is not None
    box.flag(inbox.id, [(3, 9)], "add", OLD)
    box.copy(inbox.id, [(1, 4)], "Lists/Mailer")
    box.copy(inbox.id, [(1, 2)], "Lists/Mailer")
    box.move(inbox.id, [(5, 5)], "Archive")
    box.expunge(inbox.id, [(7, 8)], marked=False)
    box.copy(inbox.id, [(1, 2)], "Old")
    box.delete("Old")
    box.put([NewMail("INBOX", letter("once", 900), once=("SPOOL", ANN)), NewMail("INBOX", b"Subject: by LF\n\nx", uidl="elsewhere")])


def all_of(box: OwnMailbox) -> dict[str, object]:
    """All that a client can know."""
    folders = box.folders()
    mails = box.mails(sorted({entry.mail for folder in folders for entry in box.entries(folder.id)}))
    return {
        "folders": folders,
        "entries": [list(box.entries(folder.id)) for folder in folders],
        "changes": [box.changes(folder.id, 1) for folder in folders],
        "mails": mails,
        "texts": [box.read(mail) for mail in mails if mail],
        "usage": box.usage(),
        "maildrops": [box.maildrop(folder.id) for folder in folders],
    }


def test_all_of_a_mailbox_is_in_the_other_store_with_its_numbers(places: Places) -> None:
    """UIDs, UIDVALIDITY, MODSEQ, what was expunged, and what is known of deliveries."""
    box = places.box()
    fill(box)
    before = all_of(box)
    moved = places.move()
    assert moved.owner == places.owners.by_id([places.owner.id])[0]
    assert (moved.owner.store, moved.owner.state) == ("south", "open")
    after = places.box()
    assert all_of(after) == before
    assert after.check(bodies=True) == []
    assert not after.put([NewMail("INBOX", letter("once", 900), once=("SPOOL", ANN))])[0].fresh
    assert moved.frozen < moving.LEASE


def test_what_is_done_meanwhile_is_there_as_well(places: Places) -> None:
    """Whatever it is, in whatever phase, as long as nobody is kept from it."""
    box = places.box()
    fill(box)
    done: list[str] = []

    def meanwhile(phase: str, _: int) -> None:
        if phase in ("copy", "chase") and done.count(phase) < 12:
            number = 1000 + len(done)
            inbox, old = box.folder("INBOX"), box.folder(f"N{number - 1}")
            assert inbox is not None
            box.put([NewMail("INBOX", letter("late", number, answers=number - 970))])
            box.flag(inbox.id, [(10, 12)], "add" if number % 2 else "remove", Flag.ANSWERED, ["late"])
            box.expunge(inbox.id, [(13 + len(done), 13 + len(done))], marked=False)
            box.create(f"N{number}")
            box.move(inbox.id, [(1, 1)], "Archive")
            if old:
                box.copy(inbox.id, [(10, 11)], old.name)
                box.delete(old.name) if number % 2 else box.rename(old.name, f"M{number}")
            done.append(phase)

    places.move(meanwhile)
    assert len(done) >= 12
    inside = places.box(places.north)
    after = places.box()
    assert all_of(after) == all_of(inside)
    assert after.check(bodies=True) == []


def test_nobody_writes_where_it_was_from_the_freeze_on(places: Places) -> None:
    """Readers read; who writes is told that it passes; afterwards he finds it at the other store."""
    box = places.box()
    fill(box, 10)
    seen: list[str] = []

    def meanwhile(phase: str, _: int) -> None:
        if phase == "freeze":
            assert box.folder("INBOX") is not None
            with pytest.raises(Frozen) as caught:
                box.put([NewMail("INBOX", letter("late", 1))])
            with pytest.raises(Frozen):
                box.create("X")
            seen.append(caught.value.kind)

    places.move(meanwhile)
    assert seen == ["try-again"]
    with pytest.raises(Problem, match="not here any more") as caught:
        box.create("X")
    assert caught.value.kind == "try-again"
    places.box().create("X")
    assert "X" not in [folder.name for folder in places.box(places.north).folders()]


def test_whoever_only_waits_for_news_hears_that_it_was_moved(places: Places) -> None:
    """He is told to open it anew; while it is frozen he reads on."""
    box = places.box()
    fill(box, 10)
    seen: list[int] = []
    places.move(lambda phase, _: seen.append(len(box.changes(1, 1).entries)) if phase == "freeze" else None)
    assert seen[0] > 3
    with pytest.raises(Problem, match="not here any more") as caught:
        box.changes(1, 1)
    assert caught.value.kind == "try-again"
    assert len(places.box().changes(1, 1).entries) == seen[0]


def test_a_sweep_that_is_under_way_does_not_go_on_behind_a_move(places: Places) -> None:
    """What it would remove may have been put somewhere at the other store."""
    box = places.box()
    fill(box, 10)
    behind = FencedEngine(box.engine, box.owner.epoch)
    behind.change(lambda _: None)
    places.move()
    with pytest.raises(StaleOwner):
        sweep(behind, places.north.bodies, box.owner.id, places.now + 30 * 86400)
    assert box.sweep(places.now + 30 * 86400) == 0
    assert places.box().check(bodies=True) == []


PHASES = ("copy", "chase", "freeze")


@pytest.mark.parametrize("phase", PHASES)
def test_a_move_that_is_killed_is_undone_and_can_be_done_again(places: Places, phase: str) -> None:
    """Everything is where it was; after the lease it is written again, and the next move copies the rest."""
    fill(places.box())
    before = all_of(places.box())

    def die(at: str, _: int) -> None:
        if at == phase:
            raise Killed

    move = Move(places.owners, places.north, places.south, lambda: places.now, die)
    move._give_up = lambda frozen: frozen  # type: ignore[method-assign] - a process that is gone thaws nothing
    with pytest.raises(Killed):
        move.run(places.owner)
    box = places.box()
    assert box.owner.store == "north"
    assert all_of(box) == before
    if phase == "freeze":
        with pytest.raises(Frozen):
            box.create("X")
        with pytest.raises(Problem, match="is frozen, and is not moved") as caught:
            places.move()
        assert caught.value.kind == "try-again"
    places.now += moving.LEASE + 0.1
    box.create("X")
    wanted = all_of(box)
    moved = places.move()
    assert all_of(places.box()) == wanted
    assert moved.owner.store == "south"


@pytest.mark.parametrize("moment", ["before it compares", "before it gives the mailbox away"])
def test_a_mover_that_slept_over_its_lease_gives_nothing_away(places: Places, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written meanwhile, where the mailbox was, is the truth; then it begins again, or says that it has not."""
    box = places.box()
    fill(box, 10)

    def sleep(*_: object) -> None:
        if not box.folder("X"):
            places.now += moving.LEASE + 0.1
            box.create("X")

    def compared(*both: Engine) -> Sequence[str]:
        found = differing(*both)
        sleep()
        return found

    if moment == "before it compares":
        places.move(lambda phase, _: sleep() if phase == "freeze" else None)
        assert places.box().owner.store == "south"
    else:
        monkeypatch.setattr(moving, "differing", compared)
        with pytest.raises(Problem, match="changed by another process") as caught:
            places.move()
        assert caught.value.kind == "try-again"
        box = places.box()
        assert (box.owner.store, box.owner.state) == ("north", "open")
        box.put([NewMail("X", letter("there", 77))])
        wanted = all_of(box)
        places.move()
        assert all_of(places.box()) == wanted
    assert "X" in [folder.name for folder in places.box().folders()]


def test_who_is_removed_while_he_is_moved_stays_removed(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """He is not made again by the move."""
    fill(places.box(), 5)

    def removed(*_: Engine) -> Sequence[str]:
        owner = places.owners.by_id([places.owner.id])[0]
        assert owner is not None
        places.owners.put(owner._replace(state="removed"))
        return ["entry"]

    monkeypatch.setattr(moving, "differing", removed)
    with pytest.raises(Problem, match="is removed, and is not moved"):
        places.move()
    assert places.owners.find([ANN]) == [None]


def test_a_second_mover_and_an_older_owner_are_refused(places: Places) -> None:
    """Of two moves one is done; who knows the owner as he was before moves nothing."""
    fill(places.box(), 5)
    caught: list[str] = []

    def other(phase: str, _: int) -> None:
        if phase == "freeze":
            with pytest.raises(Problem) as refused:
                places.move()
            caught.append(refused.value.kind)

    places.move(other)
    assert caught == ["try-again"]
    with pytest.raises(Problem) as refused:
        Move(places.owners, places.north, places.south, lambda: places.now).run(places.owner)
    assert refused.value.kind == "try-again"
    with pytest.raises(Problem, match="is there already") as again:
        places.move()
    assert again.value.kind == "usage"
    assert places.box().owner.store == "south"


def test_what_no_modseq_tells_is_found_by_the_comparison(places: Places) -> None:
    """Rows that were swept while the move was under way: all is compared again, and then it is done."""
    box = places.box()
    fill(box)
    inbox = box.folder("INBOX")
    assert inbox is not None
    box.expunge(inbox.id, [(14, 16)], marked=False)
    swept: list[int] = []

    def sweep_it(phase: str, _: int) -> None:
        if phase == "chase" and not swept:
            swept.append(box.sweep(places.now + 8 * 86400))

    places.move(sweep_it)
    assert swept[0] > 0
    assert all_of(places.box()) == all_of(places.box(places.north))
    assert list(differing(places.north.open(places.owner), places.south.open(places.owner))) == ["setting"]  # since when it was left


def test_a_mailbox_whose_sides_stay_different_stays(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said which tables differ, and everybody goes on."""
    box = places.box()
    fill(box, 5)
    monkeypatch.setattr(moving, "differing", lambda *_: ["entry"])
    with pytest.raises(Problem, match="stays where it is, for entry differ") as caught:
        places.move()
    assert caught.value.kind == "try-again"
    assert places.box().owner.store == "north"
    places.box().create("X")


def test_a_freeze_that_takes_too_long_is_given_up(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than the lease."""
    fill(places.box(), 5)
    monkeypatch.setattr(moving, "MARGIN", moving.LEASE)
    with pytest.raises(Problem, match="took longer") as caught:
        places.move()
    assert caught.value.kind == "try-again"
    places.box().create("X")


def test_portions_of_any_size_copy_the_same(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what should not be on the other side goes, wherever it is."""
    fill(places.box())
    wanted = all_of(places.box())
    stray = [(folder, uid, f"stray{uid}", 0, "", 5, 1.0) for folder in (0, 1, 99) for uid in (1, 2, 1000)]
    ours, theirs = places.north.open(places.owner), places.south.open(places.owner)
    theirs.change(lambda rows: tables.put(rows, theirs.owner, "entry", stray))
    small = {name: table._replace(portion=3) if name != "folder" else table for name, table in tables.TABLES.items()}
    monkeypatch.setattr(tables, "TABLES", small)
    assert tables.same(ours, theirs, "entry") > 30
    assert tables.same(ours, theirs, "entry") == 0
    places.move()
    assert all_of(places.box()) == wanted


def test_little_is_written_by_a_second_move_that_goes_on(places: Places) -> None:
    """What is there already is only read."""
    fill(places.box())
    ours, theirs = places.north.open(places.owner), places.south.open(places.owner)
    theirs.change(lambda _: None)
    first = sum(tables.same(ours, theirs, name) for name in tables.TABLES)
    assert first > 100
    assert places.move().rows < 10


def test_news_are_those_since_a_modseq(places: Places) -> None:
    """A message, its conversation and its text; nothing where nothing happened."""
    box = places.box()
    fill(box)
    ours, theirs = places.north.open(places.owner), places.south.open(places.owner)
    theirs.change(lambda _: None)
    for name in tables.TABLES:
        tables.same(ours, theirs, name)
    since = news.modseq_of(ours)
    assert news.bring(ours, theirs, since) == (0, since)
    box.put([NewMail("INBOX", letter("late", 2000, answers=3))])
    many, newest = news.bring(ours, theirs, since)
    assert 0 < many < 12
    assert newest == since + 1
    assert differing(ours, theirs) == []


def test_what_is_left_behind_is_removed_when_asked(places: Places) -> None:
    """And never from where the mailbox is."""
    fill(places.box())
    owner = places.move().owner
    others = places.north.bodies is not places.south.bodies
    with pytest.raises(Problem, match="and stays") as caught:
        purge(places.owners, owner, places.south, places.now, bodies_too=False)
    assert caught.value.kind == "usage"
    purge(places.owners, owner, places.north, places.now, bodies_too=others)
    assert places.box().check(bodies=True) == []
    assert places.box().owner.until == 0
    engine = places.north.open(owner)
    with pytest.raises((Problem, AssertionError)):
        assert news.modseq_of(engine)


def test_nothing_is_removed_behind_a_move(places: Places) -> None:
    """Of a move back and a removal at once, one is told to wait or to look again, whoever was first."""
    fill(places.box(), 10)
    owner = places.move().owner
    others = places.north.bodies is not places.south.bodies
    told: list[str] = []

    def back(phase: str) -> None:
        def remove(at: str, _: int) -> None:
            if at == phase and phase not in told:
                told.append(phase)
                now = places.owners.by_id([owner.id])[0]
                assert now is not None
                try:
                    purge(places.owners, now, places.north, places.now, bodies_too=others)
                except Problem as problem:
                    told.append(problem.kind)

        Move(places.owners, places.south, places.north, lambda: places.now, remove).run(places.owners.by_id([owner.id])[0] or owner)

    with pytest.raises(Problem):  # he was changed, or rows are gone from under it
        back("chase")
    assert told == ["chase"]
    assert places.box().owner.store == "south"
    back("freeze")
    assert told == ["chase", "freeze", "try-again"]
    assert places.box().owner.store == "north"
    assert places.box().check(bodies=True) == []

    busy = places.owners.by_id([owner.id])[0]
    assert busy is not None
    places.owners.put(busy._replace(until=places.now + 5))
    with pytest.raises(Problem, match="is being removed, and it is not moved") as caught:
        places.move()
    assert caught.value.kind == "try-again"
    places.now += 6
    assert places.move().owner.store == "south"


def test_several_folders_that_change_names_are_moved(places: Places) -> None:
    """Although no two of them have one name at once."""
    box = places.box()
    for name in ("A", "B"):
        box.create(name)

    def swap(phase: str, _: int) -> None:
        if phase == "chase" and box.folder("C") is None:
            for name, to in (("A", "C"), ("B", "A"), ("C", "B")):
                box.rename(name, to)
            box.create("C")

    places.move(swap)
    assert all_of(places.box()) == all_of(places.box(places.north))
