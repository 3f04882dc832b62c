"""Messages come into a mailbox: octet by octet, once, all or none, within the quota."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen, NewMail, NoFolder, OverQuota, Quota, Usage

from .premises import ANN, NOW, Premises, message, number_of, put, uids

ODD = b"From: x\nSubject: bare line ends\n\nbare\rCR, \0, \xff\xfe, no end"


def test_a_message_comes_back_octet_by_octet(premises: Premises) -> None:
    """With the fields that were put on top of it, whole and in pieces, and of its size."""
    with premises.ann() as box:
        for content, prefix in ((message(), b""), (ODD, b"Delivered-To: ann@example.com\r\n"), (b"", b""), (b"", b"X: y\r\n")):
            (done,) = box.put([NewMail("INBOX", content, prefix=prefix)])
            (mail,) = box.mails([done.mail])
            assert mail is not None
            whole = prefix + content
            assert (box.read(mail), mail.size) == (whole, len(whole))
            for start, length in ((0, 5), (3, 40), (len(prefix), 10), (len(whole), 5), (len(whole) + 5, 5), (0, 0), (2, None)):
                assert box.read(mail, start, length) == whole[start:][:length]


def test_what_is_asked_often_is_kept(premises: Premises) -> None:
    """Subject, senders, times, what IMAP says of it, and where it is."""
    with premises.ann() as box:
        news = [NewMail("INBOX", message("R\xe9: hello", id="1@x"), flags=Flag.FLAGGED, keywords=("b", "a"), received=NOW - 5)]
        (done,) = box.put(news)
        (mail,) = box.mails([done.mail])
        assert mail is not None
        assert (mail.message_id, mail.sender, mail.recipients) == ("1@x", "Bob <bob@example.net>", "ann@example.com")
        assert (mail.received, mail.sent, mail.thread, mail.key_number) == (NOW - 5, 1796115600.0, mail.id, int(premises.encrypted))
        assert b"bob" in mail.envelope
        assert b"text" in mail.structure.lower()
        (entry,) = box.entries(done.folder)
        assert entry == (done.folder, 1, mail.id, Flag.FLAGGED, ("a", "b"), done.modseq, NOW)
        assert (done.uidvalidity, done.uid, done.fresh, done.usage) == (int(NOW), 1, True, Usage(mail.size, 1))
        assert box.mails(["0" * 26, mail.id]) == [None, mail]


def test_a_delivery_is_made_once(premises: Premises) -> None:
    """Who asks again is told where it is, whatever its owner has done with it, and nothing is kept twice."""
    with premises.ann() as box:
        new = NewMail("INBOX", message(), once=("01SPOOL", ANN))
        (first,) = box.put([new])
        box.move(first.folder, None, "Trash")
        (again,) = box.put([new])
        assert again == first._replace(fresh=False, modseq=again.modseq)
        assert box.usage().messages == 1
        box.expunge(number_of(box, "Trash"), marked=False)
        (again,) = box.put([new._replace(content=message("changed by the spool"))])
        assert (again.fresh, again.uid, again.mail) == (False, first.uid, first.mail)
        (other,) = box.put([new._replace(once=("01SPOOL", "other@example.com"))])
        assert other.fresh
        assert len(list(premises.bodies.listing(box.owner.id))) == 2


def test_one_delivery_into_several_folders_is_one_message(premises: Premises) -> None:
    """It counts once, and the second attempt is told of each place."""
    with premises.ann() as box:
        news = [NewMail(name, message(), once=("01SPOOL", ANN), made=True) for name in ("INBOX", "lists/a", "Archive")]
        done = box.put(news)
        assert len({each.mail for each in done}) == 1
        assert len({each.folder for each in done}) == 3
        assert box.usage() == Usage(len(message()), 1) == done[0].usage
        again = box.put(news)
        assert [(each.folder, each.uid, each.fresh) for each in again] == [(each.folder, each.uid, False) for each in done]
        assert [entry.folder for entry in box.places([done[0].mail])] == sorted(each.folder for each in done)


def test_messages_that_are_alike_are_several(premises: Premises) -> None:
    """Where nobody says that they are one: what a client appends twice is there twice."""
    with premises.ann() as box:
        done = box.put([NewMail("INBOX", message())] * 3)
        assert len({each.mail for each in done}) == 3
        assert [each.uid for each in done] == [1, 2, 3]
        assert {each.modseq for each in done} == {done[0].modseq}


def test_all_come_or_none(premises: Premises) -> None:
    """RFC 3502: where one cannot be put, no folder has changed, and no file is left."""
    with premises.ann() as box:
        before = box.folders()
        for bad in (NewMail("nothing", message()), NewMail("a//b", message(), made=True), NewMail("INBOX", message(), keywords=("a b",))):
            with pytest.raises(Problem):
                box.put([NewMail("INBOX", message()), bad])
            assert box.folders() == before
            assert list(premises.bodies.listing(box.owner.id)) == []
        with pytest.raises(NoFolder, match="there is no folder 'nothing'"):
            box.put([NewMail("nothing", message())])
        assert box.put([]) == ()


def test_a_missing_folder_is_made_if_that_is_wanted(premises: Premises) -> None:
    """With its parents."""
    with premises.ann() as box:
        box.put([NewMail("a/b", message(), made=True), NewMail("a/b", message(), made=True)])
        assert uids(box, "a/b") == [1, 2]
        assert uids(box, "a") == []


def test_a_quota_is_never_exceeded(premises: Premises) -> None:
    """In octets and in messages; what is refused leaves nothing, and what fits exactly is taken."""
    with premises.ann() as box:
        size = len(message())
        for quota in (Quota(octets=2 * size), Quota(messages=2)):
            put = box.put([NewMail("INBOX", message(), once=("a", ANN)), NewMail("INBOX", message())], quota)
            assert put[1].usage.messages == 2
            with pytest.raises(OverQuota, match="the mailbox is full: it may have"):
                box.put([NewMail("INBOX", message())], quota)
            assert not box.put([NewMail("INBOX", message(), once=("a", ANN))], quota)[0].fresh
            assert len(list(premises.bodies.listing(box.owner.id))) == 2
            box.expunge(put[0].folder, marked=False)
            assert box.usage() == Usage(0, 0)
            box.sweep(premises.now + 30 * 86400)
        with pytest.raises(OverQuota):
            box.put([NewMail("INBOX", message())] * 3, Quota(messages=2))


def test_a_message_of_several_folders_is_within_the_quota_once(premises: Premises) -> None:
    """As it counts."""
    with premises.ann() as box:
        news = [NewMail(name, message(), once=("a", ANN)) for name in ("INBOX", "Archive")]
        assert box.put(news, Quota(len(message()), 1))[0].usage.messages == 1


def test_a_message_is_had_in_one_more_folder(premises: Premises) -> None:
    """Even one that was deleted, while it is kept; it counts again then."""
    with premises.ann() as box:
        (mail,) = put(box)
        done = box.put_again(mail, "Sent", Flag.SEEN, ["x"])
        assert (done.mail, done.uid, done.usage.messages) == (mail, 1, 1)
        box.expunge(number_of(box, "INBOX"), marked=False)
        box.expunge(number_of(box, "Sent"), marked=False)
        assert box.usage() == Usage(0, 0)
        assert box.put_again(mail, "Archive").usage.messages == 1
        box.sweep(premises.now + 30 * 86400)
        (found,) = box.mails([mail])
        assert found is not None
        assert box.read(found).endswith(b"Some words.\r\n")
        with pytest.raises(NoFolder):
            box.put_again(mail, "nothing")
        with pytest.raises(Problem, match="there is no message 0000") as caught:
            box.put_again("0" * 26, "Sent")
        assert caught.value.kind == "no-such"


def test_a_frozen_mailbox_is_read_and_not_written(premises: Premises) -> None:
    """Until the time that was said; whoever had it open is told so, too."""
    with premises.ann() as box:
        put(box)
        frozen = premises.owners.put(box.owner._replace(state="frozen", until=NOW + 5))
        box.engine.change(lambda rows: rows.change("UPDATE account SET epoch = ? WHERE owner = ?", (frozen.epoch, box.engine.owner)))
        for _ in range(2):
            with pytest.raises(Frozen, match="is being moved, and can be written again in some seconds"):
                put(box)
        assert box.sweep(premises.now) == 0
        assert len(box.entries(1)) == 1
        assert len(list(premises.bodies.listing(box.owner.id))) == 1
        premises.now += 6
        put(box)
        assert box.usage().messages == 2


def test_an_older_epoch_writes_nothing(premises: Premises) -> None:
    """A process that has not heard that the mailbox was given to another asks who has it, and goes on if it still is the one."""
    other = premises.another()
    with premises.ann() as box, other.of(ANN) as elsewhere:
        newer = premises.owners.put(box.owner._replace(store=""))
        with premises.another().of(ANN) as third:
            assert third.owner == newer
            put(third)
        put(box)
        assert box.owner == newer
        premises.owners.put(newer._replace(store="north"))
        elsewhere.engine.change(lambda rows: rows.change("UPDATE account SET epoch = 3 WHERE owner = ?", (elsewhere.engine.owner,)))
        with pytest.raises(Problem, match="is not here any more; try again"):
            put(elsewhere)
    other.close()


def test_texts_that_no_database_takes_are_taken(premises: Premises) -> None:
    """A zero, half of a pair, and a subject that is longer than an index has room for."""
    with premises.ann() as box:
        contents = [message("a\0b"), message("=?utf-8?q?=00=ed=a0=80?="), message("x" * 5000), message("\xe9" * 3000, id="y" * 3000)]
        done = box.put([NewMail("INBOX", content) for content in contents])
        for each, content in zip(done, contents, strict=True):
            (mail,) = box.mails([each.mail])
            assert mail is not None
            assert "\0" not in mail.subject
            assert box.read(mail) == content
