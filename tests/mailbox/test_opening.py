"""A folder that is opened, and a message that takes the place of another."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import UNBOUNDED, NewMail, NoFolder, OverQuota, Quota

from .premises import Premises, message, number_of, put, uids


def test_a_folder_is_told_at_one_moment(premises: Premises) -> None:
    """Its numbers, its UIDs, its keywords, and the first message that is unseen."""
    with premises.ann() as box:
        put(box, many=5)
        inbox = number_of(box, "INBOX")
        box.flag(inbox, ((1, 2),), "add", Flag.SEEN, ("$Forwarded",))
        found = box.opened("inbox")
        assert (found.folder, list(found.uids), list(found.keywords), found.unseen) == (
            box.folder("INBOX"),
            [1, 2, 3, 4, 5],
            ["$Forwarded"],
            3,
        )
        assert found.changes is None


def test_where_all_is_seen_none_is_the_first(premises: Premises) -> None:
    """Also in a folder that is empty."""
    with premises.ann() as box:
        put(box, many=3, flags=Flag.SEEN)
        assert box.opened("INBOX").unseen == box.opened("Drafts").unseen == 0


def test_what_is_new_is_of_the_same_moment(premises: Premises) -> None:
    """For a client who knows the folder from before."""
    with premises.ann() as box:
        put(box, many=3)
        known = box.opened("INBOX").folder.modseq
        box.expunge(number_of(box, "INBOX"), ((2, 2),), marked=False)
        box.flag(number_of(box, "INBOX"), ((3, 3),), "add", Flag.FLAGGED)
        news = box.opened("INBOX", known).changes
        assert news is not None
        assert ([each.uid for each in news.entries], list(news.vanished)) == ([3], [2])


def test_a_folder_that_is_not_there_is_not_opened(premises: Premises) -> None:
    """And what cannot be a name is no folder either."""
    with premises.ann() as box:
        for name in ("Nowhere", "a//b", ""):
            with pytest.raises(NoFolder):
                box.opened(name)


def test_a_change_of_flags_says_what_was_before(premises: Premises) -> None:
    """Whoever knew the folder then knows all of it now."""
    with premises.ann() as box:
        put(box)
        before = box.opened("INBOX").folder.modseq
        done = box.flag(number_of(box, "INBOX"), None, "add", Flag.SEEN)
        assert (done.before, done.modseq) == (before, box.opened("INBOX").folder.modseq)


def test_a_message_takes_the_place_of_another(premises: Premises) -> None:
    """In one step, and in another folder as well."""
    with premises.ann() as box:
        put(box, "Drafts", many=2)
        drafts = number_of(box, "Drafts")
        [done] = box.put([NewMail("Drafts", message("second thoughts"))], instead=(drafts, 1))
        assert (done.uid, uids(box, "Drafts")) == (3, [2, 3])
        box.put([NewMail("Sent", message("sent"))], instead=(drafts, 3))
        assert (uids(box, "Drafts"), uids(box, "Sent")) == ([2], [1])
        assert box.usage().messages == 2


def test_a_message_that_is_gone_is_replaced_by_none(premises: Premises) -> None:
    """Nor is one by what cannot be put."""
    with premises.ann() as box:
        put(box, "Drafts")
        drafts = number_of(box, "Drafts")
        with pytest.raises(Problem, match="is gone"):
            box.put([NewMail("Drafts", message())], instead=(drafts, 2))
        with pytest.raises(NoFolder):
            box.put([NewMail("Nowhere", message())], instead=(drafts, 1))
        with pytest.raises(OverQuota):
            box.put([NewMail("Drafts", message(text="long " * 1000))], Quota(1000), instead=(drafts, 1))
        assert uids(box, "Drafts") == [1]


def test_a_full_mailbox_has_room_for_what_replaces(premises: Premises) -> None:
    """What goes makes room for what comes."""
    with premises.ann() as box:
        put(box, "Drafts")
        full = Quota(messages=1)
        with pytest.raises(OverQuota):
            box.put([NewMail("Drafts", message())], full)
        box.put([NewMail("Drafts", message())], full, instead=(number_of(box, "Drafts"), 1))
        box.put([NewMail("Drafts", message())], UNBOUNDED)
        assert uids(box, "Drafts") == [2, 3]
