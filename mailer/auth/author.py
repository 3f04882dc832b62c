"""The author that a message names: the domain of its From field, if there is one author, and every domain that is named if there is not.

A message has one From field with one address in it, or two programs will take two different people for its author: the one that judges it
and the one that shows it. So nothing else can be proved (RFC 9989 §5.3.1), and what a reader might take for the author counts as named: all
addresses in all From fields, in encoded words as well, and those of Sender and Resent-From where there is no From.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import groups
from mailer.mail.domain import ascii_domain
from mailer.mail.envelope import LONGEST_READ, read_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MOST_NAMED = 10  # domains; nobody names more who means well
LONGEST = LONGEST_READ  # characters of all From fields together

_PLAIN = re.compile(r'(?:"[\w .,+-]*" |[\w .+-]*)<[\w.+=-]+@([A-Za-z0-9.-]+)>|[\w.+=-]+@([A-Za-z0-9.-]+)', re.ASCII)
"""How nearly all From fields look. What is found by it, the reader of addresses finds too; it only takes longer."""

_DOMAIN = re.compile(r"@\s{0,9}([^\s<>,;:\"()\\\[\]@]{1,253})")


class Author(NamedTuple):
    """The `domain` of the one author, in A-labels; or the `problem`, and the domains that are `named` instead.

    `endless` says that more is named than is read.
    """

    domain: str
    problem: str = ""
    named: tuple[str, ...] = ()
    endless: bool = False


def author_of(fields: Mapping[bytes, Sequence[tuple[bytes, bytes]]]) -> Author:
    """The author of a message whose `fields`, by their lower-case names, have these names as written and values."""
    values = [*_values(fields, b"from")]
    if len(values) == 1 and len(values[0]) <= LONGEST:
        if plain := _PLAIN.fullmatch(values[0]):
            return _known(plain[1] or plain[2])
        return _read(values[0])
    if values:
        return _unknown(f"there are {len(values)} From fields" if len(values) > 1 else "its From field is too long", values)
    return _unknown("there is no From field", chain(_values(fields, b"sender"), _values(fields, b"resent-from")))


def _values(fields: Mapping[bytes, Sequence[tuple[bytes, bytes]]], name: bytes) -> Iterator[str]:
    """The unfolded values of the fields called `name`."""
    return (value.replace(b"\r\n", b"").decode("utf-8", "replace").strip() for _, value in fields.get(name, ()))


def _known(domain: str) -> Author:
    try:
        return Author(ascii_domain(domain))
    except ValueError:
        return Author("", "the domain of the From field is none")


def _read(value: str) -> Author:
    """A value that takes a closer look."""
    found = [*groups(value)]
    boxes = [box for _, members in found for box in members]
    if len(boxes) != 1 or found[0][0]:
        return _unknown("the From field does not name one author", [value])
    text, start, end, *_ = boxes[0]
    if "@" not in value[start:end] or value[start:end].lstrip().startswith("@"):
        return _unknown("the address of the From field has a route, or is none", [value])
    try:
        return _known(parse(text).domain)
    except AddressError:
        return _unknown("the address of the From field is none", [value])


def _unknown(problem: str, values: Iterable[str]) -> Author:
    named: dict[str, None] = {}
    length = 0
    for value in values:
        length += len(value)
        if length > LONGEST or len(named) > MOST_NAMED:
            return Author("", problem, tuple(named)[:MOST_NAMED], endless=True)
        for text in dict.fromkeys((value, read_words(value))):
            _name(named, text)
    return Author("", problem, tuple(named)[:MOST_NAMED], endless=len(named) > MOST_NAMED)


def _name(named: dict[str, None], text: str) -> None:
    for match in _DOMAIN.finditer(text):
        try:
            named[ascii_domain(match[1])] = None
        except ValueError:
            continue
