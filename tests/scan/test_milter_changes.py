"""What a milter wants changed is done to a copy, all of it or nothing, and what it adds goes on top of a stranger's octets."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.message import Message, is_normal
from mailer.scan.milter_changes import MilterMail, MilterWish
from mailer.scan.opinion import ScanError

OURS = b"Authentication-Results: mx.example.com; none\r\n"
CONTENT = b"Received: from x\r\nReceived: from y\r\nSubject: a\r\n\tlong one\r\n\r\nbody\r\n"


def mail(ours: bytes = OURS) -> MilterMail:
    return MilterMail.of(ours, CONTENT)


def test_a_filter_is_shown_our_fields_first_and_folds_as_line_feeds() -> None:
    assert [*mail().shown(leading=False)] == [
        (b"Authentication-Results", b"mx.example.com; none"),
        (b"Received", b"from x"),
        (b"Received", b"from y"),
        (b"Subject", b"a\n\tlong one"),
    ]
    assert next(mail().shown(leading=True))[1] == b" mx.example.com; none"
    assert mail().body == b"body\r\n"


def test_what_is_added_leaves_the_message_as_it_was() -> None:
    """Wherever the filter wanted it: a signature of the stranger still holds."""
    changed = mail().changed(
        [MilterWish("h", b"X-Virus-Status", b"Clean"), MilterWish("i", b"X-First", b"a\n b", 0), MilterWish("i", b"X-Far", b"z", 99)]
    )
    assert changed.fields == b"X-First: a\r\n b\r\n" + OURS + b"X-Far: z\r\nX-Virus-Status: Clean\r\n"
    assert changed.content == CONTENT
    assert not changed.touched


def test_fields_are_changed_and_taken_away_by_name_and_number() -> None:
    changed = mail().changed(
        [MilterWish("m", b"received", b"from z", 2), MilterWish("m", b"Subject", b"", 1), MilterWish("m", b"X-New", b"n", 1)]
    )
    assert changed.content == b"Received: from x\r\nreceived: from z\r\n\r\nbody\r\n"
    assert changed.fields == OURS + b"X-New: n\r\n"
    assert changed.touched
    assert mail().changed([MilterWish("m", b"authentication-results", b"", 1)]).fields == b""


def test_what_was_just_added_counts_last() -> None:
    """So a filter that adds its own field takes away the forged one, and not its own; nor does a change of a number that is not there."""
    add, drop = MilterWish("h", b"Subject", b"mine"), MilterWish("m", b"subject", b"", 1)
    changed = mail().changed([add, drop])
    assert changed.fields == OURS + b"Subject: mine\r\n"
    assert b"a\r\n\tlong one" not in changed.content
    assert mail().changed([add, drop, drop]).fields == OURS
    assert mail().changed([add, MilterWish("m", b"Subject", b"other", 2)]).fields == OURS + b"Subject: other\r\n"
    assert mail().changed([add, MilterWish("m", b"Subject", b"third", 9)]).fields == OURS + b"Subject: mine\r\nSubject: third\r\n"
    assert mail().changed([MilterWish("i", b"Subject", b"top", 0), drop]).content == CONTENT


def test_a_body_is_replaced_by_all_its_pieces() -> None:
    changed = mail().changed([MilterWish("b", body=b"new "), MilterWish("b", body=b"body\r\n")])
    assert changed.content == CONTENT.replace(b"body\r\n", b"new body\r\n")


def test_the_envelope_is_changed_and_a_message_held() -> None:
    wishes = [
        MilterWish("+", value=b"<a@b.example>"),
        MilterWish("2", value=b"c@d.example"),
        MilterWish("-", value=b"<e@f.example>"),
        MilterWish("e", value=b"<>"),
        MilterWish("q", value=b"look\x1b at it"),
    ]
    changed = mail().changed(wishes)
    assert (changed.added, changed.removed, changed.sender, changed.held) == (
        ["a@b.example", "c@d.example"],
        ["e@f.example"],
        "",
        "look? at it",
    )


@pytest.mark.parametrize(
    "wish",
    [
        MilterWish("h", b"X", b"a\nBcc: evil@example.org"), MilterWish("h", b"X", b"a\n\nbody"), MilterWish("h", b"X", b"a\r b"),
        MilterWish("i", b"", b"a"),
        MilterWish("h", b"X Y", b"a"), MilterWish("h", b"X:", b"a"), MilterWish("m", b"Subject", b"a\nX: y", 1),
        MilterWish("h", b"X", b"y" * 999),
        MilterWish("h", b"X", b"y " * 1_000_000), MilterWish("+", value=b"nobody"), MilterWish("-", value=b"<>"),
        MilterWish("e", value=b"a@b\r\nc"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_undoes_them_all(wish: MilterWish) -> None:
    """A line end in a value would begin a field of its own, or the body."""
    before = mail()
    with pytest.raises(ScanError):
        before.changed([MilterWish("h", b"X-A", b"b"), wish])
    assert (before.fields, before.content) == (OURS, CONTENT)


@given(
    st.lists(
        st.builds(
            MilterWish,
            st.sampled_from("him"),
            st.sampled_from([b"X", b"Subject", b"Received", b"", b"a b"]),
            st.lists(st.sampled_from([b"a", b"\n", b" ", b"\r", b":", b"\xff"]), max_size=6).map(b"".join),
            st.integers(0, 4),
        ),
        max_size=4,
    )
)
def test_what_comes_of_it_is_a_message_to_every_reader(wishes: list[MilterWish]) -> None:
    try:
        changed = mail().changed(wishes)
    except ScanError:
        return
    whole = changed.fields + changed.content
    assert is_normal(whole)
    assert Message.split(whole).header == b"".join(line.octets for line in changed.lines)
    assert whole.endswith(b"\r\n\r\nbody\r\n")


def test_each_of_many_fields_can_be_taken_away() -> None:
    """How many of a name there are says a stranger: so many wishes cost no more than the fields do."""
    many = 50_000
    theirs = b"".join(b"X-Seen: %d\r\n" % number for number in range(many)) + b"Subject: s\r\n"
    found = MilterMail.of(b"", theirs + b"\r\nbody\r\n")
    begin = process_time()
    changed = found.changed([MilterWish("m", b"x-seen", b"", number) for number in range(many, many - 2000, -1)])
    assert process_time() - begin < 1
    assert len(changed.theirs) == many - 2000 + 1
    assert len(found.theirs) == many + 1
    assert changed.content.endswith(b"X-Seen: %d\r\nSubject: s\r\n\r\nbody\r\n" % (many - 2000 - 1))
