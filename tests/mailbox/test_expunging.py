"""Messages are taken out of a folder, and what clients are told of it."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mailbox.api import BodyLost, NewMail, NoFolder

from .premises import DAY, Premises, number_of, put, uids


def test_what_is_marked_goes(premises: Premises) -> None:
    """Of all, or of some (RFC 4315 §2.1); the others stay."""
    with premises.ann() as box:
        put(box, many=4)
        box.flag(1, [(1, 3)], "add", Flag.DELETED)
        modseq, gone = box.expunge(1, [(2, 9)])
        assert gone == [2, 3]
        assert uids(box, "INBOX") == [1, 4]
        assert box.changes(1, modseq - 1).vanished == [2, 3]
        assert box.expunge(1) == (modseq + 1, [1])
        assert box.expunge(1) == (modseq + 1, ())
        assert box.usage().messages == 1


def test_what_is_not_marked_goes_where_that_is_asked(premises: Premises) -> None:
    """As POP3 does, and a rule that discards."""
    with premises.ann() as box:
        put(box, many=3)
        assert box.expunge(1, [(1, 2)], marked=False)[1] == [1, 2]
        assert box.expunge(1, [(1, 2)], marked=False)[1] == ()


def test_a_uid_is_never_given_again(premises: Premises) -> None:
    """Not even that of the newest message, when it is gone; RFC 9051 §2.3.1.1."""
    with premises.ann() as box:
        for number in range(1, 4):
            put(box)
            assert uids(box, "INBOX") == [number]
            box.expunge(1, marked=False)


def test_a_body_stays_while_somebody_may_still_ask_for_it(premises: Premises) -> None:
    """A session that has not been told reads it; after a week the file is gone, and that is said of it alone."""
    with premises.ann() as box:
        mails = put(box, many=2)
        one, two = box.mails(mails)
        assert one is not None
        assert two is not None
        box.expunge(1, [(1, 1)], marked=False)
        assert box.mails(mails) == [one, two]
        assert box.read(one)
        assert box.sweep(premises.now + 6 * DAY) == 0
        assert box.read(one)
        assert box.sweep(premises.now + 8 * DAY) == 1
        with pytest.raises(BodyLost, match=f"the body of the message {one.id} is gone"):
            box.read(one)
        assert box.mails(mails) == [None, two]
        assert box.read(two)
        assert box.check(bodies=True) == []


def test_what_is_elsewhere_as_well_stays(premises: Premises) -> None:
    """Until it is in no folder."""
    with premises.ann() as box:
        (mail,) = put(box)
        done = box.copy(1, None, "Archive")
        box.expunge(1, marked=False)
        box.sweep(premises.now + 8 * DAY)
        (found,) = box.mails([mail])
        assert found is not None
        assert box.read(found)
        box.expunge(done.folder, marked=False)
        box.sweep(premises.now + 8 * DAY)
        assert list(premises.bodies.listing(box.owner.id)) == []


def test_nothing_goes_from_what_is_not_there(premises: Premises) -> None:
    """It is said."""
    with premises.ann() as box, pytest.raises(NoFolder):
        box.expunge(99)


def test_a_client_who_was_away_is_told_what_is_new(premises: Premises) -> None:
    """RFC 7162 §3.2: what came or changed, and what went; of what it has already, nothing."""
    with premises.ann() as box:
        put(box, many=4)
        known = box.changes(1, 0)
        assert ([entry.uid for entry in known.entries], known.vanished, known.whole) == ([1, 2, 3, 4], [], False)
        since = known.folder.modseq
        assert box.changes(1, since)[1:] == ((), (), False)
        box.flag(1, [(2, 2)], "add", Flag.SEEN)
        put(box)
        box.expunge(1, [(3, 3)], marked=False)
        put(box, "Sent")
        new = box.changes(1, since)
        assert ([entry.uid for entry in new.entries], new.vanished, new.whole) == ([2, 5], [3], False)
        assert new.folder.modseq == since + 3


def test_who_was_away_for_too_long_compares_himself(premises: Premises) -> None:
    """What went is remembered for 90 days; to a MODSEQ of before that, all that there is is told."""
    with premises.ann() as box:
        put(box, many=3)
        since = box.changes(1, 0).folder.modseq
        box.expunge(1, [(2, 2)], marked=False)
        box.sweep(premises.now + 89 * DAY)
        assert not box.changes(1, since).whole
        box.sweep(premises.now + 91 * DAY)
        told = box.changes(1, since)
        assert (told.whole, [entry.uid for entry in told.entries], told.vanished) == (True, [1, 3], ())
        assert told.folder.floor == since + 1
        assert not box.changes(1, since + 1).whole


def test_pop3_has_names_that_stay(premises: Premises) -> None:
    """RFC 1939 §7: those of elsewhere where they were brought along, else the ID, also over a move and a restore; each once in a folder."""
    with premises.ann() as box:
        put(box, uidl="from-elsewhere")
        [other] = put(box)
        [odd] = put(box, uidl="two words")
        box.copy(1, [(2, 2)], "INBOX")
        assert box.uidls(1) == [(1, "from-elsewhere"), (2, other), (3, odd), (4, "6b0eb91800000004")]
        box.renumber()
        assert box.uidls(1)[:3] == [(1, "from-elsewhere"), (2, other), (3, odd)]
        box.move(1, [(1, 1)], "Archive")
        assert box.uidls(number_of(box, "Archive")) == [(1, "from-elsewhere")]
        with pytest.raises(NoFolder):
            box.uidls(99)


def test_octets_are_those_that_are_sent(premises: Premises) -> None:
    """RFC 1939 §11: what has other line ends than CRLF gets them on its way; it is counted when it comes, and forgotten when it goes."""
    contents = [b"a: b\r\n\r\nc\r\n", b"a: b\n\nc\n", b"a: b\r\n\r\nc", b"a: b\n\rc\r"]
    with premises.ann() as box:
        box.put([NewMail("INBOX", content, b"x: y\r\n") for content in contents])
        assert [octets - 6 for _, octets, _ in box.maildrop(1)] == [11, 11, 11, 11]
        box.copy(1, [(2, 2)], "INBOX")
        assert [octets - 6 for _, octets, _ in box.maildrop(1)] == [11, 11, 11, 11, 11]
        box.expunge(1, marked=False)
        assert box.maildrop(1) == []
        box.sweep(premises.now + 90 * DAY)
        assert not box.engine.read(lambda rows: rows.run("SELECT mail FROM uneven WHERE owner = ?", (box.engine.owner,)))
        with pytest.raises(NoFolder):
            box.maildrop(99)
