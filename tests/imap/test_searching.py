"""The keys of SEARCH become a query, and what is no key is refused, whatever a client sends."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap import searching
from mailer.imap.answer import BadCharset, BadCommand
from mailer.imap.command import AgeKey, Key, NumberKey, NumberSet, RecentKey, Search, Sort, Thread
from mailer.imap.lexer import Tokens
from mailer.imap.searching import ALL, NOTHING, parse_search, parse_sort, parse_thread
from mailer.mail.flags import Flag
from mailer.mail.query import Contains, Either, Every, Has, Is, Not, Query, Within

DAY = 20_778  # 21-Nov-2026


def said(*parts: bytes, uid: bool = False) -> Search:
    """A SEARCH, of text and literals in turn."""
    return parse_search(Tokens([b" " + parts[0], *parts[1:]]), uid)


def key(*parts: bytes) -> Key:
    """The query of a SEARCH."""
    return said(*parts).query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (b"ALL", ALL),
        (b"answered", Has(Flag.ANSWERED)),
        (b"UNSEEN", Not(Has(Flag.SEEN))),
        (b"DELETED UNDELETED", Every((Has(Flag.DELETED), Not(Has(Flag.DELETED))))),
        (b"RECENT", RecentKey()),
        (b"NEW", Every((RecentKey(), Not(Has(Flag.SEEN))))),  # type: ignore[arg-type]
        (b"OLD", Not(RecentKey())),  # type: ignore[arg-type]
        (b"KEYWORD $Junk", Has(None, "$Junk")),
        (b"UNKEYWORD work", Not(Has(None, "work"))),
        (b"SUBJECT hello", Contains("header", "hello", "subject")),
        (b'From "a b"', Contains("header", "a b", "from")),
        (b'HEADER X-Spam-Flag ""', Contains("header", "", "x-spam-flag")),
        (b'HEADER "a b" x', NOTHING),
        (b'HEADER "a:" x', NOTHING),
        (b'HEADER "" x', NOTHING),
        (b"TEXT x", Contains("text", "x")),
        (b'BODY ""', ALL),
        (b"LARGER 9", Within("size", 10)),
        (b"SMALLER 9", Within("size", None, 8)),
        (b"BEFORE 21-Nov-2026", Within("received-day", None, DAY - 1)),
        (b'ON "21-Nov-2026"', Within("received-day", DAY, DAY)),
        (b"SINCE 21-nov-2026", Within("received-day", DAY)),
        (b"SENTBEFORE 21-Nov-2026", Within("day", None, DAY - 1)),
        (b"SENTON 21-Nov-2026", Within("day", DAY, DAY)),
        (b"SENTSINCE 21-Nov-2026", Within("day", DAY)),
        (b"SAVEDBEFORE 21-Nov-2026", Within("saved-day", None, DAY - 1)),
        (b"SAVEDON 21-Nov-2026", Within("saved-day", DAY, DAY)),
        (b"SAVEDSINCE 21-Nov-2026", Within("saved-day", DAY)),
        (b"SAVEDATESUPPORTED", ALL),
        (b"OLDER 60", AgeKey(60, younger=False)),
        (b"YOUNGER 60", AgeKey(60, younger=True)),
        (b"EMAILID M6d99ac3275bb4e", Is("mail", "M6d99ac3275bb4e")),
        (b"THREADID T_1-a", Is("thread", "_1-a")),
        (b"THREADID _1-a", NOTHING),
        (b"2,4:*", NumberKey(NumberSet(((2, 2), (4, 0))), uid=False)),
        (b"*", NumberKey(NumberSet(((0, 0),)), uid=False)),
        (b"$", NumberKey(NumberSet(saved=True), uid=False)),
        (b"UID 5", NumberKey(NumberSet(((5, 5),)), uid=True)),
        (b"UID $", NumberKey(NumberSet(saved=True), uid=True)),
        (b"NOT NOT SEEN", Not(Not(Has(Flag.SEEN)))),
        (b"OR SEEN (DRAFT FLAGGED)", Either((Has(Flag.SEEN), Every((Has(Flag.DRAFT), Has(Flag.FLAGGED)))))),
        (b"OR OR SEEN DRAFT NOT FLAGGED", Either((Either((Has(Flag.SEEN), Has(Flag.DRAFT))), Not(Has(Flag.FLAGGED))))),
        (b"((SEEN))", Has(Flag.SEEN)),
        (b"CHARSET utf-8 SEEN", Has(Flag.SEEN)),
        (b'CHARSET "US-ASCII" TEXT x', Contains("text", "x")),
    ],
)
def test_a_key_is_a_query(text: bytes, query: Query) -> None:
    """RFC 9051 §6.4.4, RFC 3501 §6.4.4, and those of the extensions."""
    assert key(text) == query
    assert type(key(text)) is type(query)


def test_text_comes_in_literals_too() -> None:
    """In UTF-8, with a character set before it or without; a literal may be the name of a field."""
    assert key(b"CHARSET UTF-8 SUBJECT ", "Größe".encode(), b"") == Contains("header", "Größe", "subject")
    assert key(b"SUBJECT ", "Größe".encode(), b" SEEN") == Every((Contains("header", "Größe", "subject"), Has(Flag.SEEN)))
    assert key(b"HEADER ", b"X-A", b" ", b"x", b"") == Contains("header", "x", "x-a")


def test_options_of_return() -> None:
    """RFC 9051 §6.4.4: none is ALL, and without RETURN the old answer is asked for."""
    assert said(b"SEEN").returns is None
    assert said(b"RETURN () SEEN").returns == {"ALL"}
    assert said(b"RETURN (min MAX COUNT) CHARSET UTF-8 SEEN").returns == {"MIN", "MAX", "COUNT"}
    assert said(b"RETURN (SAVE) SEEN", uid=True) == Search(Has(Flag.SEEN), uid=True, returns=frozenset({"SAVE"}))


def test_a_modseq_is_noticed() -> None:
    """RFC 7162 §3.1.5, with a flag or without; its answer has a MODSEQ."""
    assert said(b"MODSEQ 620162338") == Search(Within("modseq", 620162338), modseq=True)
    assert said(rb'MODSEQ "/flags/\\draft" all 62') == Search(Within("modseq", 62), modseq=True)
    assert not said(b"SEEN").modseq


def test_sort_and_thread() -> None:
    """RFC 5256 §3, and keys of RFC 5957."""
    search = Search(Has(Flag.SEEN), uid=True)
    assert parse_sort(Tokens([b" (REVERSE date subject) UTF-8 SEEN"]), True) == Sort([("DATE", True), ("SUBJECT", False)], search)
    assert parse_sort(Tokens([b' (displayfrom) "us-ascii" SEEN']), True) == Sort([("DISPLAYFROM", False)], search)
    assert parse_sort(Tokens([b" RETURN (MIN) (CC) UTF-8 SEEN"]), True).search.returns == {"MIN"}
    assert parse_thread(Tokens([b" references UTF-8 SEEN"]), True) == Thread("REFERENCES", search)


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"ALL ", b"ALL  SEEN", b"(ALL", b"ALL)", b"()", b"(ALL))", b"NOT", b"NOT ", b"OR SEEN", b"OR SEEN ", b"(OR SEEN)",
        b"(NOT)", b"OR (SEEN) ", b"NOSUCH", b"SUBJECT", b"SUBJECT ", b"FUZZY SUBJECT x", b"HEADER x", b"LARGER -1", b"LARGER x", b"OLDER 0",
        b"YOUNGER -1", b"ON 31-Feb-2026", b"ON x", b"KEYWORD \\Seen", b"UID", b"UID x", b"0", b"1:", b"1,,2", b"4294967296", b"MODSEQ x",
        b"RETURN SEEN", b'MODSEQ "/flags/x" some 1', b"RETURN (NOSUCH) ALL", b"RETURN (MIN)", b"RETURN (MIN MAX", b"CHARSET UTF-8",
        b"ALL(SEEN)", b"(SEEN)(SEEN)", b"EMAILID " + b"x" * 256, b"$,1", b"SEEN$", b"RETURN (MIN  MAX) ALL",
    ],
)  # fmt: skip
def test_what_is_no_search_is_refused(text: bytes) -> None:
    """With one error, which says why in a line."""
    with pytest.raises(BadCommand) as caught:
        said(text)
    assert caught.value.kind == "BAD"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b" () UTF-8 ALL", b" (DATE) ALL", b" (NOSUCH) UTF-8 ALL", b" (REVERSE) UTF-8 ALL", b" DATE UTF-8 ALL",
                                  b" RETURN (NOSUCH) (DATE) UTF-8 ALL", b" (DATE  CC) UTF-8 ALL", b" (DATE)UTF-8 ALL"])  # fmt: skip
def test_what_is_no_sort_is_refused(text: bytes) -> None:
    """A character set has to be there, RFC 5256 §5."""
    with pytest.raises(BadCommand):
        parse_sort(Tokens([text]), False)


@pytest.mark.parametrize("text", [b" REFS UTF-8 ALL", b" REFERENCES UTF-8", b" REFERENCES  UTF-8 ALL", b"REFERENCES UTF-8 ALL"])
def test_what_is_no_thread_is_refused(text: bytes) -> None:
    """There are two algorithms."""
    with pytest.raises(BadCommand):
        parse_thread(Tokens([text]), False)


def test_another_character_set_is_said_no_to() -> None:
    """With those that there are, RFC 9051 §7.1; text that is not in the one that was said is no command."""
    with pytest.raises(BadCharset) as caught:
        said(b"CHARSET KOI8-R TEXT x")
    assert (caught.value.kind, caught.value.code) == ("NO", "BADCHARSET (US-ASCII UTF-8)")
    for charset in (b"US-ASCII", b"UTF-8"):
        with pytest.raises(BadCommand, match="is not in"):
            key(b"CHARSET " + charset + b" TEXT ", b"\xe4", b"")


@pytest.mark.parametrize(
    "text",
    [
        b"NOT " * 3000 + b"SEEN",
        b"OR SEEN " * 3000 + b"SEEN",
        b"(" * 3000 + b"SEEN" + b")" * 3000,
        b"(" * 100_000,
        b"NOT (" * 3000 + b"SEEN" + b")" * 3000,
        b" ".join([b"SEEN"] * 1001),
        b" ".join([b"TEXT x"] * 21),
        b" ".join([b"HEADER x-a x"] * 101),
        b" ".join([b"BCC x"] * 101),
        b"(" * 51 + b"SEEN" + b")" * 51,
    ],
)
def test_a_query_has_bounds(text: bytes) -> None:
    """3,000 deep, or with too many keys, or too many that read messages: refused at once, without recursion."""
    began = time.process_time()
    with pytest.raises(BadCommand):
        said(text)
    assert time.process_time() - began < 0.05


def test_what_is_within_the_bounds_is_a_query() -> None:
    """Hundreds of alternatives, as clients send them; fields that every list shows count as other keys do."""
    assert key(b"OR SEEN " * 400 + b"SEEN")
    assert key(b" ".join([b"SUBJECT x"] * 1000))
    assert key(b"(" * 50 + b"SEEN" + b")" * 50) == Has(Flag.SEEN)
    assert key(b"OR TEXT x " * 19 + b"TEXT x")


@given(
    st.lists(st.sampled_from([b"NOT", b"OR", b"(", b")", b" ", b"SEEN", b"1:*", b"$", b"UID", b'"', b"SUBJECT", b"x", b"\xff", b"RETURN"]))
)
def test_whatever_comes_is_a_search_or_refused(pieces: list[bytes]) -> None:
    """No octets do anything else."""
    for parts in ([b" " + b"".join(pieces)], [b"".join(pieces), b"x", b"".join(pieces)]):
        try:
            parse_search(Tokens(parts), False)
        except BadCommand:
            continue


def rendered(query: Key) -> bytes:
    """A query as a client writes it."""
    match query:
        case Not(inner):
            return b"NOT " + rendered(inner)
        case Either((one, other)):
            return b"OR " + rendered(one) + b" " + rendered(other)
        case Every(queries):
            return b"(" + b" ".join(map(rendered, queries)) + b")"
        case Has(Flag.SEEN):
            return b"SEEN"
    return b"DRAFT"


QUERIES = st.recursive(
    st.sampled_from([Has(Flag.SEEN), Has(Flag.DRAFT)]),
    lambda inner: (
        st.builds(Not, inner) | st.builds(lambda one, other: Either((one, other)), inner, inner)
        | st.builds(lambda each: Every(tuple(each)), st.lists(inner, min_size=2, max_size=3))
    ),
)  # fmt: skip


@given(QUERIES)
def test_keys_in_keys_are_read_as_they_were_written(query: Query) -> None:
    """Any tree of NOT, OR and parentheses."""
    assert key(rendered(query)) == query


def test_the_bounds_are_as_they_are_told() -> None:
    """What the module says of them."""
    assert (searching.MOST_KEYS, searching.MOST_DEEP, searching.MOST_FIELDS, searching.MOST_TEXTS) == (1000, 50, 100, 20)
