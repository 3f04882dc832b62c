"""Addresses with their names, from the fields of a header: what ENVELOPE tells, and what a list of mail shows.

`mailer.mail.address_list` finds them; what stands beside each is made a name here. RFC 5322 §3.4, RFC 9051 §7.5.2.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.address import is_plain
from mailer.mail.address_list import comment, groups

from .words import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST = 2000  # addresses of a field


class Addressee(NamedTuple):
    """An address with its display `name` as it is written, encoded words and all; `local` is without quotes. Of the name of a group, and of
    its end, `host` is None, and of the end `local` too. `route` is that before the address, RFC 5322 §4.4."""

    name: str
    local: str | None
    host: str | None
    route: str = ""

    def __str__(self) -> str:
        """As people read it."""
        address = f"{self.local}@{self.host}" if self.host else self.local or ""
        return f"{name} <{address}>" if (name := shown(self.name)) else address


END = Addressee("", None, None)
"""The end of a group."""


def mailboxes(values: Iterable[str]) -> Iterator[Addressee]:
    """The mailboxes in the values of a field, with those that begin and end groups; `MOST` at most."""
    return islice((mailbox for value in values for mailbox in _in(value)), MOST)


def _in(value: str) -> Iterator[Addressee]:
    if value and is_plain(value):
        yield _mailbox("", value)
        return
    for group, members in groups(value):
        if group:
            yield Addressee("", phrase(group), None)
        for address, start, end, first, _last in members:
            bracketed = value[start - 1 : start] == "<" and first < start
            if bracketed:
                inside = value[start:end].strip()
                yield _mailbox(phrase(value[first : start - 1]), address if inside else "", _route(inside))
            else:
                yield _mailbox(phrase(comment(value, end)), address)
        if group:
            yield END


def _route(inside: str) -> str:
    """The route in what stands between angle brackets (``@relay,@other:user@host``), without blanks."""
    route, colon, _ = inside.partition(":") if inside.startswith("@") else ("", "", "")
    return "".join(route.split()) if colon else ""


def _mailbox(name: str, address: str, route: str = "") -> Addressee:
    local, _, host = address.rpartition("@")
    if not local and not address.startswith("@"):
        local, host = host, ""
    return Addressee(name, _unquoted(local) if local.startswith('"') else local, host, route)


def phrase(text: str) -> str:
    """A display name without its quotes and comments, its blanks made one each; RFC 5322 §3.2.5."""
    if '"' not in text and "(" not in text and "\\" not in text:
        return " ".join(text.split())
    pieces: list[str] = []
    at = depth = 0
    quoted = False
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            char = text[at]
        elif char == '"' and not depth:
            quoted = not quoted
            char = ""
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            char = ""
        if not depth:
            pieces.append(char)
        at += 1
    return " ".join("".join(pieces).split())


def _unquoted(local: str) -> str:
    return phrase(local) if len(local) > 2 else ""  # RFC 9051 §7.5.2: without the quotes of RFC 5322
