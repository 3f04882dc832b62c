"""Some columns of many messages, over each engine."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mailbox import fetched
from mailer.mailbox.api import Mail, StoredMail

from .premises import Premises, put

ALL = (*fetched.OF_ENTRY, *fetched.OF_MAIL)


def test_a_row_has_the_uid_and_what_was_asked_in_that_order(premises: Premises) -> None:
    """Of the entry and of its message, as both are asked for elsewhere."""
    with premises.ann() as box:
        mails = put(box, many=2, flags=Flag.SEEN, keywords=("a", "b"))
        entries = box.entries(1)
        for row, id, entry in zip(box.fetched(1, None, ALL), mails, entries, strict=True):  # type: ignore[arg-type]
            (mail,) = box.mails([id])
            assert mail is not None
            said = dict(zip(("uid", *ALL), row, strict=True))
            assert said["uid"] == entry.uid
            assert (said["flags"], said["keywords"], said["mail"]) == (1, "a b", id)
            assert (said["modseq"], said["saved"]) == (entry.modseq, entry.saved)
            assert {name: said[name] for name in fetched.OF_MAIL} == {name: getattr(mail, name) for name in fetched.OF_MAIL}
        sizes = [mail.size for mail in box.mails(mails) if mail is not None]
        assert box.fetched(1, None, ("size", "flags")) == [(1, sizes[0], 1), (2, sizes[1], 1)]
        assert [b"".join(header.split(b"\0")[1:]) for _, header in box.fetched(1, None, ("header",))] == [
            box.read(mail)[: box.read(mail).index(b"\r\n\r\n") + 4] for mail in box.mails(mails) if mail is not None
        ]
        assert box.fetched(1, None, ()) == [(1,), (2,)]


def test_what_is_read_needs_no_more_than_the_columns(premises: Premises) -> None:
    """A message is read by what says where it is and proves it, as the whole row of it would."""
    with premises.ann() as box:
        put(box)
        ((_, *said),) = box.fetched(1, [(1, 1)], ("mail", "size", "prefix", "key_number", "digest"))
        (mail,) = box.mails([said[0]])
        assert isinstance(mail, Mail)
        assert box.read(StoredMail(*said)) == box.read(mail)
        assert box.read(StoredMail(*said), 5, 7) == box.read(mail)[5:12]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_uids_are_few_spans_or_many(premises: Premises, step: int) -> None:
    """Those that are not there fall out, in one answer in the order of UIDs."""
    with premises.ann() as box:
        put(box, many=100)
        box.expunge(1, [(7, 9)], marked=False)
        uids = [(uid, uid) for uid in range(1, 120, step)]
        there = [uid for uid in range(1, 101, step) if not 7 <= uid <= 9]
        assert [row[0] for row in box.fetched(1, uids, ("size",))] == there
        assert [row[0] for row in box.fetched(1, uids[:10], ())] == [uid for uid in there if uid <= uids[9][0]]
        assert box.fetched(1, [], ("flags",)) == []
        assert box.fetched(99, None, ("flags",)) == []


def test_no_other_column_can_be_asked_for(premises: Premises) -> None:
    """What is no column of these is a mistake of whoever asks, and never becomes part of a statement."""
    with premises.ann() as box, pytest.raises(ValueError, match="no columns"):
        box.fetched(1, None, ("uid; DROP TABLE mail",))  # type: ignore[arg-type]
