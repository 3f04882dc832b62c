"""Which domain a message is from, and which key may answer for it."""

from __future__ import annotations

import pytest

from mailer.dkim.sign import domains, nearest
from mailer.mail.message import normalise


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (" anna@example.com", ["example.com"]),
        ("anna@EXAMPLE.Com", ["example.com"]),
        (" Anna <anna@example.com>", ["example.com"]),
        (' "Anna @ home" <anna@example.com>', ["example.com"]),
        (" Anna\n <anna@example.com>", ["example.com"]),
        (" anna@example.com\n (at example.org)", ["example.com"]),
        (" =?utf-8?q?Gr=C3=BC=C3=9Fe=40x?= <anna@example.com>", ["example.com"]),
        (" mallory@example.net <anna@example.com>", ["example.com"]),
        (" anna@example.com (mallory@example.net)", ["example.com"]),
        (" anna@example.com, ben@example.org", ["example.com", "example.org"]),
        (" Grüße <anna@grüße.example>", ["xn--gre-6ka8l.example"]),
        (" friends: anna@example.com, ben@example.org;", ["example.com", "example.org"]),
        (" undisclosed:;", []),
        (" anna", []),
        (" <>", []),
        ("", []),
        (" @example.com", []),
        (" anna@exa mple.com", []),
        (" anna@[192.0.2.1]", ["[192.0.2.1]"]),
    ],
)
def test_the_domains_of_a_from_field(value: str, found: list[str]) -> None:
    """Whatever stands around the address, the domain is that of the address, in the form that the DNS has."""
    assert [*domains(normalise(f"To: x@there.example\nFrom:{value}\nSubject: x\n\ntext\n".encode()))] == found


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("from : anna@example.com\n\n", ["example.com"]),
        ("From: anna@example.com\n", ["example.com"]),
        ("FROM: anna@example.com\nFrom: ben@example.org\n\n", ["example.com"]),
        ("From: , <anna@example.com>\nFrom: ben@example.org\n\n", ["example.com"]),
        ("X-From: anna@example.com\n\nFrom: ben@example.org\n\n", []),
        ("Subject: x\n From: ben@example.org\n\n", []),
        ("\nFrom: ben@example.org\n\n", []),
        ("", []),
    ],
)
def test_which_field_it_is(message: str, found: list[str]) -> None:
    """The first From field of the header, whatever its case; nothing in the body or in another field."""
    assert [*domains(normalise(message.encode()))] == found


def test_the_nearest_domain_answers() -> None:
    """The very domain if it has a key, else the nearest above it; never one beside or below."""
    known = {"example.com": 1, "shop.example.com": 2}
    assert nearest("example.com", known) == 1
    assert nearest("shop.example.com", known) == 2
    assert nearest("news.shop.example.com", known) == 2
    assert nearest("www.example.com", known) == 1
    assert nearest("notexample.com", known) is None
    assert nearest("com", known) is None
    assert nearest("", known) is None
