"""A mailbox is as it has to be, or it is said what is not; from the bodies alone it is made again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import BodyLost, NewMail
from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.spool import new_id, put_at

from .premises import ANN, DAY, NOW, Premises, message, put


def alter(box: OwnMailbox, *statements: str) -> None:
    """Damage rows, as a bug would."""
    for statement in statements:
        box.engine.change(lambda rows, statement=statement: rows.change(statement))  # type: ignore[misc]


DAMAGE = {
    "UPDATE folder SET messages = messages + 1 WHERE id = 1": "it has .messages, unseen, deleted, octets",
    "UPDATE folder SET unseen = 7 WHERE id = 1": "and counted .*7",
    "UPDATE folder SET deleted = 2 WHERE id = 1": "and counted",
    "UPDATE folder SET octets = 0 WHERE id = 1": "and counted",
    "UPDATE folder SET uidnext = 2 WHERE id = 1": "it has a UID 4, and the next one would be 2",
    "UPDATE folder SET modseq = 2 WHERE id = 1": "above its own, 2",
    "UPDATE account SET octets = octets - 1": "messages of .* octets, and counted",
    "UPDATE account SET messages = 9": "and counted 9",
    "UPDATE account SET modseq = 2": "and the newest was counted as 2",
    "UPDATE account SET next_folder = 3": "would get the number of another",
    "UPDATE account SET next_uidvalidity = 3": "would get the number of another",
    "UPDATE folder SET gone = 5 WHERE name = 'a'": "the folder that it is in is not there",
    "DELETE FROM entry WHERE uid = 2": "is in no folder, and was not deleted",
    "INSERT INTO twin (owner, folder, uid, name) SELECT owner, 1, 99, 'x' FROM account": "a name is kept for the UID 99, x",
    "DELETE FROM mail WHERE subject = 'number 1'": "the message with the UID 2 is not known",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_what_contradicts_itself_is_found_and_mended(premises: Premises, statement: str) -> None:
    """Each count and each number; then all is well, and goes on well."""
    with premises.ann() as box:
        box.create("a/b")
        put(box, many=4, flags=Flag.SEEN)
        box.flag(1, [(1, 1)], "add", Flag.DELETED)
        put(box, "a", many=1)
        assert box.check(bodies=True) == []
        alter(box, statement)
        flaws = box.check()
        assert re.search(DAMAGE[statement], " ".join(flaw.what for flaw in flaws))
        assert not any(flaw.mended for flaw in flaws)
        assert all(flaw.mended for flaw in box.check(repair=True))
        assert box.check(bodies=True) == []
        put(box, many=2)
        box.create("new")
        assert box.check(bodies=True) == []
        found = {mail.subject for mail in box.mails([entry.mail for folder in box.folders() for entry in box.entries(folder.id)]) if mail}
        assert found >= {f"number {number}" for number in range(4)}


def rebuilt(premises: Premises) -> Premises:
    """The mailboxes of which the bodies alone are left."""
    made = Premises(bodies=premises.bodies)
    made.owners, made.now = premises.owners, premises.now
    made.boxes = made.another()
    return made


def test_a_mailbox_that_lost_its_rows_says_so() -> None:
    """It is not begun anew: clients would throw away all that they have."""
    premises = Premises()
    with premises.ann() as box:
        put(box)
    with pytest.raises(Problem, match=r"mailbox of ann@example\.com has messages and nothing that says where") as caught:
        rebuilt(premises).boxes.of(ANN).__enter__()
    assert caught.value.kind == "io-error"


def test_a_mailbox_is_made_again_from_its_bodies_alone() -> None:
    """All of them are in INBOX/Recovered, each named, octet by octet; UIDVALIDITY is above what it was."""
    premises = Premises()
    contents = [message(f"number {number}", id=f"{number}@x", answers="0@x") for number in range(120)]
    with premises.ann() as box:
        ids = [each.mail for each in box.put([NewMail("INBOX" if number % 2 else "Sent", each) for number, each in enumerate(contents)])]
        before = max(folder.uidvalidity for folder in box.folders())
    after = rebuilt(premises)
    after.now += 40 * DAY
    (owner,) = after.owners.find([ANN])
    assert owner is not None
    flaws = after.boxes.repair(owner)
    assert [(flaw.mail, flaw.folder, flaw.mended) for flaw in flaws] == [(id, "INBOX/Recovered", True) for id in ids]
    with after.ann() as box:
        folder = box.folder("INBOX/Recovered")
        assert folder is not None
        assert (folder.messages, folder.unseen) == (120, 120)
        assert min(each.uidvalidity for each in box.folders()) > before
        mails = box.mails(ids)
        assert [box.read(mail) for mail in mails if mail] == contents
        assert {mail.thread for mail in mails if mail} == {ids[0]}
        assert all(mail.received == put_at(mail.id) for mail in mails if mail)
        assert box.check(bodies=True) == []
    assert after.boxes.repair(owner) == []


def test_what_is_to_be_erased_is_not_recovered(premises: Premises) -> None:
    """Nor is what was deleted and is kept for a week."""
    with premises.ann() as box:
        put(box, many=2)
        box.expunge(1, marked=False)
        assert box.check(bodies=True, repair=True) == []
        assert box.folder("INBOX/Recovered") is None


def test_a_file_without_a_row_is_recovered(premises: Premises) -> None:
    """Before a sweep takes it: whoever repairs does not know why it is there."""
    with premises.ann() as box:
        stray = new_id(NOW)
        premises.bodies.put([NewBody(box.owner.id, stray, (message("stray"),))])
        assert box.check() == []
        (flaw,) = box.check(repair=True)
        assert flaw == ("it was in no folder", stray, "INBOX/Recovered", True)
        assert box.check(repair=True) == []


def damaged(box: OwnMailbox, id: str, change: Callable[[bytes], bytes | None]) -> None:
    kept = box.bodies.kept
    content = change(kept.read(box.owner.id, id))
    kept.remove(box.owner.id, [id])
    if content is not None:
        kept.put([NewBody(box.owner.id, id, (content,))])


@pytest.mark.parametrize(
    ("change", "what", "quickly"),
    [
        (lambda _: None, "its body is gone", True),
        (lambda content: content[:-1], "its body has", True),
        (lambda content: b"X" + content[1:], "its body is not what was put there", False),
        (lambda content: b"", "its body has 0 octets", True),
    ],
    ids=["missing", "truncated", "flipped", "empty"],
)
def test_a_body_that_is_not_what_was_put_there_is_said_of_its_message(
    premises: Premises, change: Callable[[bytes], bytes | None], what: str, quickly: bool
) -> None:
    """The folder opens, the others are read; nothing is thrown away for it, and it is said each time."""
    with premises.ann() as box:
        ids = put(box, many=3)
        damaged(box, ids[1], change)
        mails = box.mails(ids)
        assert all(mails)
        for mail in mails:
            assert mail is not None
            if mail.id == ids[1]:
                with pytest.raises(BodyLost, match=ids[1]):
                    box.read(mail)
                assert box.read(mail, 0, 0) == b""
            else:
                assert box.read(mail).startswith(b"From")
        if not premises.encrypted:  # an encrypted body is a little larger, by some octets or others
            assert bool(box.check()) == quickly
        for repair in (False, True, False):
            (flaw,) = box.check(bodies=True, repair=repair)
            assert flaw.mail == ids[1]
            assert premises.encrypted or flaw.what.startswith(what)
            assert not flaw.mended
        assert len(box.entries(1)) == 3


def test_bodies_that_were_exchanged_are_told_apart() -> None:
    """By their digests."""
    premises = Premises()
    with premises.ann() as box:
        one, two = (each.mail for each in box.put([NewMail("INBOX", message("one")), NewMail("INBOX", message("two"))]))
        kept = premises.bodies
        assert isinstance(kept, MemoryBodies)
        contents = [kept.read(box.owner.id, each) for each in (one, two)]
        kept.replace([NewBody(box.owner.id, id, (content,)) for id, content in zip((two, one), contents, strict=True)])
        assert {flaw.mail for flaw in box.check(bodies=True)} == {one, two}


def test_a_piece_of_a_large_message_is_read_alone() -> None:
    """It is not proved, but one that is too short is noticed."""
    premises = Premises()
    with premises.ann() as box:
        content = message(text="x" * (1 << 20))
        (put,) = box.put([NewMail("INBOX", content, prefix=b"X: y\r\n")])
        (mail,) = box.mails([put.mail])
        assert mail is not None
        asked: list[tuple[int, int | None]] = []
        read = premises.bodies.read
        premises.bodies.read = lambda *what: (asked.append(what[2:]), read(*what))[1]  # type: ignore[method-assign, assignment]
        assert box.read(mail, 2, 1000) == (b"X: y\r\n" + content)[2:1002]
        assert box.read(mail, 500_000, 1000) == content[500_000 - 6 :][:1000]
        assert asked == [(0, 996), (499_994, 1000)]
        damaged(box, put.mail, lambda content: content[:1000])
        with pytest.raises(BodyLost, match="shorter"):
            box.read(mail, 900, 500)


def test_without_the_text_that_is_searched_nothing_is_lost(premises: Premises) -> None:
    """It is made from the messages; deleting it loses speed alone."""
    with premises.ann() as box:
        ids = put(box, many=3)
        alter(box, "DELETE FROM text")
        assert box.check(bodies=True) == []
        assert all(box.read(mail) for mail in box.mails(ids) if mail)


def test_memory_forgets_all_when_it_is_told_to() -> None:
    """As an owner's rows are when he has been gone for long."""
    engine = MemoryEngine()
    engine.change(lambda rows: rows.change("INSERT INTO erase (owner, mail, after) VALUES (1, 'x', 1)"))
    engine.forget()
    assert engine.read(lambda rows: rows.run("SELECT * FROM erase")) == []
