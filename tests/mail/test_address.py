"""Addresses: what is one, and how they are found in header fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.address import Address, AddressError, parse, parse_reverse_path


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


def test_a_dot_behind_a_domain_falls_away() -> None:
    """It says only that the name is whole, as the DNS writes it; in an envelope it has no place."""
    for text in ("root@VM", "a@example.com", "a@bücher.example"):
        assert str(parse(f"{text}.")) == str(parse(f"<{text}.>")) == text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty"),
        ("user", "no domain"),
        ("=?utf-8?q?user=40example.com?=", "encoded word"),
        ("@example.com", "before the @"),
        ("user@", "after the @"),
        (".user@example.com", "dot"),
        ("us..er@example.com", "dot"),
        ("us er@example.com", "' '"),
        ("a@b@example.com", "'@'"),
        ("user@exa mple.com", "' '"),
        ("user@-example.com", "hyphen"),
        ("user@example..com", "empty label"),
        ("user@example.com..", "empty label"),
        ("user@" + "a" * 64 + ".com", "63"),
        ("a" * 65 + "@example.com", "64"),
        ("user@" + ".".join(["a" * 60] * 5), "255"),
        ("user@[300.0.2.1]", "literal"),
        ("user@[192.0.2.1", "literal"),
        ("user@[IPv6:192.0.2.1]", "literal"),
        ("user@[IPv6:fe80::1%eth0]", "literal"),
        ("user@[IPv6:1:2:3:4:5:6:7::]", "less than two groups"),
        ("user@[IPv6:1:2:3:4:5::192.0.2.1]", "less than two groups"),
        ("user@127.0.0.1", "no domain.*\\[192.0.2.1\\]"),
        ("user@127.1", "no domain"),
        ("user@１２７.0.0.1", "no domain ends in a number"),
        ("user@℀.example", "no domain"),
        ("user@b ü.example", "no domain"),
        ("user@bücher。", "empty label"),
        ("user@" + "ü" * 60 + ".example", "63|too long|no domain"),
        ("John Smith", "' '"),
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


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@例え。jp", "a@xn--r8jz45g.jp"),
        ("a@straße.example", "a@xn--strae-oqa.example"),
        ('"a b"@bücher.example', '"a b"@xn--bcher-kva.example'),
        ("grüße@bücher.example", "grüße@bücher.example"),
        ("Anna@Example.COM", "Anna@Example.COM"),
        ("a@[IPv6:::1]", "a@[IPv6:::1]"),
    ],
)
def test_only_a_local_part_beyond_ascii_needs_smtputf8(text: str, path: str) -> None:
    """In the envelope a domain has its A-labels, unless the address needs SMTPUTF8 all the same."""
    assert parse(text).path == parse_reverse_path(text) == path
    assert parse(path).path == path


def test_a_bare_word_gets_the_default_domain_only_if_there_is_one() -> None:
    """Mail for root never leaves for a domain that nobody chose."""
    assert parse("root", "example.com") == Address("root", "example.com")
    with pytest.raises(AddressError, match="default_domain"):
        parse("root")


def test_the_null_reverse_path_is_nothing_or_empty_brackets() -> None:
    """`-f ''` and `-f '<>'` mean the same."""
    assert parse_reverse_path("") == parse_reverse_path("<>") == parse_reverse_path(" <> ") == ""
    assert parse_reverse_path("a@example.com") == "a@example.com"


@given(st.text(max_size=80))
def test_an_address_never_holds_what_a_command_line_must_not(text: str) -> None:
    """Whatever is accepted has no control character, no line end, and reads back as itself."""
    try:
        address = parse(text)
    except AddressError:
        return
    assert str(address).isprintable()
    assert parse(str(address)) == address
    assert parse(address.path).path == address.path
