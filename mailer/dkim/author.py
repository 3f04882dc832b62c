"""The author's domain: that of the From field, and which of our domains may answer for it.

DMARC asks that the domain of a signature is that of the From field, or part of the same organisation (RFC 7489 §3.1.1). So
the key is that of the very domain, else that of the nearest domain above it which has one: mail from
``news.shop.example.com`` is signed by ``shop.example.com`` if that has a key, else by ``example.com``. Nobody has a key for a
public suffix, so no list of those is needed. Mail from a domain of somebody else is not signed: no key fits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from mailer.mail.address import AddressError, parse
from mailer.mail.address_list import in_header
from mailer.mail.domain import ascii_domain
from mailer.mail.message import Message, header_end

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")

_FROM = re.compile(rb"(?:\A|\r\n)from[ \t]*:", re.IGNORECASE)
_PLAIN = re.compile(rb"(?:[\w .-]*<| *)[\w.+=-]+@([A-Za-z0-9.-]+)>?\r\n(?![ \t])", re.ASCII)
"""How nearly all From fields look. What it finds, the reader of addresses finds too; it only takes longer."""


def domains(content: bytes) -> Iterator[str]:
    """The domains of the From field of `content`, a normalised message, as the DNS has them.

    A second From field makes the message wrong (RFC 5322 §3.6); it does not decide who signs.
    """
    end = header_end(content)
    field = _FROM.search(content, 0, end)
    if field is None:
        return
    if plain := _PLAIN.match(content, field.end(), end):
        yield plain[1].decode().lower()
        return
    for text in in_header(next(Message.split(content[:end]).values(b"from"), "")):
        try:
            yield ascii_domain(parse(text).domain)
        except (AddressError, ValueError):
            continue


def nearest(domain: str, known: Mapping[str, T]) -> T | None:
    """What `known` has for `domain`, or for the nearest domain above it; None if that is nothing."""
    while domain:
        if (found := known.get(domain)) is not None:
            return found
        domain = domain.partition(".")[2]
    return None
