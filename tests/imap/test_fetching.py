"""What FETCH asks for, as it is read: all items, sections, macros and modifiers, and what is none of them."""

from __future__ import annotations

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import Fetch, FetchItem, NumberSet
from mailer.imap.fetching import REST, parse_fetch
from mailer.imap.lexer import Tokens


def read(said: bytes, *more: bytes, uid: bool = False) -> Fetch:
    """The command behind ``FETCH``, which has to end where its grammar ends."""
    return parse_fetch(Tokens([b" " + said, *more]), uid)


def item(said: bytes, *more: bytes) -> FetchItem:
    (found,) = read(b"1 " + said, *more).items
    return found


@pytest.mark.parametrize(
    "name",
    [
        "FLAGS",
        "UID",
        "ENVELOPE",
        "INTERNALDATE",
        "RFC822.SIZE",
        "BODYSTRUCTURE",
        "BODY",
        "RFC822.HEADER",
        "MODSEQ",
        "EMAILID",
        "THREADID",
        "SAVEDATE",
        "PREVIEW",
    ],
)
def test_an_item_that_is_a_word(name: str) -> None:
    """In any case, alone or in parentheses; none of these makes a message \\Seen."""
    assert item(name.lower().encode()) == FetchItem(name, peek=True)
    assert item(b"(" + name.encode() + b")") == FetchItem(name, peek=True)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (b"RFC822", FetchItem("RFC822")),
        (b"rfc822.text", FetchItem("RFC822.TEXT")),
        (b"body[]", FetchItem("SECTION")),
        (b"BODY.PEEK[]", FetchItem("SECTION", peek=True)),
        (b"BODY[TEXT]", FetchItem("SECTION", text="TEXT")),
        (b"BODY[header]", FetchItem("SECTION", text="HEADER")),
        (b"BODY[1]", FetchItem("SECTION", "1")),
        (b"BODY[1.20.3.MIME]", FetchItem("SECTION", "1.20.3", "MIME")),
        (b"BODY[2.1.HEADER]", FetchItem("SECTION", "2.1", "HEADER")),
        (b"BODY[4.TEXT]<0.10>", FetchItem("SECTION", "4", "TEXT", partial=(0, 10))),
        (b"BODY.PEEK[]<9223372036854775807.1>", FetchItem("SECTION", partial=(2**63 - 1, 1), peek=True)),
        (b"BODY[]<15>", FetchItem("SECTION", partial=(15, REST))),
        (b'BODY[HEADER.FIELDS (from "TO" X-a)]', FetchItem("SECTION", text="HEADER.FIELDS", fields=(b"from", b"TO", b"X-a"))),
        (b"BODY[2.HEADER.FIELDS.NOT (a)]", FetchItem("SECTION", "2", "HEADER.FIELDS.NOT", (b"a",))),
        (b"BINARY[]", FetchItem("BINARY")),
        (b"BINARY[1.2]", FetchItem("BINARY", "1.2")),
        (b"binary.peek[2]<5.6>", FetchItem("BINARY", "2", partial=(5, 6), peek=True)),
        (b"BINARY.SIZE[3]", FetchItem("BINARY.SIZE", "3", peek=True)),
        (b"PREVIEW (LAZY)", FetchItem("PREVIEW", peek=True, lazy=True)),
    ],
)
def test_an_item_with_a_section(said: bytes, found: FetchItem) -> None:
    """As each standard has it."""
    assert item(said) == found
    assert read(b"1 (UID " + said + b" FLAGS)").items == (FetchItem("UID", peek=True), found, FetchItem("FLAGS", peek=True))


def test_the_name_of_a_field_may_be_a_literal() -> None:
    """A field is an astring (RFC 9051 §9, header-fld-name)."""
    assert item(b"BODY[HEADER.FIELDS (", b"to", b" cc)]").fields == (b"to", b"cc")


def test_a_macro_stands_for_its_items() -> None:
    """Alone, and not among other items (RFC 9051 §6.4.5)."""
    names = {said: [each.name for each in read(b"1:* " + said).items] for said in (b"ALL", b"fast", b"Full")}
    assert names == {
        b"ALL": ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"],
        b"fast": ["FLAGS", "INTERNALDATE", "RFC822.SIZE"],
        b"Full": ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"],
    }


def test_an_item_is_answered_once() -> None:
    """However often it is asked for."""
    assert len(read(b"1 (FLAGS flags BODY[] BODY[] BODY.PEEK[])").items) == 3


def test_modifiers() -> None:
    """RFC 7162 §3.1.4, §3.2.6"""
    asked = read(b"1:3,5 (FLAGS) (CHANGEDSINCE 715194045007)")
    assert (asked.numbers, asked.changed_since, asked.vanished) == (NumberSet(((1, 3), (5, 5))), 715194045007, False)
    for said in (b"300:* FLAGS (changedsince 12 vanished)", b"300:* PREVIEW (VANISHED CHANGEDSINCE 12)"):
        asked = read(said, uid=True)
        assert (asked.uid, asked.changed_since, asked.vanished) == (True, 12, True)


@pytest.mark.parametrize(
    "said",
    [
        b"", b"1", b"1 ", b"1 ()", b"1 FLAG", b"1 (FLAGS", b"1 FLAGS UID", b"1 (ALL)", b"1 (FLAGS  UID)", b"1 ( FLAGS)", b"1  FLAGS",
        b"0 FLAGS",
        b"x FLAGS", b"1 (FLAGS ALL)", b"1 BODY.PEEK", b"1 BODY[", b"1 BODY[1", b"1 BODY[MIME]", b"1 BODY[0]", b"1 BODY[1.]", b"1 BODY[.1]",
        b"1 BODY[01]", b"1 BODY[1..2]", b"1 BODY[1.X]", b"1 BODY[HEADERS]", b"1 BODY[HEADER.FIELDS]", b"1 BODY[HEADER.FIELDS ()]",
        b"1 BODY[HEADER.FIELDS (a ]", b"1 BODY[HEADER (a)]", b"1 BODY[TEXT.1]", b"1 BODY[]<0.0>", b"1 BODY[]<>", b"1 BODY[]<-1.2>",
        b"1 BODY[]<1.2", b"1 BODY[]<9223372036854775808.1>", b"1 BODYSTRUCTURE[]", b"1 BINARY", b"1 BINARY[TEXT]", b"1 BINARY[1.MIME]",
        b"1 BINARY.SIZE[1]<0.1>", b"1 RFC822.PEEK", b"1 PREVIEW (EAGER)", b"1 PREVIEW (LAZY", b"1 FLAGS (CHANGEDSINCE)",
        b"1 FLAGS (CHANGEDSINCE x)", b"1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)", b"1 FLAGS (VANISHED)",
        b"1 FLAGS (CHANGEDSINCE 1 VANISHED)",
        b"1 FLAGS ()", b"1 FLAGS (CHANGEDSINCE 1", b"1 FLAGS (CHANGEDSINCE 1 )", b"1 FLAGS (SOMETHING 1)", b"1 MODSEQ[1]",
        b"1 (" * 30000, b"1 (" + b"FLAGS(" * 10000,
        b"1 BODY[" + b"1." * 30000 + b"]",
    ],
)  # fmt: skip
def test_what_is_no_fetch_is_refused(said: bytes) -> None:
    """By one exception, which says what is wrong in a line."""
    with pytest.raises(BadCommand) as refused:
        read(said)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_part_can_be_a_long_way_down() -> None:
    """A number of as many levels as a line has room for is read, and no message has such a part."""
    assert item(b"BODY[" + b".".join([b"1"] * 30000) + b"]").part.count(".") == 29999
