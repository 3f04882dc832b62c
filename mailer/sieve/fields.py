"""The header of a message as a script sees it: the values of its fields, unfolded, with encoded words read (RFC 5228 §2.4.2.2)."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from mailer.mail.address_list import in_header
from mailer.mail.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

MOST: Final = 1000  # fields of one name that are looked at
LONGEST: Final = 65_536  # octets of a value that are looked at
MOST_ADDRESSES: Final = 10_000  # of a field

_FOLD: Final = re.compile(rb"\r?\n[ \t]?")


class SieveHeader:
    """The header of one message; `words` reads a value (without folds, octets that are no UTF-8 as surrogates) as people do."""

    def __init__(self, header: bytes, words: Callable[[str], str]) -> None:
        self._fields: dict[bytes, list[bytes]] = {}
        for name, field in Message(header, b"").fields():
            self._fields.setdefault(name, []).append(field)
        self._words = words
        self._texts: dict[str, list[str]] = {}
        self._addresses: dict[str, list[list[str]]] = {}

    def has(self, name: str) -> bool:
        """Whether there is such a field."""
        return name.lower().encode() in self._fields

    def raw(self, name: str) -> list[str]:
        """The values of all fields of that name, in order, unfolded."""
        fields = self._fields.get(name.lower().encode(), ())[:MOST]
        values = [field.partition(b":")[2][:LONGEST] for field in fields]
        return [_FOLD.sub(b" ", value).strip(b" \t\r\n").decode("utf-8", "surrogateescape") for value in values]

    def texts(self, name: str) -> list[str]:
        """The values of all fields of that name as people read them, in order."""
        key = name.lower()
        if key not in self._texts:
            self._texts[key] = [self._words(value).strip(" \t\r\n") for value in self.raw(key)]
        return self._texts[key]

    def addresses(self, name: str) -> list[list[str]]:
        """The addresses of each field of that name."""
        key = name.lower()
        if key not in self._addresses:
            self._addresses[key] = [list(islice(in_header(value), MOST_ADDRESSES)) for value in self.raw(key)]
        return self._addresses[key]
