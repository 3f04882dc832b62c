"""Phrases of people's languages, and where in a text one stands: how `classes` and `shapes` read what is written for people.

Text and phrases are compared as words: in lower case, with one space before each, and no punctuation but dots. A phrase begins where a
word does and ends anywhere, so that one has its inflected forms; where it is written in a script that has no spaces between words, it
may stand anywhere. " * " in it is any text.

A phrase is found by how its first word begins, and looked for nowhere else: the time grows with the text, whatever it says, and hardly
with the number of phrases.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGIN = 3  # letters of a phrase by which it is found
UNSPACED = 0x2E80  # from here on are the scripts of East Asia

_BETWEEN = re.compile(r"[^\w.]+|_+|\.(?=\s|$)")


def words(text: str) -> str:
    """`text` in lower case, with one space before each word."""
    return " " + _BETWEEN.sub(" ", text.lower()).strip()


class _Phrase(NamedTuple):
    """The pieces of a phrase in their order, and what it is a sign of."""

    pieces: tuple[str, ...]
    name: str

    def follows(self, text: str, at: int) -> bool:
        """Whether all pieces but the first stand in `text` behind `at`, in their order."""
        for piece in self.pieces[1:]:
            at = text.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        return True


class Phrases:
    """Phrases, each a sign of something that has a name."""

    def __init__(self, named: Iterable[tuple[str, Iterable[str]]]) -> None:
        self._begun: dict[str, list[_Phrase]] = {}
        self._anywhere: list[_Phrase] = []
        for name, phrases in named:
            for phrase in phrases:
                self._add(phrase, name)
        for alike in self._begun.values():
            alike.sort(key=lambda phrase: -len(phrase.pieces[0]))

    def _add(self, written: str, name: str) -> None:
        pieces = tuple(words(piece) + " " * piece.endswith(" ") for piece in written.split(" * "))
        if ord(written[0]) >= UNSPACED:
            self._anywhere.append(_Phrase(tuple(piece.lstrip() for piece in pieces), name))
        else:
            self._begun.setdefault(pieces[0][1 : 1 + BEGIN], []).append(_Phrase(pieces, name))

    def first(self, text: str) -> tuple[int, str]:
        """Where the phrase stands in `text` (`words` of something) that stands first, and its name; of several there, the longest.

        The length of `text` and an empty name, where none does.
        """
        best, name = len(text), ""
        for phrase in () if text.isascii() else self._anywhere:
            found = text.find(phrase.pieces[0], 0, best)
            if found >= 0 and phrase.follows(text, found + len(phrase.pieces[0])):
                best, name = found, phrase.name
        at = text.find(" ")
        while 0 <= at < best:
            for phrase in self._begun.get(text[at + 1 : at + 1 + BEGIN], ()):
                if text.startswith(phrase.pieces[0], at) and phrase.follows(text, at + len(phrase.pieces[0])):
                    return at, phrase.name
            at = text.find(" ", at + 1)
        return best, name

    def stands_in(self, text: str) -> bool:
        """Whether one of them stands in `text` (`words` of something)."""
        return bool(self.first(text)[1])

    def begins(self, text: str) -> bool:
        """Whether `text` (`words` of something) begins with one of them."""
        at, name = self.first(text)
        return bool(name) and at == (0 if text[1:2] < chr(UNSPACED) else 1)
