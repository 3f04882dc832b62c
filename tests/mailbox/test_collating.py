"""What messages are sorted and threaded by is told in one question, over each engine, and made anew where somebody has deleted it."""

from __future__ import annotations

import pytest

from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mail.query import Contains, Every, Has
from mailer.mailbox.api import NewMail, SearchTooLong
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.collating import SORTED, ids_of

from .premises import Premises, number_of, put

SUN = """\
From: =?utf-8?q?Zo=C3=AB?= <Carol@example.org>, second@example.org
To: "Anna, the first" <anna@example.net>
Cc: friends: dave@example.org;
Date: Sat, 21 Nov 2026 23:15:29 -0500
Subject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?= (fwd)
Message-ID: <c@x>
References: <a@x> <b@x>
In-Reply-To: <z@x>

text
"""
MOON = """\
From: bob@example.org
Subject: [list] other
In-Reply-To: <a@x> <b@x>

text
"""


def filled(premises: Premises) -> OwnMailbox:
    """A mailbox with two messages."""
    with premises.ann() as box:
        box.put([NewMail("INBOX", each.replace("\n", "\r\n").encode(), received=1000.0 + nth) for nth, each in enumerate((SUN, MOON))])
        return box


def test_columns_are_as_they_are_compared(premises: Premises) -> None:
    """RFC 5256 §3: the base subject, the first mailboxes, the time in the zone of its writer; RFC 5957 §3: names, or else addresses."""
    box = filled(premises)
    folder = number_of(box, "INBOX")
    first, second = box.collated(folder, None, ("sent", "received", "size", "subject", "sender", "recipient", "copied", "answers"))
    assert first == (1, 1_795_320_929.0, 1000.0, len(SUN.replace("\n", "\r\n")), "GRU\u0308ßE", "CAROL", "ANNA", "FRIENDS", 1)
    assert second == (2, 1001.0, 1001.0, len(MOON.replace("\n", "\r\n")), "OTHER", "BOB", "", "", 0)
    assert box.collated(folder, ((2, 9),), ("shown_sender", "shown_recipient")) == [(2, "BOB@EXAMPLE.ORG", "")]
    assert box.collated(folder, ((1, 1),), ("shown_sender", "shown_recipient")) == [(1, "ZOE\u0308", "ANNA, THE FIRST")]


def test_references_are_told(premises: Premises) -> None:
    """RFC 5256 §3: those of References, and the first of In-Reply-To where there are none; a message without an ID has none."""
    box = filled(premises)
    (_, sun), (_, moon) = box.collated(number_of(box, "INBOX"), None, ("ids",))
    own, *ancestors = ids_of(sun)
    assert own
    assert len(ancestors) == 2
    assert [*ids_of(moon)] == [0, ancestors[0]]


@pytest.mark.parametrize("quoted", ['"01KF8"@x', r'"01\KF\8"@x', '"01"KF"8"@x', '""01KF8@x'])
def test_a_message_id_is_the_same_however_it_is_quoted(premises: Premises, quoted: str) -> None:
    """RFC 5256 §3, REFERENCES: quoting makes no difference, what is quoted does."""
    asked = (quoted, "01KF8@x", '"01kf8"@x', r'"01KF\\8"@x')
    with premises.ann() as box:
        box.put([NewMail("INBOX", f"Message-ID: <{id}>\r\n\r\n".encode()) for id in asked])
    (mine,), (plain,), (other,), (stroke,) = (ids_of(ids) for _, ids in box.collated(number_of(box, "INBOX"), None, ("ids",)))
    assert mine == plain
    assert len({plain, other, stroke}) == 3


def test_what_was_deleted_is_made_anew(premises: Premises) -> None:
    """As in a mailbox that an older version has made."""
    box = filled(premises)
    folder = number_of(box, "INBOX")
    before = box.collated(folder, None, SORTED)
    box.engine.change(lambda rows: rows.change("DELETE FROM collated WHERE owner = ?", (box.engine.owner,)))
    assert box.collated(folder, None, SORTED) == before


def test_a_message_whose_body_is_lost_is_put_in_order_all_the_same(premises: Premises) -> None:
    """As one that says nothing."""
    box = filled(premises)
    folder = number_of(box, "INBOX")
    box.bodies.remove([box.entries(folder)[0].mail])
    box.engine.change(lambda rows: rows.change("DELETE FROM collated WHERE owner = ?", (box.engine.owner,)))
    assert [row[1] for row in box.collated(folder, None, ("subject",))] == ["", "OTHER"]


def test_many_spans_are_told_as_few_are(premises: Premises) -> None:
    """Each second message."""
    with premises.ann() as box:
        put(box, many=60)
        spans = [(uid, uid) for uid in range(1, 60, 2)]
        assert [row[0] for row in box.collated(number_of(box, "INBOX"), spans, ("sent",))] == [*range(1, 60, 2)]
        assert box.collated(number_of(box, "INBOX"), (), ("sent",)) == []


def test_what_is_swept_is_not_kept(premises: Premises) -> None:
    """A row goes with its message."""
    box = filled(premises)
    box.expunge(number_of(box, "INBOX"), None, marked=False)
    premises.now += 100 * 86400.0
    premises.boxes.sweep(premises.now)
    assert box.engine.read(lambda rows: rows.run("SELECT COUNT(*) FROM collated WHERE owner = ?", (box.engine.owner,))) == [(0,)]


def test_nothing_else_is_asked_for() -> None:
    """A column is one of those that there are."""
    with Premises().ann() as box, pytest.raises(ValueError, match="no columns"):
        box.collated(1, None, ("subject FROM mail; --",))  # type: ignore[arg-type]


def test_uids_are_found(premises: Premises) -> None:
    """In one folder, ascending, without their entries."""
    with premises.ann() as box:
        put(box, many=30)
        put(box, "Archive", many=5)
        folder = number_of(box, "INBOX")
        box.flag(folder, [(3, 3), (9, 12)], "add", Flag.SEEN)
        assert [*box.found(folder, Has(Flag.SEEN))] == [3, 9, 10, 11, 12]
        assert len(box.found(folder, Every(()))) == 30
        assert [*box.found(number_of(box, "Archive"), Contains("header", "number 3", "subject"))] == [4]
        assert not box.found(folder, Contains("text", "nowhere"))


def test_a_search_has_its_time(premises: Premises) -> None:
    """Whoever has no patience is told."""
    with premises.ann() as box:
        put(box, many=3)
        with pytest.raises(SearchTooLong) as caught:
            box.found(number_of(box, "INBOX"), Contains("text", "words"), -1.0)
        assert isinstance(caught.value, Problem)
