"""What FETCH answers, octet by octet."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.fetched import FetchPlan, date_time, literal
from mailer.imap.fetching import parse_items
from mailer.imap.lexer import Tokens
from mailer.imap.sections import divided

KEPT: dict[str, object] = {
    "flags": 1, "keywords": "", "received": 1_796_119_800.5, "size": 4321, "envelope": b"(NIL {2}\r\n\xc3\xbc)", "mail": "01KAHC",
    "structure": b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL)', "modseq": 77, "thread": "01KAH0",
    "saved": 1_796_119_861.0, "preview": "Grüße", "prefix": b"", "key_number": 0, "digest": b"", "tree": b"",
}  # fmt: skip


def plan_of(said: bytes, **more: bool) -> FetchPlan:
    return FetchPlan(parse_items(Tokens([said]), macros=True), **more)


def lines(said: bytes, kept: dict[str, object] = KEPT, **more: bool) -> bytes:
    """What is answered about message 3 with the UID 9."""
    plan = plan_of(said, **more)
    return plan.lines([3], [(9, *(kept[column] for column in plan.columns))])


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"FLAGS", b"FLAGS (\\Seen)"),
        (b"UID", b"UID 9"),
        (b"INTERNALDATE", b'INTERNALDATE " 1-Dec-2026 10:10:00 +0000"'),
        (b"RFC822.SIZE", b"RFC822.SIZE 4321"),
        (b"ENVELOPE", b"ENVELOPE (NIL {2}\r\n\xc3\xbc)"),
        (b"BODYSTRUCTURE", b'BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1 NIL NIL NIL NIL)'),
        (b"BODY", b'BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 1)'),
        (b"MODSEQ", b"MODSEQ (77)"),
        (b"EMAILID", b"EMAILID (01KAHC)"),
        (b"THREADID", b"THREADID (T01KAH0)"),
        (b"SAVEDATE", b'SAVEDATE " 1-Dec-2026 10:11:01 +0000"'),
        (b"PREVIEW", b"PREVIEW {7}\r\nGr\xc3\xbc\xc3\x9fe"),
        (b"PREVIEW (LAZY)", b"PREVIEW {7}\r\nGr\xc3\xbc\xc3\x9fe"),
        (b"FAST", b'FLAGS (\\Seen) INTERNALDATE " 1-Dec-2026 10:10:00 +0000" RFC822.SIZE 4321'),
        (b"(UID FLAGS)", b"UID 9 FLAGS (\\Seen)"),
    ],
)
def test_each_item_as_it_is_written(said: bytes, answer: bytes) -> None:
    """In the order in which they were asked for."""
    assert lines(said) == b"* 3 FETCH (" + answer + b")\r\n"


def test_what_there_is_not() -> None:
    """A conversation that is not known is NIL (RFC 8474 §5.3); a preview of nothing is empty (RFC 8970 §3.2)."""
    assert lines(b"(THREADID PREVIEW)", KEPT | {"thread": "", "preview": ""}) == b'* 3 FETCH (THREADID NIL PREVIEW "")\r\n'


def test_keywords_stand_behind_flags() -> None:
    """As the folder spells them."""
    assert lines(b"FLAGS", KEPT | {"flags": 12, "keywords": "$Junk a"}) == b"* 3 FETCH (FLAGS (\\Flagged \\Deleted $Junk a))\r\n"
    plan = plan_of(b"FLAGS")
    assert plan.lines([1, 2], [(5, 0, ""), (6, 0, "a")]) == b"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS (a))\r\n"


def test_the_uid_and_the_modseq_are_there_where_a_command_brings_them() -> None:
    """Of UID FETCH (RFC 9051 §6.4.9), and of CHANGEDSINCE (RFC 7162 §3.1.4.1); not twice where they were asked for."""
    assert lines(b"RFC822.SIZE", uid=True, modseq=True) == b"* 3 FETCH (UID 9 RFC822.SIZE 4321 MODSEQ (77))\r\n"
    assert lines(b"(MODSEQ UID)", uid=True, modseq=True) == b"* 3 FETCH (MODSEQ (77) UID 9)\r\n"


def test_of_no_message_nothing_is_said() -> None:
    """Not even an empty line."""
    assert plan_of(b"ALL").lines([], []) == b""


def test_nothing_is_asked_that_nobody_wants() -> None:
    """What makes FETCH quick: the mailbox is asked for the columns that are written."""
    assert plan_of(b"(UID FLAGS)").columns == ("flags", "keywords")
    assert plan_of(b"UID").columns == ()
    assert plan_of(b"BODY.PEEK[]").columns == ("mail", "size", "prefix", "key_number", "digest")
    assert "tree" in plan_of(b"BODY.PEEK[1]").columns


def test_sections_leave_their_place() -> None:
    """What stands before each, and what is behind the last; a sign that is one of templates is written as it is."""
    plan = plan_of(b'(UID BODY.PEEK[HEADER.FIELDS ("%d")] FLAGS BODY.PEEK[1]<5.2> RFC822.SIZE)')
    row = [9, *(KEPT[column] for column in plan.columns)]
    (values,) = plan.values([3], [row])
    assert [*plan.pieces(values)] == [
        b'* 3 FETCH (UID 9 BODY[HEADER.FIELDS ("%d")] ', b" FLAGS (\\Seen) BODY[1]<5> ", b" RFC822.SIZE 4321",
    ]  # fmt: skip
    assert (plan.sees, plan.trees, plan.heads, plan.wholes) == (False, True, False, False)
    plan = plan_of(b"(BODY[] BODY.PEEK[HEADER])")
    assert (plan.sees, plan.trees, plan.heads, plan.wholes) == (True, False, False, False)
    assert plan_of(b"(BODY.PEEK[HEADER] RFC822.HEADER)", kept=False).heads
    assert plan_of(b"(RFC822 BODY[])").wholes


def test_a_message_that_is_read_says_that_it_is_seen() -> None:
    """Where its flags, MODSEQ and UID are not told anyway (RFC 9051 §6.4.5, RFC 7162 §3.2)."""
    for said, end in (
        (b"BODY[]", b" UID 9 FLAGS (\\Seen) MODSEQ (77)"),
        (b"(BODY[] UID)", b" FLAGS (\\Seen) MODSEQ (77)"),
        (b"(FLAGS BODY[] MODSEQ)", b" UID 9"),
    ):
        plan = plan_of(said)
        row = [9, *(KEPT[column] for column in plan.columns)]
        assert plan.seen(row, uid=True, modseq=True) == end
    plan = plan_of(b"RFC822")
    row = plan.changed([9, *(KEPT[column] for column in plan.columns)], {"flags": 3})
    assert plan.seen(row, uid=False, modseq=False) == b" FLAGS (\\Answered \\Seen)"


def test_a_literal() -> None:
    """One with a NUL is a literal8."""
    assert (literal(5), literal(0), literal(7, binary=True)) == (b"{5}\r\n", b"{0}\r\n", b"~{7}\r\n")


@given(st.integers(int(datetime(1, 1, 2, tzinfo=UTC).timestamp()), int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())))
def test_a_time_is_told_in_utc(at: int) -> None:
    """RFC 9051 §9, date-time: the day has two places, a blank for a nought."""
    on = datetime.fromtimestamp(at, UTC)
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[on.month * 3 - 3 : on.month * 3]
    assert date_time(at).decode() == f"{on.day:2}-{month}-{on.year:04} {on:%H:%M:%S} +0000"


@pytest.mark.parametrize("at", [-1e18, 1e18, -0.5, 0.0])
def test_no_time_is_told_wrongly_formed(at: float) -> None:
    """A clock that was wrong by centuries gives a date all the same."""
    assert len(date_time(at)) == len(" 1-Jan-1970 00:00:00 +0000")


def test_headers_that_are_kept_are_told_like_columns() -> None:
    """Of headers that are divided; a sign that is one of templates is written as it is."""
    kept = KEPT | {"header": divided(b"From: a\r\nTo: b\r\n c\r\n\r\n")}
    assert plan_of(b"(UID BODY.PEEK[HEADER])").columns == ("header",)
    assert lines(b'(UID BODY.PEEK[HEADER.FIELDS (to "%d")] RFC822.HEADER BODY.PEEK[HEADER.FIELDS.NOT (to)]<1.3> FLAGS)', kept) == (
        b'* 3 FETCH (UID 9 BODY[HEADER.FIELDS (to "%d")] {13}\r\nTo: b\r\n c\r\n\r\n RFC822.HEADER {22}\r\nFrom: a\r\nTo: b\r\n c\r\n\r\n'
        b" BODY[HEADER.FIELDS.NOT (to)]<1> {3}\r\nrom FLAGS (\\Seen))\r\n"
    )
    plan = plan_of(b"BODY[HEADER]")
    rows = [(uid, *(kept[column] for column in plan.columns)) for uid in (1, 2)]
    header = b"BODY[HEADER] {22}\r\nFrom: a\r\nTo: b\r\n c\r\n\r\n"
    said = plan.lines([1, 2], rows, [b"", b" FLAGS (\\Seen)"])
    assert said == b"* 1 FETCH (%b)\r\n* 2 FETCH (%b FLAGS (\\Seen))\r\n" % (header, header)
