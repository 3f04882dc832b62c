"""What goes with time, and what a crash has left."""

from __future__ import annotations

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.box import OwnMailbox
from mailer.spool import first_id

from .premises import ANN, DAY, Premises, message, put


def files(premises: Premises, box: OwnMailbox) -> set[str]:
    return {each.id for each in premises.bodies.listing(box.owner.id)}


def age(premises: Premises, monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    """Let files seem to have been written before now."""
    listing = premises.bodies.listing
    monkeypatch.setattr(
        premises.bodies, "listing", lambda owner: (each._replace(written=premises.now - by) for each in listing(owner))
    )  # fmt: skip


def test_a_file_without_a_row_goes_after_two_days(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a crash leaves it; one that is younger may yet have its row, and those that have one stay."""
    with premises.ann() as box:
        (kept,) = put(box)
        stray = first_id(premises.now - 3 * DAY)
        premises.bodies.put([NewBody(box.owner.id, stray, (b"stray",))])
        age(premises, monkeypatch, 1 * DAY)
        premises.now += 8 * DAY
        assert box.sweep(premises.now) == 0
        age(premises, monkeypatch, 3 * DAY)
        premises.now += 8 * DAY
        assert box.sweep(premises.now) == 1
        assert files(premises, box) == {kept}


def test_many_files_without_a_row_are_no_crash(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where somebody has put back rows of last month: none of them is removed, and it is said what to do."""
    with premises.ann() as box:
        put(box)
        stray = [first_id(premises.now - 3 * DAY - number) for number in range(201)]
        premises.bodies.put([NewBody(box.owner.id, each, (message(),)) for each in stray])
        age(premises, monkeypatch, 3 * DAY)
        premises.now += 8 * DAY
        with pytest.raises(Problem, match="more than 200 messages are there and nothing says where"):
            box.sweep(premises.now)
        assert files(premises, box) >= {*stray}
        assert len(box.check(repair=True)) == 201
        assert box.sweep(premises.now) == 0
        assert box.usage().messages == 202


def test_files_are_looked_through_once_a_week(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the names of all of them."""
    with premises.ann() as box:
        put(box)
        looked = []
        monkeypatch.setattr(premises.bodies, "listing", lambda owner: iter(looked.append(owner) or ()))
        for day in range(1, 30):
            box.sweep(premises.now + day * DAY)
        assert len(looked) == 3


def test_a_sweep_that_was_interrupted_is_gone_on_with(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of what is due are gone first, and nobody can have it again; then the files; nothing is forgotten."""
    with premises.ann() as box:
        mails = put(box, many=3)
        box.expunge(1, marked=False)
        later = premises.now + 8 * DAY

        def fail(*_: object) -> None:
            raise Problem("the disk is ill", "io-error")

        with monkeypatch.context() as patch:
            patch.setattr(premises.bodies, "remove", fail)
            with pytest.raises(Problem, match="the disk is ill"):
                box.sweep(later)
        with pytest.raises(Problem, match="there is no message"):
            box.put_again(mails[0], "Sent")
        assert files(premises, box) == {*mails}
        assert box.check(bodies=True) == []
        assert box.sweep(later) == 3
        assert files(premises, box) == set()
        assert box.sweep(later) == 0


def test_what_was_delivered_is_known_while_it_may_come_again(premises: Premises) -> None:
    """For two weeks, longer than a spool holds mail."""
    with premises.ann() as box:
        new = NewMail("INBOX", message(), once=("01SPOOL", ANN))
        box.put([new])
        box.sweep(premises.now + 13 * DAY)
        assert not box.put([new])[0].fresh
        box.sweep(premises.now + 15 * DAY)
        assert box.put([new])[0].fresh


def test_many_are_due_at_once(premises: Premises) -> None:
    """More than one transaction takes."""
    with premises.ann() as box:
        put(box, "Trash", 503)
        box.delete("Trash")
        assert box.sweep(premises.now + 8 * DAY) == 503
        assert box.check(bodies=True) == []


def test_a_deleted_folder_is_forgotten_with_what_went(premises: Premises) -> None:
    """After 90 days; its number is not given again."""
    with premises.ann() as box:
        first = box.create("a")
        box.delete("a")
        box.sweep(premises.now + 91 * DAY)
        count = box.engine.read(lambda rows: rows.run("SELECT COUNT(*) FROM folder WHERE owner = ?", (box.engine.owner,)))
        assert count[0][0] == 6
        assert box.create("a").id > first.id
