"""Addresses: what is one, and how they are found in header fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import Address, AddressError, in_header, parse, parse_reverse_path


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com",
        "<user@example.com>",
        "user+tag@sub.example.co.uk",
        '"quoted local"@example.com',
        r'"with \" quote"@example.com',
        '"a@b"@example.com',
        "user@[192.0.2.1]",
        "user@[IPv6:2001:db8::1]",
        "grüße@bücher.example",
        "a@localhost",
        "_dmarc@_tcp.example.com",
    ],
)
def test_an_address_reads_as_it_was_written(text: str) -> None:
    """What may stand in an envelope is taken as it is, less its angle brackets."""
    assert str(parse(text)) == text.strip("<>")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("user", "no domain"),
        ("@example.com", "before the @"),
        ("user@", "after the @"),
        (".user@example.com", "dot"),
        ("us..er@example.com", "dot"),
        ("us er@example.com", "' '"),
        ("a@b@example.com", "'@'"),
        ("user@exa mple.com", "' '"),
        ("user@-example.com", "hyphen"),
        ("user@example..com", "empty label"),
        ("user@example.com.", "empty label"),
        ("user@" + "a" * 64 + ".com", "63"),
        ("a" * 65 + "@example.com", "64"),
        ("user@" + ".".join(["a" * 60] * 5), "255"),
        ("user@[300.0.2.1]", "literal"),
        ("user@[192.0.2.1", "literal"),
        ("user@[IPv6:192.0.2.1]", "literal"),
        ('"open@example.com', "quotes|after the"),
        ('"a\\é"@example.com', "quotes"),
        ('"a"b@example.com', "closing quote"),
        ("user@example.com\r\nRCPT TO:<x@y>", "control"),
        ('"a\r\nRCPT TO:<x>"@d.example', "control"),
        ("user\x00@example.com", "control"),
        ("user@example.com\x7f", "control"),
        ("user\x85@example.com", "control"),
        ("user\u2028@example.com", "control"),
        ("user@exämple\ud800.com", "control"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(text: str, problem: str) -> None:
    """The error names the text and says what is wrong with it."""
    with pytest.raises(AddressError, match=problem):
        parse(text)


def test_a_bare_word_gets_the_default_domain_only_if_there_is_one() -> None:
    """Mail for root never leaves for a domain that nobody chose."""
    assert parse("root", "example.com") == Address("root", "example.com")
    with pytest.raises(AddressError, match="default_domain"):
        parse("root")


def test_the_null_reverse_path_is_nothing_or_empty_brackets() -> None:
    """`-f ''` and `-f '<>'` mean the same."""
    assert parse_reverse_path("") == parse_reverse_path("<>") == parse_reverse_path(" <> ") == ""
    assert parse_reverse_path("a@example.com") == "a@example.com"


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
        (" a @ x.example ", ["a @ x.example"]),
        ("user@[IPv6:2001:db8::1]", ["user@[IPv6:2001:db8::1]"]),
        ("", []),
        (", ,;", []),
        ("a@x.example,\r\n\tb@y.example", ["a@x.example", "b@y.example"]),
        ("<a@x.example", ["a@x.example"]),
        ('"never closed', ['"never closed']),
    ],
)
def test_addresses_are_found_in_a_header_field(value: str, found: list[str]) -> None:
    """Names, comments, folds, quotes and groups are read as RFC 5322 writes them."""
    assert list(in_header(value)) == found


@given(st.text(max_size=300))
def test_any_text_of_a_header_ends_in_texts_or_nothing(value: str) -> None:
    """No input makes the reader fail, and what it finds is not empty."""
    assert all(in_header(value))


@given(st.text(max_size=80))
def test_an_address_never_holds_what_a_command_line_must_not(text: str) -> None:
    """Whatever is accepted has no control character, no line end, and reads back as itself."""
    try:
        address = parse(text)
    except AddressError:
        return
    assert str(address).isprintable()
    assert parse(str(address)) == address


def test_the_cost_of_a_hostile_field_grows_with_its_length_only() -> None:
    """A hundred thousand nested comments or groups are read in a moment."""
    assert list(in_header("(" * 100_000)) == []
    assert len(list(in_header("g: a@b.example;" * 20_000))) == 20_000
