"""Where the sections of a message are, and which fields of a header are left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.fetching import parse_items
from mailer.imap.lexer import Tokens
from mailer.imap.sections import NOWHERE, UnknownEncoding, cut, divided, fields_of, from_divided, name_of, place, wanted
from mailer.mime.tree import parsed

INNER = (
    b'Subject: inner\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nX: 1\r\n\r\ntwo\r\n--b\r\nContent-Type: text/html\r\n\r\nthree\r\n--b--\r\n"
)
MIXED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n"
    b"--a\r\nContent-Transfer-Encoding: BASE64\r\n\r\nb25l\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\n"
    + INNER
    + b"\r\n--a\r\nContent-Transfer-Encoding: x-own\r\n\r\n?\r\n--a--\r\nepilogue\r\n"
)
PLAIN = b"Subject: x\r\n\r\ntext\r\n"
AT = MIXED.index(b"preamble")


def of(content: bytes, section: bytes) -> bytes | None:
    """What is at the place of an item."""
    (item,) = parse_items(Tokens([section]))
    root = parsed(content)
    found = place(item, len(content), root.header_end, root)
    return None if found == NOWHERE else content[found.start : found.end]


@pytest.mark.parametrize(
    ("section", "found"),
    [
        (b"BODY[]", MIXED),
        (b"RFC822", MIXED),
        (b"BODY[HEADER]", MIXED[:AT]),
        (b"RFC822.HEADER", MIXED[:AT]),
        (b"BODY[HEADER.FIELDS (a)]", MIXED[:AT]),
        (b"BODY[TEXT]", MIXED[AT:]),
        (b"RFC822.TEXT", MIXED[AT:]),
        (b"BODY[1]", b"b25l"),
        (b"BODY[1.MIME]", b"Content-Transfer-Encoding: BASE64\r\n\r\n"),
        (b"BODY[2]", INNER),
        (b"BODY[2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
        (b"BODY[2.HEADER]", INNER[: INNER.index(b"--b")]),
        (b"BODY[2.TEXT]", INNER[INNER.index(b"--b") :]),
        (b"BODY[2.1]", b"two"),
        (b"BODY[2.1.MIME]", b"X: 1\r\n\r\n"),
        (b"BODY[2.2]", b"three"),
        (b"BINARY[2]", INNER),
        (b"BINARY[]", MIXED),
        (b"BODY[4]", None),
        (b"BODY[1.1]", None),
        (b"BODY[1.HEADER]", None),
        (b"BODY[1.TEXT]", None),
        (b"BODY[2.1.HEADER]", None),
        (b"BODY[9.9.9.MIME]", None),
    ],
)
def test_a_section_has_its_place(section: bytes, found: bytes | None) -> None:
    """RFC 9051 §6.4.5.1; what is not there has none."""
    assert of(MIXED, section) == found


@pytest.mark.parametrize(
    ("section", "found"),
    [
        (b"BODY[1]", b"text\r\n"),
        (b"BODY[1.MIME]", b"Subject: x\r\n\r\n"),
        (b"BODY[2]", None),
        (b"BODY[1.HEADER]", None),
        (b"BODY[1.1]", None),
    ],
)
def test_a_message_that_is_no_multipart_has_one_part(section: bytes, found: bytes | None) -> None:
    """Which is its body, and has the header of the message."""
    assert of(PLAIN, section) == found


def test_what_is_decoded_has_an_encoding_that_is_known() -> None:
    """Of parts that hold no others (RFC 2045 §6.4)."""
    root = parsed(MIXED)
    (one, two, three) = (parse_items(Tokens([b"BINARY[%d]" % number]))[0] for number in (1, 2, 3))
    assert place(one, len(MIXED), AT, root).encoding == "base64"
    assert place(two, len(MIXED), AT, root).encoding == ""
    with pytest.raises(UnknownEncoding):
        place(three, len(MIXED), AT, root)


def test_a_piece_of_a_section() -> None:
    """As far as there is one (RFC 9051 §6.4.5, partial)."""
    assert [cut(b"0123456789", piece) for piece in (None, (0, 3), (8, 5), (10, 1), (2**63 - 1, 2**63 - 1))] == [
        b"0123456789", b"012", b"89", b"", b"",
    ]  # fmt: skip


HEADER = b"From: a\r\nTO : b,\r\n\tc\r\nReceived: x\r\n by y\r\nto: d\r\nX-to: e\r\n\r\n"


@pytest.mark.parametrize(
    ("names", "without", "found"),
    [
        ([b"to"], False, b"TO : b,\r\n\tc\r\nto: d\r\n\r\n"),
        ([b"From", b"FROM", b"x-TO"], False, b"From: a\r\nX-to: e\r\n\r\n"),
        ([b"cc"], False, b"\r\n"),
        ([b""], False, b"\r\n"),
        ([b"received", b"to"], True, b"From: a\r\nX-to: e\r\n\r\n"),
        ([b"cc"], True, HEADER),
        ([b"from", b"to", b"received", b"x-to"], True, b"\r\n"),
    ],
)
def test_fields_of_a_header(names: list[bytes], without: bool, found: bytes) -> None:
    """All of a name, in the order and the form of the header, folded as they are, and an empty line behind them."""
    assert fields_of(HEADER, wanted(names), without=without) == found
    assert fields_of(HEADER.replace(b"\r\n", b"\n"), wanted(names), without=without).replace(b"\r\n", b"\n") == found.replace(
        b"\r\n", b"\n"
    )


@pytest.mark.parametrize("header", [b"From: a", b"To: b\r\nFrom: a", b"From: a\r", b"From: a\r\n", b"From: a\n", b"From: a\r\n x"])
def test_a_header_that_ends_the_message(header: bytes) -> None:
    """Its last line gets an end, and there is an empty line, which divides nothing."""
    for names, without in (([b"from"], False), ([b"to"], True)):
        found = fields_of(header, wanted(names), without=without)
        assert found.startswith(b"From: a")
        assert found.endswith(b"\n\r\n")
        assert found.count(b"\n") == 2 + header.count(b"\n ") + header.count(b"\r\n x") - header.count(b"\n x")
    assert fields_of(b"", wanted([b"a"])) == fields_of(b"", wanted([b"a"]), without=True) == b"\r\n"


def test_hostile_headers_cost_what_their_length_allows() -> None:
    """Of a header of many megabytes, the first one is looked at; spellings are not gathered without a bound."""
    names = wanted([b"to"])
    header = b"".join(b"x%d: y\r\n" % number for number in range(300_000)) + b"to: z\r\n\r\n"
    assert fields_of(header, names) == b"\r\n"
    assert len(names) <= 1000
    assert len(fields_of(header, names, without=True)) < 1_100_000


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"BODY.PEEK[HEADER.FIELDS (From \"To\")]", b"BODY[HEADER.FIELDS (From To)]"),
        (b"BODY[1.2.header.fields.not (a)]<5.6>", b"BODY[1.2.HEADER.FIELDS.NOT (a)]<5>"),
        (b'BODY[HEADER.FIELDS ("a]b" "" %)]'.replace(b" %", b' "%"'), b'BODY[HEADER.FIELDS ("a]b" "" "%")]'),
        (b"binary.peek[1]<0.1>", b"BINARY[1]<0>"),
        (b"BINARY.SIZE[1.2]", b"BINARY.SIZE[1.2]"),
        (b"rfc822.text", b"RFC822.TEXT"),
        (b"body[]", b"BODY[]"),
    ],
)  # fmt: skip
def test_an_item_is_answered_by_its_name(said: bytes, name: bytes) -> None:
    """Without PEEK, with the fields as the client wrote them, and with the first octet alone (RFC 9051 §7.5.2)."""
    (item,) = parse_items(Tokens([said]))
    assert name_of(item) == name


@given(
    st.lists(
        st.sampled_from(
            [b"From: a", b"to: b", b"TO", b"x", b":", b" folded", b"\tfolded", b"", b"\r", b"Cc : c", b"From\n :x", b"n\xff: y"]
        )
    )
)
def test_a_header_that_is_kept_says_what_it_says_as_it_is_written(lines: list[bytes]) -> None:
    """Whatever is in it, and whatever is asked of it."""
    for end in (b"\r\n", b"\n"):
        for header in (end.join(lines), end.join([*lines, b"", b""])):
            kept = divided(header)
            assert kept is not None
            for section in (b"HEADER.FIELDS (from TO)", b"HEADER.FIELDS.NOT (from cc)", b"HEADER"):
                (item,) = parse_items(Tokens([b"BODY[%b]" % section]))
                plain = fields_of(header, wanted(item.fields), without=b"NOT" in section) if item.fields else header
                assert from_divided(item)(kept) == b"{%d}\r\n%b" % (len(plain), plain)
