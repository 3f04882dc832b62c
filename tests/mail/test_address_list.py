"""Address lists: every address that is written comes out, or a text that is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import boxes, groups, in_header, written
from mailer.mail.message import listed


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@x.example", ["a@x.example"]),
        ("a@x.example, b@y.example", ["a@x.example", "b@y.example"]),
        ("Me <a@x.example>", ["a@x.example"]),
        ('"Doe, John" <a@x.example>, b@y.example', ["a@x.example", "b@y.example"]),
        ("(comment (nested \\) one)) a@x.example (again)", ["a@x.example"]),
        ("friends: a@x.example, B <b@y.example>; c@z.example", ["a@x.example", "b@y.example", "c@z.example"]),
        ("undisclosed-recipients:;", []),
        ('"quoted local"@x.example', ['"quoted local"@x.example']),
        ("<@a.example,@b.example:u@c.example>", ["u@c.example"]),
        ("user@[IPv6:2001:db8::1]", ["user@[IPv6:2001:db8::1]"]),
        ("", []),
        (", ,;", []),
        ("a@x.example,\r\n\tb@y.example", ["a@x.example", "b@y.example"]),
        ("<a@x.example", ["a@x.example"]),
        ('"never closed', ['"never closed']),
        ("ceo@x.example <b@y.example>", ["b@y.example"]),
        ("b@y.example <b@y.example> B@z.example <b@z.example>", ["b@y.example", "b@z.example"]),
        ("sales via shop@x.example <b@y.example>", ["b@y.example"]),
    ],
)
def test_addresses_are_found_in_a_header_field(value: str, found: list[str]) -> None:
    """Names, comments, folds, quotes and groups are read as RFC 5322 writes them."""
    assert list(in_header(value)) == found


@pytest.mark.parametrize(
    "value",
    [
        "<a@x.example> <b@y.example>",
        "A <a@x.example> B <b@y.example>",
        "A <a@x.example>\r\n B <b@y.example>",
        "a@x.example b@y.example",
        "a@x.example\r\n\tb@y.example",
        "a@x.example(one)b@y.example",
        "a@x.example; b@y.example",
        "<a@x.example> b@y.example",
        "a@x.example: b@y.example",
        "<a@x.example>: b@y.example",
        "team: a@x.example; <b@y.example>",
        "a @ x . example b @ y . example",
    ],
)
def test_addresses_without_a_comma_are_several(value: str) -> None:
    """Nobody who is written down is left out because a comma is missing."""
    assert list(in_header(value)) == ["a@x.example", "b@y.example"]


@pytest.mark.parametrize(
    "value",
    [
        "a@x.example b@x.example <c@x.example>",
        "a@x.example\r\n b@x.example (the second)\r\n <c@x.example>",
        "<a@x.example> b@x.example <c@x.example>",
        "a@x.example, <b@x.example> c@x.example <c@x.example>",
        "a@x.example b@x.example c@x.example <c@x.example>",
        "a@x.example b@x.example <c@x.example",
        "A <a@x.example> b@x.example C <c@x.example>",
        'a@x.example b@x.example "C C" <c@x.example>',
        "a@x.example Betty <b@x.example>, c@x.example Carl <c@x.example>",
    ],
)
def test_addresses_before_a_bracket_are_no_display_name(value: str) -> None:
    """What can only be meant as one more address is one."""
    found = list(in_header(value))
    assert found == ["a@x.example", "b@x.example", "c@x.example"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (" a @ x.example ", "a@x.example"),
        ("a(who)@(where)x.example", "a@x.example"),
        ("pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "pete@silly.test"),  # RFC 5322 §A.5
        ("Mary Smith <@node.test:mary@example.net>", "mary@example.net"),  # RFC 5322 §A.6.1
        ("Mary Smith <@node.test , @other.test : mary@example.net>", "mary@example.net"),
        ("John Doe <jdoe@test  . example>", "jdoe@test.example"),  # RFC 5322 §A.6.3
        ("Joe Q. Public <john . q . public @ example.com>", "john.q.public@example.com"),
        ('"a b" . c@x.example', '"a b.c"@x.example'),
        ('"a"."b"@x.example', "a.b@x.example"),
        ('a."say \\"hi\\""@x.example', '"a.say \\"hi\\""@x.example'),
        ("a@[ 192.0.2.1 ]", "a@[192.0.2.1]"),
        ('"a\r\n b"@x.example', '"a b"@x.example'),
    ],
)
def test_obsolete_forms_mean_what_they_meant(value: str, found: str) -> None:
    """Blanks around @ and the dots, comments within, routes, words in quotes: one address, written as an envelope has it."""
    assert list(in_header(value)) == [found]
    assert parse(found).path == found


@pytest.mark.parametrize(
    ("value", "good", "bad"),
    [
        ("John Smith a@x.example, b@y.example", ["b@y.example"], "John Smith a@x.example"),
        ("root anna, b@y.example", ["b@y.example"], "root anna"),
        ("Anna <a@x.example> Smith, b@y.example", ["a@x.example", "b@y.example"], "Anna <a@x.example> Smith"),
        ("Nobody <>, b@y.example", ["b@y.example"], "Nobody <>"),
        ("(a@x.example, b@y.example", ["b@y.example"], "(a@x.example"),
        ("a@x.example (Anna, b@y.example", ["b@y.example"], "a@x.example (Anna"),
        ("<a@x.example, c@z.example>, b@y.example", ["b@y.example"], "a@x.example, c@z.example"),
        ("<a b@x.example>, b@y.example", ["b@y.example"], "a b@x.example"),
        ('"a"b@x.example, b@y.example', ["b@y.example"], '"a"b@x.example'),
        ("a(no)b@x.example, b@y.example", ["b@y.example"], "a(no)b@x.example"),
    ],
)
def test_what_is_no_address_is_named(value: str, good: list[str], bad: str) -> None:
    """It comes out as it is written and is refused, and costs the others nothing."""
    found = list(in_header(value))
    assert [text for text in found if text != bad] == good
    with pytest.raises(AddressError):
        parse(bad, "example.com")
    assert bad in found


def test_groups_keep_their_names() -> None:
    """Members stand under their group's name, also where it has none of them; the others under none."""
    value = 'a@x.example, "My, friends": b@y.example, C <c@z.example>; d@x.example, nobody:;'
    found = [(name, [box[0] for box in members]) for name, members in groups(value)]
    assert found == [
        ("", ["a@x.example"]),
        ('"My, friends"', ["b@y.example", "c@z.example"]),
        ("", ["d@x.example"]),
        ("nobody", []),
    ]


def test_each_is_found_where_it_stands() -> None:
    """The places of an address and of its mailbox are those in the text, and no two of them overlap."""
    value = 'Anna <a@x.example> "B" < b@y.example > c @ z.example d@x.example, Ed <e@x.example> f, < g@x.example\r\n'
    places = [(value[start:end].strip(), value[first:last]) for _, start, end, first, last in boxes(value)]
    assert places == [
        ("a@x.example", "Anna <a@x.example>"),
        ("b@y.example", '"B" < b@y.example >'),
        ("c @ z.example", "c @ z.example"),
        ("d@x.example", "d@x.example"),
        ("e@x.example", "Ed <e@x.example>"),
        ("f", "f"),
        ("g@x.example", "< g@x.example"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@x.example", ["a@x.example"]),
        ("A <a@x.example>\tB <b@y.example>, c", ["a@x.example", "b@y.example", "c"]),
        ("a@x.example\nb@y.example", ["a@x.example\nb@y.example"]),
        ("A\r\n <a@x.example>", ["A\r\n <a@x.example>"]),
        ("", [""]),
        ("nobody:;", ["nobody:;"]),
    ],
)
def test_a_list_in_an_argument(text: str, found: list[str]) -> None:
    """It is read as in a header, but nobody folds it: a line end makes it one text, which is no address."""
    assert written(text) == found


@given(st.text(max_size=300))
def test_any_text_of_a_header_ends_in_texts_or_nothing(value: str) -> None:
    """No input makes the reader fail, what it finds is not empty, and stands in order without overlap."""
    assert all(in_header(value))
    at = 0
    for _, start, end, first, last in boxes(value):
        assert at <= first <= start <= end <= last <= len(value)
        at = last


ADDRESS = st.sampled_from(["a@x.example", "<b@y.example>", "C D <c@z.example>", '"e f"@x.example', "g . h @ x.example", "<i@[192.0.2.1]>"])
BETWEEN = st.sampled_from([",", "\r\n ", ";", " (note) ", ", ,"])


@given(st.lists(st.tuples(ADDRESS, BETWEEN), min_size=1, max_size=8))
def test_never_fewer_than_were_written(parts: list[tuple[str, str]]) -> None:
    """However addresses are put together, there come out as many; but what stands alone before a bracket is a name."""
    text = "g:;"
    for address, between in parts:
        if "<" in address and text.strip() and text.rstrip()[-1] not in ">,;":
            text += ","
        text += address + between
    assert list(in_header(text)) == [next(in_header(address)) for address, _ in parts]


@pytest.mark.slow
def test_the_cost_of_a_hostile_field_grows_with_its_length_only() -> None:
    """A hundred thousand nested comments or groups are read in a moment."""
    assert len(list(in_header("(" * 100_000))) == 1
    assert list(in_header("(" * 50_000 + ")" * 50_000)) == []
    assert len(list(in_header("g: a@b.example;" * 20_000))) == 20_000
    assert len(list(in_header("<a@b.example> " * 20_000))) == 20_000
    assert len(list(in_header("a@b.example " * 20_000))) == 20_000
    assert len(list(in_header('"a".' * 20_000 + "b@x.example"))) == 1


@given(st.text('ab.@-"(<>,;: \t\r\nä', max_size=12))
def test_one_that_stands_alone_is_found_without_the_reader_of_lists(value: str) -> None:
    """And is what that would find."""
    assert list(listed(value)) == list(in_header(value))
