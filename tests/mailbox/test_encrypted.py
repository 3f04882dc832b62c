"""Somebody who can write the disk, and not read it: whatever he puts in the place of what is encrypted is refused, and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import BodyLost, Mail, NewMail, NoKey
from mailer.mailbox.box import OwnMailbox

from .encrypted_house import ANN, House, Process, letter

BOB = "bob@example.com"


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """Ann has three letters, Bob has two."""
    process = House(tmp_path / "mailboxes").start()
    process.put(0, 2, 3)
    with process.mailboxes.of(BOB, make=True) as box:
        box.put([NewMail("INBOX", letter(number)) for number in (0, 4)])
    return process


def mails(box: OwnMailbox) -> list[Mail]:
    """What is in the inbox."""
    inbox = box.folder("INBOX")
    assert inbox is not None
    return [mail for mail in box.mails([entry.mail for entry in box.entries(inbox.id)]) if mail is not None]


def files(process: Process, address: str) -> list[str]:
    """The files of the letters of somebody, in the order of the inbox."""
    with process.mailboxes.of(address) as box:
        return [process.layout.body(box.owner.id, mail.id) for mail in mails(box)]


def swapped(one: str, other: str) -> None:
    """Have each in the place of the other."""
    os.rename(one, f"{one}~")
    os.rename(other, one)
    os.rename(f"{one}~", other)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda content: content[:-20],
    "cut in the header": lambda content: content[:60],
    "a bit in the header": lambda content: content[:50] + bytes([content[50] ^ 1]) + content[51:],
    "a bit at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "longer": lambda content: content + b"\0",
    "empty": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
    "pieces changed about": lambda content: content[:-140_000] + content[-70_000:] + content[-140_000:-70_000],
    "plain text": lambda _: b"Subject: trust me\r\n\r\nSend money.\r\n",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_body_that_was_changed_is_lost(process: Process, damage: Callable[[bytes], bytes]) -> None:
    """It is named; not one octet of it is given out, not in pieces either; the others are read."""
    path = Path(files(process, ANN)[1])
    path.write_bytes(damage(path.read_bytes()))
    with process.mailboxes.of(ANN) as box:
        first, second, third = mails(box)
        for start, length in ((0, None), (0, 10), (300_000, 10)):
            with pytest.raises(BodyLost, match=second.id):
                box.read(second, start, length)
        assert (box.read(first), box.read(third)) == (letter(0), letter(3))
        assert [flaw.mail for flaw in box.check(bodies=True)] == [second.id]


def test_a_body_of_the_same_owner_in_the_place_of_another_is_lost(process: Process) -> None:
    """It opens, and is not the one that was put there."""
    one, _, other = files(process, ANN)
    swapped(one, other)
    with process.mailboxes.of(ANN) as box:
        for mail in (mails(box)[0], mails(box)[2]):
            with pytest.raises(BodyLost, match="another"):
                box.read(mail)


def test_a_body_of_another_owner_does_not_open(process: Process) -> None:
    """Though it is of the same text: the key that it needs is not his."""
    swapped(files(process, ANN)[0], files(process, BOB)[0])
    for address in (ANN, BOB):
        with process.mailboxes.of(address) as box, pytest.raises(BodyLost, match="opens with no key of its owner"):
            box.read(mails(box)[0])


def test_the_index_of_another_owner_does_not_open(process: Process, tmp_path: Path) -> None:
    """Who would read along by giving himself the rows of somebody else reads nothing, and they are not begun anew."""
    ann, bob = (process.layout.index(owner.id) for owner in process.owners.find([ANN, BOB]) if owner)
    process.close()
    content = Path(ann).read_bytes()
    for path in Path(ann).parent.glob("index.sqlite3*"):
        shutil.copy(path, Path(bob).parent / path.name)
    process = House(tmp_path / "mailboxes").start()
    with pytest.raises(Problem, match="opens with no key of its owner") as caught, process.mailboxes.of(BOB):
        pass
    assert caught.value.kind == "io-error"
    assert Path(bob).read_bytes() == content
    assert [kept.id for kept in process.bodies.listing(Path(bob).parent.name)]


def test_keys_that_were_put_back_are_those_of_before(process: Process) -> None:
    """An owner's row from a backup of before `rekey` opens nothing of now, and says which key it wants; nothing is overwritten."""
    [before] = process.owners.find([ANN])
    assert before is not None
    house = House(Path(process.layout.root))
    house.masters[2] = b"\x02" * 32
    other = house.start()
    other.rekey()
    house.masters.pop(1)
    now = other.owner()
    other.owners.put(before._replace(epoch=now.epoch))
    with pytest.raises(NoKey, match="the master key 1"), house.start().mailboxes.of(ANN):
        pass
    other.owners.put(now._replace(epoch=other.owner().epoch))
    assert len(house.read()) == 3
    house.close()
