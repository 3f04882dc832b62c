"""Words as a person types them: all of them, or their beginnings, in any order, anywhere in a message.

A word of a script that divides words is found where one begins; one of a script that does not (Chinese, Japanese, Thai and others) is found
anywhere, as a reader finds it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .texts import folded

if TYPE_CHECKING:
    from .texts import Searched

MOST: Final = 20  # words that are looked for

_WORDS: Final = re.compile(r"[^\W_]+")
_UNDIVIDED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")


def divided_in(text: str) -> list[str]:
    """All words of a folded text that are divided from others, in order; a letter of an undivided script divides, too."""
    words = _WORDS.findall(text)
    return words if text.isascii() else [piece for word in words for piece in _UNDIVIDED.split(word) if piece]


def words_of(text: str) -> tuple[list[str], list[str]]:
    """The words of a text, folded: those that are divided by what is no letter, and those that are not."""
    words = list(dict.fromkeys(_WORDS.findall(folded(text))))[:MOST]
    undivided = [word for word in words if _UNDIVIDED.search(word)]
    return [word for word in words if word not in undivided], undivided


class Words:
    """Asks whether all words are in a message; without any, it is true."""

    def __init__(self, text: str) -> None:
        divided, undivided = words_of(text)
        self._divided = [word.encode() for word in divided]
        self._undivided = [word.encode() for word in undivided]

    def true_of(self, text: Searched) -> bool:
        """Whether they are in this text."""
        octets = text.octets
        return all(word in octets for word in self._undivided) and all(_begins(octets, word) for word in self._divided)


def _begins(octets: bytes, word: bytes) -> bool:
    """Whether a word begins so."""
    at = octets.find(word)
    while at >= 0:
        if not _ends_in_letter(octets[max(at - 4, 0) : at]):
            return True
        at = octets.find(word, at + 1)
    return False


def _ends_in_letter(before: bytes) -> bool:
    last = before.decode("utf-8", "ignore")[-1:]
    return bool(last) and _WORDS.match(last) is not None and not _UNDIVIDED.match(last)
