"""Folders: made, renamed, deleted, with numbers that no client ever sees twice."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox import subscriptions
from mailer.mailbox.api import LAST_UID, ROLES, Folder, NewMail, NoFolder

from .premises import DAY, NOW, Premises, message, number_of, put, uids


def test_a_new_mailbox_has_the_folders_that_people_know(premises: Premises) -> None:
    """Each with its role, subscribed, with a UIDVALIDITY of its own that begins when the mailbox was made."""
    with premises.ann() as box:
        found = box.folders()
        assert [folder.name for folder in found] == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
        assert {folder.role: folder.name for folder in found} == ROLES
        assert sorted(folder.uidvalidity for folder in found) == [int(NOW) + number for number in range(6)]
        assert found[0] == Folder(1, "INBOX", "inbox", int(NOW), 1, 2, 0, subscribed=True, messages=0, unseen=0, deleted=0, octets=0)
        assert box.with_role("trash") == box.folder("Trash")
        assert box.with_role("") is None


def test_a_folder_is_made_with_those_above_it(premises: Premises) -> None:
    """All of them are there, and the inbox is one however its letters are written."""
    with premises.ann() as box:
        made = box.create("inbox/a/b", subscribed=False)
        assert (made.name, made.subscribed, made.uidnext) == ("INBOX/a/b", False, 1)
        assert [folder.name for folder in box.folders()][:3] == ["INBOX", "INBOX/a", "INBOX/a/b"]
        assert box.folder("InBoX/a/b") == made
        assert box.folder("INBOX/A/b") is None


@pytest.mark.parametrize("name", ["INBOX", "inbox", "Sent", "a"])
def test_a_folder_that_is_there_is_not_made_again(premises: Premises, name: str) -> None:
    """That is said, and nothing changes."""
    with premises.ann() as box:
        box.create("a")
        before = box.folders()
        with pytest.raises(Problem, match=r"there is a folder '.*' already") as caught:
            box.create(name)
        assert caught.value.kind == "bad-message"
        assert box.folders() == before


def test_names_that_look_alike_are_one(premises: Premises) -> None:
    """The composed and the decomposed letter; each name comes back as it was given."""
    with premises.ann() as box:
        box.create("e\u0301te\u0301/a")
        assert box.folder("\xe9t\xe9") is not None
        with pytest.raises(Problem, match="already"):
            box.create("\xe9t\xe9")
        assert box.create("\xe9t\xe9/b").name == "e\u0301te\u0301/b"
        with pytest.raises(Problem, match="cannot be in itself"):
            box.rename("e\u0301te\u0301", "\xe9t\xe9/c")


def test_a_role_has_one_folder(premises: Premises) -> None:
    """RFC 6154 §3: a folder for sent mail is not made beside the one that is there; where there is none, it is."""
    with premises.ann() as box:
        with pytest.raises(Problem, match="the folder 'Sent' is the one for sent already"):
            box.create("Sent Messages", role="sent")
        box.delete("Sent")
        assert box.create("Sent Messages", role="sent").role == "sent"
        assert box.with_role("sent") == box.folder("Sent Messages")


def test_a_renamed_folder_keeps_its_numbers(premises: Premises) -> None:
    """With what is below it, under parents that are made; its messages never notice."""
    with premises.ann() as box:
        box.create("a/b/c")
        mails = put(box, "a/b", 3)
        before = {folder.id: folder for folder in box.folders()}
        renamed = box.rename("a/b", "x/y")
        assert renamed.name == "x/y"
        after = {folder.id: folder for folder in box.folders()}
        assert [after[folder.id].name for folder in before.values() if folder.name.startswith("a")] == ["a", "x/y", "x/y/c"]
        assert {id: (each.uidvalidity, each.uidnext, each.messages) for id, each in before.items()} == {
            id: (each.uidvalidity, each.uidnext, each.messages) for id, each in after.items() if id in before
        }
        assert [entry.mail for entry in box.entries(renamed.id)] == mails


def test_names_are_exchanged_within_a_tree(premises: Premises) -> None:
    """A folder goes into the place of one that was in it."""
    with premises.ann() as box:
        for name in ("a/a/a", "b/1", "1"):
            box.create(name)
        box.rename("a/a", "c")
        box.rename("a", "c/a/b")
        assert {folder.name for folder in box.folders()} >= {"c", "c/a", "c/a/b"}
        assert box.rename("b", "B").name == "B"
        assert box.folder("B/1") is not None


@pytest.mark.parametrize(
    ("name", "to", "kind"),
    [
        ("nothing", "x", "no-such"),
        ("a", "b", "bad-message"),
        ("a", "a/x", "usage"),
        ("a", "x//y", "usage"),
        ("a/b", "INBOX", "bad-message"),
    ],
)
def test_what_cannot_be_renamed_stays(premises: Premises, name: str, to: str, kind: str) -> None:
    """That is said, and nothing changes."""
    with premises.ann() as box:
        box.create("a/b")
        box.create("b")
        before = box.folders()
        with pytest.raises(Problem) as caught:
            box.rename(name, to)
        assert caught.value.kind == kind
        assert box.folders() == before


def test_a_name_may_be_given_again(premises: Premises) -> None:
    """To itself that is no change of it."""
    with premises.ann() as box:
        made = box.create("a/b")
        assert box.rename("a/b", "a/b")[:5] == made[:5]


def test_of_a_renamed_inbox_the_messages_go(premises: Premises) -> None:
    """RFC 9051 §6.3.6: the inbox stays, with what is below it, and its messages are in the new folder."""
    with premises.ann() as box:
        box.create("INBOX/below")
        mails = put(box, many=3, flags=Flag.SEEN)
        new = box.rename("inbox", "old/mail")
        assert [entry.mail for entry in box.entries(new.id)] == mails
        assert (new.messages, new.unseen) == (3, 0)
        inbox = box.folder("INBOX")
        assert inbox is not None
        assert (inbox.messages, inbox.uidnext, inbox.role) == (0, 4, "inbox")
        assert box.folder("INBOX/below") is not None
        assert box.changes(inbox.id, 2).vanished == [1, 2, 3]


def test_a_deleted_folder_comes_back_with_a_higher_uidvalidity(premises: Premises) -> None:
    """RFC 9051 §2.3.1.1; its messages are gone, but those that are elsewhere as well."""
    with premises.ann() as box:
        first = box.create("a")
        here, _ = put(box, "a", 2)
        box.copy(first.id, [(1, 1)], "Archive")
        usage = box.usage()
        box.delete("a")
        assert box.folder("a") is None
        assert box.usage().messages == 1 == usage.messages - 1
        assert [entry.mail for entry in box.places([here])] == [here]
        second = box.create("a")
        assert second.uidvalidity > first.uidvalidity
        assert second.id != first.id
        assert uids(box, "a") == []
        with pytest.raises(NoFolder):
            box.changes(first.id, 0)
        with pytest.raises(NoFolder):
            box.flag(first.id, None, "add", Flag.SEEN)


def test_the_inbox_and_what_has_others_below_it_are_not_deleted(premises: Premises) -> None:
    """Nor is what is not there."""
    with premises.ann() as box:
        box.create("a/b")
        for name, kind in {"inbox": "usage", "a": "usage", "c": "no-such", "a//": "no-such"}.items():
            with pytest.raises(Problem) as caught:
                box.delete(name)
            assert caught.value.kind == kind


def test_a_subscription_is_of_the_folder(premises: Premises) -> None:
    """And saying it again changes nothing."""
    with premises.ann() as box:
        box.subscribe("Sent", False)
        assert [folder.name for folder in box.folders() if not folder.subscribed] == ["Sent"]
        modseq = premises.told[-1][2]
        box.subscribe("Sent", False)
        assert premises.told[-1][2] == modseq


def test_a_name_of_no_folder_is_subscribed(premises: Premises) -> None:
    """RFC 9051 §6.3.7: whoever makes the folder has it subscribed, spelled as he spells it, also as a parent of what he makes."""
    with premises.ann() as box:
        for name in ("e\u0301te\u0301/a", "b", "b"):
            box.subscribe(name, True)
        assert list(box.wanted()) == ["b", "e\u0301te\u0301/a"]
        assert premises.told[-1][1] == 0
        assert box.create("\xe9t\xe9/a/c", subscribed=False).subscribed is False
        assert {folder.name: folder.subscribed for folder in box.folders() if "\xe9" in folder.name} == {
            "\xe9t\xe9": False, "\xe9t\xe9/a": True, "\xe9t\xe9/a/c": False,
        }  # fmt: skip
        box.rename("\xe9t\xe9/a/c", "b")
        assert box.folder("b").subscribed is True  # type: ignore[union-attr]
        assert not box.wanted()


def test_a_name_stays_subscribed_without_its_folder(premises: Premises) -> None:
    """RFC 9051 §6.3.6, §6.3.7: when the folder is deleted, or called otherwise; until somebody unsubscribes it."""
    with premises.ann() as box:
        box.create("a/b")
        box.create("c", subscribed=False)
        box.delete("a/b")
        box.delete("c")
        assert list(box.wanted()) == ["a/b"]
        box.rename("a", "z")
        assert box.folder("z").subscribed is True  # type: ignore[union-attr]
        assert list(box.wanted()) == ["a", "a/b"]
        box.rename("z", "Z")
        for name in ("a", "a/b", "a/b", "z", "no//name"):
            box.subscribe(name, False)
        assert not box.wanted()


def test_names_of_no_folder_are_bounded(premises: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what cannot be a name is refused."""
    monkeypatch.setattr(subscriptions, "MOST", 2)
    with premises.ann() as box:
        for name in ("a", "b", "a"):
            box.subscribe(name, True)
        with pytest.raises(Problem, match="2 names of no folder are subscribed at most; unsubscribe one first"):
            box.subscribe("c", True)
        with pytest.raises(Problem, match="something before and behind each /"):
            box.subscribe("c//d", True)
        box.delete("Sent")
        assert list(box.wanted()) == ["a", "b"]


def test_an_import_brings_its_numbers(premises: Premises) -> None:
    """A folder that never had a message takes UIDVALIDITY and UIDs of elsewhere; what is made later is above."""
    with premises.ann() as box:
        assert box.number("Archive", 1_900_000_000, 17)[3:5] == (1_900_000_000, 17)
        box.put([NewMail("Archive", message(), uid=20), NewMail("Archive", message(), uid=5), NewMail("Archive", message())])
        assert uids(box, "Archive") == [20, 21, 22]
        assert box.create("new").uidvalidity > 1_900_000_000
        with pytest.raises(Problem, match="has had messages"):
            box.number("Archive", 5)
        for numbers in ((0, 1), (1, 0), (1 << 32, 1), (1, LAST_UID + 1)):
            with pytest.raises(Problem, match="leave no room"):
                box.number("Sent", *numbers)


def test_a_full_folder_says_so(premises: Premises) -> None:
    """The last UID is given, and none after it; what did not fit is nowhere."""
    with premises.ann() as box:
        box.number("Archive", 5, LAST_UID)
        put(box, "Archive")
        with pytest.raises(Problem, match="has no more UIDs; make a folder of another name"):
            put(box, "Archive")
        assert uids(box, "Archive") == [LAST_UID]
        assert box.usage().messages == 1
        assert box.check(bodies=True) == []


def test_after_a_restore_clients_forget_what_they_know(premises: Premises) -> None:
    """Every folder gets a UIDVALIDITY above all that there were."""
    with premises.ann() as box:
        before = {folder.id: folder.uidvalidity for folder in box.folders()}
        box.renumber()
        after = {folder.id: folder.uidvalidity for folder in box.folders()}
        assert min(after.values()) > max(before.values())
        assert len({*after.values()}) == 6
        premises.now += 30 * DAY
        box.renumber()
        assert min(folder.uidvalidity for folder in box.folders()) == int(premises.now)


def test_what_changed_is_told_when_it_is_there(premises: Premises) -> None:
    """The owner, the folder, and the MODSEQ; nothing is told of what failed."""
    with premises.ann() as box:
        made = box.create("a")
        assert premises.told[-1] == (box.owner.id, made.id, made.modseq)
        many = len(premises.told)
        with pytest.raises(Problem):
            box.create("a")
        assert len(premises.told) == many
        box.delete("a")
        assert premises.told[-1][1] == made.id


def test_one_thousand_folders_are_nothing_much(premises: Premises) -> None:
    """Each is found, and a name that none has is not."""
    with premises.ann() as box:
        for number in range(300):
            box.create(f"lists/{number // 10}/{number}")
        assert len(box.folders()) == 6 + 1 + 30 + 300
        assert number_of(box, "lists/29/299") > 300
