"""Messages in one more folder, and in another instead."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mailbox.api import NoFolder

from .premises import NOW, Premises, number_of, put, uids


def test_a_copy_is_the_same_message_in_two_folders(premises: Premises) -> None:
    """With its flags and keywords; it counts once, and no octet is written."""
    with premises.ann() as box:
        mails = put(box, many=3, flags=Flag.SEEN | Flag.DELETED, keywords=("k",))
        usage = box.usage()
        premises.now += 5
        done = box.copy(1, [(2, 3)], "Archive")
        archive = box.folder("Archive")
        assert archive is not None
        assert done == (archive.id, archive.uidvalidity, archive.modseq, [(2, 1), (3, 2)])
        there = box.entries(archive.id)
        assert [(entry.mail, entry.flags, entry.keywords, entry.saved) for entry in there] == [
            (mail, Flag.SEEN | Flag.DELETED, ("k",), NOW + 5) for mail in mails[1:]
        ]
        assert (archive.messages, archive.unseen, archive.deleted) == (2, 0, 2)
        assert box.usage() == usage
        assert len(list(premises.bodies.listing(box.owner.id))) == 3
        box.flag(archive.id, None, "set", Flag(0))
        assert [entry.flags for entry in box.entries(1)] == [Flag.SEEN | Flag.DELETED] * 3


def test_a_copy_into_its_own_folder_is_there_twice(premises: Premises) -> None:
    """With another UID; one of them may go."""
    with premises.ann() as box:
        (mail,) = put(box)
        assert box.copy(1, None, "INBOX").pairs == [(1, 2)]
        box.expunge(1, [(1, 1)], marked=False)
        assert [entry.mail for entry in box.entries(1)] == [mail]
        assert box.usage().messages == 1


def test_a_moved_message_is_there_and_not_here(premises: Premises) -> None:
    """And both folders say so to whoever knew them."""
    with premises.ann() as box:
        mails = put(box, many=3)
        done = box.move(1, [(1, 1), (3, 3)], "Trash")
        assert done.pairs == [(1, 1), (3, 2)]
        assert uids(box, "INBOX") == [2]
        assert [entry.mail for entry in box.entries(done.folder)] == [mails[0], mails[2]]
        assert box.changes(1, 2).vanished == [1, 3]
        assert box.usage().messages == 3
        assert {folder for _, folder, modseq in premises.told if modseq == done.modseq} == {1, done.folder}


def test_a_move_into_its_own_folder_gives_new_uids(premises: Premises) -> None:
    """RFC 6851 §3.3 allows it; nothing is lost or doubled."""
    with premises.ann() as box:
        mails = put(box, many=2)
        assert box.move(1, None, "INBOX").pairs == [(1, 3), (2, 4)]
        assert [(entry.uid, entry.mail) for entry in box.entries(1)] == [(3, mails[0]), (4, mails[1])]


def test_nothing_goes_where_nothing_is(premises: Premises) -> None:
    """To a folder that is not there, or was deleted, or from one; and of no message nothing is told."""
    with premises.ann() as box:
        put(box)
        gone = box.create("gone")
        box.delete("gone")
        for folder, to in ((1, "gone"), (1, "never"), (gone.id, "Sent"), (99, "Sent")):
            with pytest.raises(NoFolder):
                box.move(folder, None, to)
            with pytest.raises(NoFolder):
                box.copy(folder, None, to)
        assert uids(box, "INBOX") == [1]
        told = len(premises.told)
        assert box.move(1, [(5, 9)], "Sent").pairs == []
        assert len(premises.told) == told


def test_moving_judges(premises: Premises) -> None:
    """To Junk: spam; from there to anywhere but Trash: ham; within, and to Trash: nothing. Each is told once, until its reverse."""
    with premises.ann() as box:
        a, b, c = put(box, many=3)
        junk = number_of(box, "Junk")
        id = box.owner.id
        box.move(1, None, "Junk")
        assert premises.judged == [(id, a, "spam"), (id, b, "spam"), (id, c, "spam")]
        box.move(junk, [(1, 1)], "Trash")
        box.move(junk, [(2, 2)], "INBOX")
        box.move(1, None, "Junk")
        box.copy(junk, [(3, 3)], "Archive")
        assert premises.judged[3:] == [(id, b, "ham"), (id, b, "spam"), (id, c, "ham")]


def test_what_was_put_into_junk_was_judged_by_nobody(premises: Premises) -> None:
    """A filter did that, who has not to be told."""
    with premises.ann() as box:
        put(box, "Junk")
        assert premises.judged == []
