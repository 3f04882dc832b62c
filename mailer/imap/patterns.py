"""Patterns of LIST: ``*`` stands for any text, ``%`` for any within one level of names. RFC 9051 §6.3.9.

A name is read once, letter by letter, in the states that its beginning leaves: so the time grows with the length of the name alone,
whatever the pattern says. States are made as names need them, and kept up to a bound.

The inbox is met in whatever case its letters are written, and a letter however it is composed, as names are compared here.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

INBOX: Final = "INBOX"
WILD: Final = frozenset("*%")
LONGEST: Final = 2000  # letters of a pattern besides wildcards; no name has as many
MOST_KEPT: Final = 1000  # steps from a state by a letter


class ListPattern:
    """A pattern, with the reference before it."""

    def __init__(self, pattern: str) -> None:
        pattern = composed(pattern)
        self.plain = "" if WILD & set(pattern) else as_inbox(pattern)
        """The name that alone fits, where there is no wildcard; empty where there is one."""
        self._whole = _Matcher(pattern)
        head = min([at for at in (pattern.find("*"), pattern.find("%")) if at >= 0], default=len(pattern))
        beginning = pattern[: min(head, len(INBOX))]
        is_inbox = bool(beginning) and INBOX.startswith(beginning.upper()) and not INBOX.startswith(beginning)
        self._inbox = _Matcher(beginning.upper() + pattern[len(beginning) :]) if is_inbox else self._whole

    def fits(self, name: str) -> bool:
        """Whether a name, which is `composed`, is one of those that the pattern says."""
        if self.plain:
            return name == self.plain
        return (self._inbox if name[:5] == INBOX and name[5:6] in ("", "/") else self._whole).fits(name)


class ListPatterns:
    """Several patterns, of which one has to fit."""

    def __init__(self, patterns: Iterable[str]) -> None:
        made = [ListPattern(each) for each in patterns]
        self._plain = {each.plain for each in made if each.plain}
        self._wild = [each for each in made if not each.plain]

    def fit(self, name: str) -> bool:
        """Whether one of them fits."""
        name = composed(name)
        return name in self._plain or any(each.fits(name) for each in self._wild)


class _Matcher:
    """The states of a pattern. One is a set of places in it, as the bits of a number: the letters before a place have been seen."""

    def __init__(self, pattern: str) -> None:
        self._letters: dict[str, int] = {}
        self._any = self._level = 0  # places that stay where they are at any letter, and at any but /
        place = 0
        self._hopeless = len(pattern) - pattern.count("*") - pattern.count("%") > LONGEST
        for letter in pattern if not self._hopeless else "":
            if letter == "*":
                self._any |= 1 << place
            elif letter == "%":
                self._level |= 1 << place
            else:
                self._letters[letter] = self._letters.get(letter, 0) | 1 << place
                place += 1
        self._end = 1 << place
        self._steps: dict[tuple[int, str], int] = {}

    def fits(self, name: str) -> bool:
        if self._hopeless:
            return False
        here, steps = 1, self._steps
        for letter in name:
            there = steps.get((here, letter))
            if there is None:
                there = self._step(here, letter)
                if len(steps) < MOST_KEPT:
                    steps[here, letter] = there
            if not there:
                return False
            here = there
        return bool(here & self._end)

    def _step(self, here: int, letter: str) -> int:
        stays = self._any if letter == "/" else self._any | self._level
        return (here & self._letters.get(letter, 0)) << 1 | here & stays


def composed(name: str) -> str:
    """A name or a pattern as names are compared: with its letters composed."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def as_inbox(name: str) -> str:
    """A name, with INBOX in capitals where it begins with that level (RFC 9051 §5.1)."""
    return INBOX + name[5:] if name[:5].upper() == INBOX and name[5:6] in ("", "/") else name
