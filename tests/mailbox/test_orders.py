"""What a folder is put in order by is remembered, and is what it would be if it were read anew, whatever happens in the folder."""

from __future__ import annotations

import random

import pytest

from mailer.mailbox import collating, orders
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.collating import SORTED, ids_of

from .premises import Premises, number_of, put


def told(box: OwnMailbox, folder: int) -> list[tuple[object, ...]]:
    """The rows as they are remembered."""
    found = box.collated_folder(folder, SORTED)
    return [*zip(found.uids, *found.columns, strict=True)]


def read(box: OwnMailbox, folder: int) -> list[tuple[object, ...]]:
    """The rows as they are."""
    return [(*row[:-1], ids_of(row[-1])) for row in box.collated(folder, None, SORTED)]


@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_is_what_is_there(premises: Premises, seed: int) -> None:
    """After each of many changes by chance: messages come, go, are moved away and back, and copied."""
    chance = random.Random(seed)
    with premises.ann() as box:
        inbox, archive = number_of(box, "INBOX"), number_of(box, "Archive")
        for _ in range(25):
            what, uid = chance.choice(("put", "put", "expunge", "move", "back", "copy")), chance.randint(1, 20)
            if what == "put":
                put(box, many=chance.randint(1, 3))
            elif what == "expunge":
                box.expunge(inbox, [(uid, uid)], marked=False)
            elif what == "copy":
                box.copy(inbox, [(uid, uid + 1)], "INBOX")
            else:
                box.move(*((inbox, [(uid, uid)], "Archive") if what == "move" else (archive, None, "INBOX")))
            assert told(box, inbox) == read(box, inbox)


def test_nothing_is_read_again(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what came since."""
    spans: list[object] = []
    whole = collating.collated

    def noted(*args: object) -> object:
        spans.append(args[3])
        return whole(*args)  # type: ignore[arg-type]

    with premises.ann() as box:
        put(box, many=5)
        folder = number_of(box, "INBOX")
        first = box.collated_folder(folder, ("size",))
        monkeypatch.setattr(collating, "collated", noted)
        assert box.collated_folder(folder, ("size",)) is first
        put(box)
        assert len(box.collated_folder(folder, ("size",)).uids) == 6
        box.expunge(folder, [(2, 2)], marked=False)
        assert [*box.collated_folder(folder, ("size",)).uids] == [1, 3, 4, 5, 6]
    assert [span[0][0] for span in spans] == [6]  # type: ignore[index]


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that were asked for least of late are read again, and one that is the most of all is never kept."""
    kept = orders._Remembered(40)
    monkeypatch.setattr(orders, "REMEMBERED", kept)
    with Premises().ann() as box:
        put(box, many=5)
        put(box, "Archive", many=5)
        put(box, "Sent", many=30)
        folders = [number_of(box, name) for name in ("INBOX", "Archive", "Sent")]
        first = [box.collated_folder(folder, ("size", "sent")) for folder in folders]
        again = [box.collated_folder(folder, ("size", "sent")) for folder in folders]
        assert [one is other for one, other in zip(first, again, strict=True)] == [True, True, False]
        for _ in range(2):
            box.collated_folder(folders[0], ("received", "sent"))
        assert box.collated_folder(folders[0], ("size", "sent")) is not first[0]
    assert kept._left >= 0


def test_a_mailbox_that_is_closed_is_forgotten() -> None:
    """Nothing of it stays."""
    premises = Premises()
    with premises.ann() as box:
        put(box, many=5)
        before = orders.REMEMBERED._left
        box.collated_folder(number_of(box, "INBOX"), ("size",))
        assert orders.REMEMBERED._left < before
    premises.boxes.close()
    assert orders.REMEMBERED._left >= before


def test_a_folder_that_is_not_there_is_empty(premises: Premises) -> None:
    """As one that was deleted a moment ago."""
    with premises.ann() as box:
        found = box.collated_folder(4711, ("size", "ids"))
        assert (len(found.uids), found.columns) == (0, ([], []))


def test_messages_without_a_row_are_read_first(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a mailbox that an older version has made; one of which none can be made keeps nobody waiting."""
    with premises.ann() as box:
        put(box, many=3)
        folder, owner = number_of(box, "INBOX"), box.engine.owner
        box.engine.change(lambda rows: rows.change("DELETE FROM collated WHERE owner = ?", (owner,)))
        assert len(box.collated_folder(folder, ("size",)).uids) == 3
        mail = box.entries(folder)[0].mail
        box.engine.change(lambda rows: rows.change("DELETE FROM collated WHERE owner = ? AND mail = ?", (owner, mail)))
        monkeypatch.setattr(OwnMailbox, "_make_collated", lambda *_: None)
        assert [*box.collated_folder(folder, ("sent",)).uids] == [2, 3]
