"""Expressions that are looked for in the words of a stranger, and must not take for ever whatever he says.

A regular expression is tried in all the ways in which its parts can share a text among them, and some have more ways than
there is time. Here they are counted before an expression is taken: a repetition may be of one character only, a text is cut to
what `REACH` says, and all the ways from all its places may be no more than `MOST`. What is left takes some 40 ms on the worst of texts,
and is asked once of each.

References, and what looks ahead or behind, are not taken: nothing that a reply says needs them.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

sre: Any = import_module("re._constants")  # the two are not documented, and have no types
parser: Any = import_module("re._parser")

LONGEST = 400  # characters of an expression, and of a reply that are looked at
REACH = (LONGEST, LONGEST, 200)  # the same, with no, one and two repetitions that are `WIDE`; none may have three
STEPS = (400, 400**2 // 2, 200**3 // 6)  # ways in which those can share such a text, from all places in it
GAP = 80  # characters between two parts of a phrase
WIDE = 20  # repetitions: fewer are counted as so many alternatives
MOST = 1_400_000  # steps, of some 30 ns each: two wide repetitions, one with 17 alternatives, or 3500 alternatives

_PLAIN = {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.AT, sre.CATEGORY, sre.RANGE}
_REPEATS = {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}


class Ways(NamedTuple):
    """The number of ways in which a part of an expression can match, beside so many `wide` repetitions."""

    number: int = 1
    wide: int = 0

    @property
    def too_many(self) -> bool:
        """Whether to try them all could take long."""
        return self.wide >= len(STEPS) or self.number * STEPS[self.wide] > MOST


class Expression:
    """An expression that was taken: blind to capitals, and looked for in the first `reach` characters of a text."""

    __slots__ = ("pattern", "reach", "text")

    def __init__(self, text: str) -> None:
        """Raises `ValueError` that says what is wrong with it."""
        if not text or len(text) > LONGEST:
            raise ValueError(f"an expression has 1 to {LONGEST} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what will mean something else in a later Python
                ways = _ways(parser.parse(text))
        except (re.error, RecursionError, OverflowError, Warning) as error:
            raise ValueError(f"this is no regular expression: {error}") from None
        if ways.too_many:
            raise ValueError("this expression could take very long: use fewer repetitions and alternatives")
        self.text = text
        self.pattern = re.compile(text, re.IGNORECASE)
        self.reach = REACH[ways.wide]

    def found(self, text: str) -> bool:
        """Whether it is found in what `text` begins with."""
        return _found(self, text[:LONGEST])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


@lru_cache(maxsize=1000)  # one reply is that to a thousand recipients
def _found(expression: Expression, text: str) -> bool:
    return expression.pattern.search(text, 0, expression.reach) is not None


class Phrase(tuple[str, ...]):
    """The parts of ``sender * not allowed``, in small letters: between two there may be some `GAP` other characters."""

    __slots__ = ()

    @classmethod
    def read(cls, text: str) -> Phrase:
        """The phrase that `text` writes. Raises `ValueError` for one that says nothing."""
        if not 3 <= len(text.strip(" *")) <= LONGEST:
            raise ValueError("this is too short to say anything, or too long")
        return cls(text.lower().split(" * "))

    def __str__(self) -> str:
        return " * ".join(self)


def says(phrase: Phrase, text: str) -> bool:
    """Whether `text`, in small letters, has the parts of `phrase` with at most `GAP` other characters between two.

    There is no going back: of each part the first place behind the part before is taken, and only the first part has other tries.
    """
    first, *rest = phrase
    start = text.find(first)
    while rest and start >= 0:
        end = start + len(first)
        for part in rest:
            found = text.find(part, end, end + GAP + len(part))
            if found < 0:
                break
            end = found + len(part)
        else:
            return True
        start = text.find(first, start + 1)
    return start >= 0


def _ways(parts: Any) -> Ways:
    """In how many ways a sequence can match."""
    ways = Ways()
    for kind, argument in parts:
        part = _of(kind, argument)
        ways = Ways(ways.number * part.number, ways.wide + part.wide)
        if ways.too_many:
            break
    return ways


def _of(kind: Any, argument: Any) -> Ways:
    """In how many ways one part can match."""
    if kind in _PLAIN:
        return Ways()
    if kind is sre.BRANCH:
        branches = [_ways(branch) for branch in argument[1]]
        return Ways(sum(branch.number for branch in branches), max(branch.wide for branch in branches))
    if kind is sre.SUBPATTERN:
        return _ways(argument[3])
    if kind in _REPEATS:
        least, most, repeated = argument
        inner = _ways(repeated)
        if most > 1 and (len(repeated) != 1 or repeated[0][0] not in _PLAIN):
            raise ValueError("this repeats more than one character at a time; write it out, or use .*")
        span = int(min(most, LONGEST)) - int(min(least, LONGEST))
        return Ways(1, 1) if span > WIDE else Ways(span + inner.number, inner.wide)
    raise ValueError("references, and looking ahead or behind, are not taken")
