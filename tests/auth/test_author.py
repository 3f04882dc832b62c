"""Who has written a message: one field with one address in it, or nobody that anything could be proved of."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.auth.author import MOST_NAMED, Author, author_of
from mailer.dkim.verify import SignedMessage


def of(header: str) -> Author:
    """The author of a message with this header."""
    return author_of(SignedMessage(f"{header}\r\nTo: v@victim.example\r\n\r\nhi\r\n".encode()).fields)


@pytest.mark.parametrize(
    ("header", "domain"),
    [
        ("From: a@example.com", "example.com"),
        ("From: <a@Example.COM>", "example.com"),
        ("FROM : A. Nn <a@example.com.>", "example.com"),
        ('From: "Nn, A" <a@example.com>', "example.com"),
        ("From:\r\n\t=?utf-8?q?J=C3=B6rg?=\r\n <j@example.com>", "example.com"),
        ("From: a@example.com (b@attack.com)", "example.com"),
        ('From: "admin@legit.com" <a@attack.com>', "attack.com"),
        ("From: Jörg <jörg@exämple.com>", "xn--exmple-cua.com"),
        ('From: "odd one"@example.com', "example.com"),
        ("From: a@[192.0.2.1]", "[192.0.2.1]"),
        ("From: a@example.com\r\nSender: b@other.example\r\nResent-From: c@third.example", "example.com"),
    ],
)
def test_one_author(header: str, domain: str) -> None:
    """One field with one address names him, however it is written."""
    found = of(header)
    assert (found.domain, found.problem, found.named) == (domain, "", ())


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("From: <first@attack.com>\r\nFrom: <admin@legit.com>", {"attack.com", "legit.com"}),
        ("From: <first@attack.com>\r\nFrom : <admin@legit.com>", {"attack.com", "legit.com"}),
        ("From: <first@attack.com>, <admin@legit.com>", {"attack.com", "legit.com"}),
        ("From:=?utf-8?b?PGFkbWluQGxlZ2l0LmNvbT4=?=,<second@attack.com>", {"attack.com", "legit.com"}),
        ("From: <@attack.com,@any.com:admin@legit.com>", {"attack.com", "any.com", "legit.com"}),
        ("From: <admin@legit.com>\\,<second@attack.com>", {"attack.com", "legit.com"}),
        ("From: admin@legit.com,<second@attack.com>", {"attack.com", "legit.com"}),
        ("From: <any@attack.com>admin@legit.com", {"attack.com", "legit.com"}),
        ("From: friends: a@attack.com, b@legit.com;", {"attack.com", "legit.com"}),
        ("From: friends: a@legit.com;", {"legit.com"}),
        ("From: undisclosed:;", set()),
        ("From: a@legit.com, b@legit.com", {"legit.com"}),
        ("From: a@legit..com", set()),
        ("From: admin", set()),
        ("From:", set()),
        ("Subject: x", set()),
        ("Sender: <admin@legit.com>", {"legit.com"}),
        ("Resent-From: <admin@legit.com>", {"legit.com"}),
        ("X: y\r\nFrom: a@exämple.com, b@attack.com", {"xn--exmple-cua.com", "attack.com"}),
    ],
)
def test_anything_else_names_no_author(header: str, named: set[str]) -> None:
    """Two programs could take it for two people; all whom a reader may take for the author are named."""
    found = of(header)
    assert found.domain == ""
    assert found.problem
    assert set(found.named) == named
    assert not found.endless


@pytest.mark.parametrize(
    "header",
    [
        "From: " + ", ".join(f"a@d{number}.example" for number in range(MOST_NAMED + 1)),
        "\r\n".join(f"From: a@d{number}.example" for number in range(1000)),
        "From: " + "x" * 10_000 + ", a@legit.com",
        "From: =?utf-8?q?" + "=20" * 5000 + "?= <a@x.example>, <b@legit.com>",
    ],
)
def test_what_names_too_many_is_said_to(header: str) -> None:
    """Whoever hides a name behind many others, or behind much text, has named more than is read."""
    found = of(header)
    assert (found.domain, found.endless) == ("", True)
    assert len(found.named) <= MOST_NAMED


@given(st.text(st.sampled_from('a@b.c<>,;:"()[]\\ =?\r\n\t ä'), max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """Whatever stands in From, it names one author, or there is a problem."""
    found = of("From: " + text.replace("\r", "").replace("\n", ""))
    assert bool(found.domain) != bool(found.problem)


def test_no_field_takes_long() -> None:
    """A megabyte in From, or in a thousand of them, is looked through in a moment."""
    begin = time.process_time()
    for unit in ("@", "(", '"', "<a@b.c>,", "=?utf-8?q?x?= ", "\\"):
        of("From: " + unit * (1_000_000 // len(unit)))
        of("\r\n".join(["From: " + unit * 100] * 1000))
    assert time.process_time() - begin < 5
