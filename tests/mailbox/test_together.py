"""Mail for several mailboxes is put at the same time, each as it would be for itself; one in trouble is left for itself."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail, Quota
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.together import WantedPut, put_all

from .premises import Premises, message

PEOPLE = [f"user{nth}@example.com" for nth in range(4)]


class Street:
    """Mailboxes in files below `root`, which are all open."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.layout = Layout(str(root))
        self.premises = Premises(lambda owner: SqliteEngine(self._index(owner.id)), FileBodies(self.layout))
        stack.callback(self.premises.boxes.close)
        self.boxes = [stack.enter_context(self.premises.boxes.of(address, make=True)) for address in PEOPLE]

    def _index(self, id: str) -> str:
        self.layout.have(self.layout.home(id))
        return self.layout.index(id)

    def wanted(self) -> list[WantedPut]:
        """Two messages for each."""
        return [WantedPut(box, [NewMail("INBOX", message(f"{nth} for {box.owner.id}")) for nth in range(2)], Quota()) for box in self.boxes]

    def bodies(self, box: OwnMailbox) -> set[str]:
        """The messages of which there is a body."""
        return {each.id for each in self.premises.bodies.listing(box.owner.id)}


@pytest.fixture
def street(tmp_path: Path) -> object:
    with ExitStack() as stack:
        yield Street(tmp_path / "mailboxes", stack)


def contents(box: OwnMailbox) -> list[bytes]:
    """What is in the inbox."""
    folder = box.folder("INBOX")
    assert folder is not None
    return [box.read(mail) for mail in box.mails([each.mail for each in box.entries(folder.id)]) if mail is not None]


def test_each_has_its_own(street: Street) -> None:
    """In the order in which they came, and what was told is where they are."""
    wanted = street.wanted()
    done = put_all(wanted)
    assert [*done] == [0, 1, 2, 3]
    for nth, each in enumerate(wanted):
        assert contents(each.box) == [new.content for new in each.news]
        assert [(put.uid, put.fresh) for put in done[nth]] == [(1, True), (2, True)]
        assert each.box.check() == []


def test_the_bodies_of_all_are_kept_before_any_row(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once; so a crash leaves bodies of which no row tells, and no row without its body."""
    steps: list[object] = []
    put, enter = FileBodies.put, OwnMailbox.enter

    def keep(bodies: FileBodies, those: Sequence[NewBody]) -> None:
        put(bodies, those)
        steps.append(len(those))

    def entered(box: OwnMailbox, ready: object) -> object:
        steps.append("rows")
        return enter(box, ready)  # type: ignore[arg-type]

    monkeypatch.setattr(FileBodies, "put", keep)
    monkeypatch.setattr(OwnMailbox, "enter", entered)
    put_all(street.wanted())
    assert steps == [8, "rows", "rows", "rows", "rows"]


def test_what_fails_is_left_and_leaves_nothing(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quota that is used up, rows that cannot be written: the others have theirs."""
    wanted = street.wanted()
    wanted[1] = wanted[1]._replace(quota=Quota(10))
    change = OwnMailbox.change

    def failing(box: OwnMailbox, act: object) -> object:
        if box is wanted[2].box:
            raise Problem("the disk has an error", "io-error")
        return change(box, act)  # type: ignore[arg-type]

    monkeypatch.setattr(OwnMailbox, "change", failing)
    assert [*put_all(wanted)] == [0, 3]
    monkeypatch.undo()
    assert [len(contents(each.box)) for each in wanted] == [2, 0, 0, 2]
    assert [len(street.bodies(each.box)) for each in wanted] == [2, 0, 0, 2]


def test_where_bodies_cannot_be_kept_nothing_is_put(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each hears why when it is put for itself."""

    def full(*_: object) -> None:
        raise Problem("no room", "try-again")

    monkeypatch.setattr(FileBodies, "put", full)
    assert put_all(street.wanted()) == {}
    assert [contents(box) for box in street.boxes] == [[]] * 4


def test_what_others_write_or_have_at_a_server_is_left(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for: not for another process, nor for another thread, nor for the answers of a server."""
    wanted = street.wanted()
    monkeypatch.setattr(wanted[0].box.engine, "dialect", "postgresql")
    another = SqliteEngine(street.layout.index(wanted[1].box.owner.id))
    puts = another.change(lambda _: put_all(wanted))
    another.close()
    assert [*puts] == [2, 3]
    puts = wanted[3].box.engine.change(lambda _: put_all(wanted[1:]))
    assert [*puts] == [0, 1]
    assert [len(street.bodies(each.box)) for each in wanted] == [0, 2, 4, 2]
