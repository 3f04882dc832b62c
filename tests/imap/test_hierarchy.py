"""Which names LIST and LSUB answer with: the examples of RFC 9051 §6.3.9.8 and RFC 5258 §5."""

from __future__ import annotations

import pytest

from mailer.imap.command import Listing
from mailer.imap.hierarchy import KnownName, listed, subscribed
from mailer.imap.lexer import Tokens
from mailer.imap.listing import parse_list, parse_lsub


def known(*names: str, subscribed: str = "", roles: str = "") -> list[KnownName]:
    """Folders of these names, those that are subscribed, and of no folder besides, and what some are for."""
    wanted, uses = subscribed.split(), dict(each.split("=") for each in roles.split())
    found = [KnownName(name, place, name in wanted, uses.get(name, "")) for place, name in enumerate(names)]
    return found + [KnownName(name, -1, subscribed=True) for name in wanted if name not in names]


def asked(said: str) -> Listing:
    return parse_list(Tokens([b" " + said.encode()]), False)


def answered(names: list[KnownName], said: str) -> list[str]:
    """What is answered, without \\HasNoChildren."""
    return [
        " ".join([each.name, *(one for one in each.attributes if one != "\\HasNoChildren"), *each.childinfo])
        for each in listed(names, asked(said))
    ]


FRUIT = known(
    "INBOX", "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable", "Vegetable/Broccoli", "Vegetable/Corn",
    subscribed="INBOX Fruit/Banana Fruit/Peach Vegetable Vegetable/Broccoli",
)  # fmt: skip
TWOS = known(
    "INBOX", "foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba",
    subscribed="foo2/bar1 foo2/bar2 baz2/bar2 baz2/bar22 baz2/bar222 eps2 eps2/mamba qux2/bar2",
)  # fmt: skip


@pytest.mark.parametrize(
    ("names", "said", "answers"),
    [
        (FRUIT, '"" "*"', ["INBOX", "Fruit \\HasChildren", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable \\HasChildren",
                           "Vegetable/Broccoli", "Vegetable/Corn"]),
        (FRUIT, '(SUBSCRIBED) "" "*"', ["INBOX \\Subscribed", "Fruit/Banana \\Subscribed", "Vegetable \\Subscribed \\HasChildren",
                                        "Vegetable/Broccoli \\Subscribed", "Fruit/Peach \\NonExistent \\Subscribed"]),
        (FRUIT, '() "" "%" RETURN (CHILDREN)', ["INBOX", "Fruit \\HasChildren", "Tofu", "Vegetable \\HasChildren"]),
        (FRUIT, '(REMOTE) "" "Fruit/*" RETURN (SUBSCRIBED)', ["Fruit/Apple", "Fruit/Banana \\Subscribed"]),
        (FRUIT, '"" ("INBOX" "Tofu" "" "Vegetable/%")', ["INBOX", "Tofu", "Vegetable/Broccoli", "Vegetable/Corn"]),
        (FRUIT, '"Fruit/" A*', ["Fruit/Apple"]),
        (known("INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo", subscribed="Foo/Baz"), '(SUBSCRIBED) "" "%"', []),
        (known("INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo", subscribed="Foo/Baz"), '(SUBSCRIBED RECURSIVEMATCH) "" "%"',
         ["Foo \\HasChildren SUBSCRIBED"]),
        (known("INBOX", "Foo", "Foo/Bar", "Foo/Baz", "Moo", subscribed="Foo Foo/Baz"), '(RECURSIVEMATCH SUBSCRIBED) "" "%"',
         ["Foo \\Subscribed \\HasChildren SUBSCRIBED"]),
        (known("INBOX", "Moo", subscribed="Foo/Baz"), '(SUBSCRIBED RECURSIVEMATCH) "" "%"', ["Foo \\NonExistent SUBSCRIBED"]),
        (known("INBOX", "Foo", "Foo/Bar", "Moo"), '(SUBSCRIBED RECURSIVEMATCH) "" "%"', []),
        (known("INBOX", "Foo", "Foo/Bar", "Moo", subscribed="Foo Moo"), '(SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)',
         ["Foo \\Subscribed \\HasChildren", "Moo \\Subscribed"]),
        (TWOS, '(RECURSIVEMATCH SUBSCRIBED) "" "*2"',
         ["foo2 \\HasChildren SUBSCRIBED", "foo2/bar2 \\Subscribed", "baz2/bar2 \\Subscribed", "baz2/bar22 \\Subscribed",
          "baz2/bar222 \\Subscribed", "eps2 \\Subscribed \\HasChildren SUBSCRIBED", "qux2/bar2 \\NonExistent \\Subscribed"]),
        (known("foo", subscribed="foo/bar"), '(SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)', ["foo SUBSCRIBED"]),
        (known("INBOX", "Gone", "Sent", roles="Sent=sent INBOX=inbox"), '"" "%"', ["INBOX", "Gone", "Sent \\Sent"]),
        (known("INBOX", "a", "a/Sent", roles="a/Sent=sent"), '(SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)', ["a/Sent \\Sent"]),
        (known("INBOX", "a", "a/Sent", "a/x", subscribed="a/x a/Sent", roles="a/Sent=sent"),
         '(SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) "" "%"', ["a \\HasChildren SUBSCRIBED SPECIAL-USE"]),
    ],
)  # fmt: skip
def test_list_answers_as_the_standard_says(names: list[KnownName], said: str, answers: list[str]) -> None:
    """Each name once, with all that is true of it."""
    assert sorted(answered(names, said)) == sorted(answers)


@pytest.mark.parametrize(
    ("pattern", "answers"),
    [
        ("*", ["Fruit/Banana", "Fruit/Peach", "INBOX", "Vegetable", "Vegetable/Broccoli"]),
        ("%", ["Fruit \\Noselect", "INBOX", "Vegetable"]),
        ("F%", ["Fruit \\Noselect"]),
        ("Fruit/%", ["Fruit/Banana", "Fruit/Peach"]),
        ("x", []),
    ],
)
def test_lsub_answers_as_the_older_standard_says(pattern: str, answers: list[str]) -> None:
    """RFC 3501 §6.3.9: what is above a subscribed name that the pattern leaves out is told, and marked."""
    found = subscribed(FRUIT, parse_lsub(Tokens([b' "" ' + pattern.encode()]), False))
    assert sorted(" ".join([each.name, *each.attributes]) for each in found) == answers
