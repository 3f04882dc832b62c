"""Expressions that are looked for in the words of a stranger, and must not take for ever whatever he says.

A regular expression is tried in all the ways in which its parts can share a text among them, and some have more ways than
there is time. Here they are counted before an expression is taken: a repetition may be of one character only, a text is cut to
`LONGEST`, and the product of all the ways may be no more than `MOST`. What is left takes milliseconds at worst.

References, and what looks ahead or behind, are not taken: nothing that a reply says needs them.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 400  # characters of a reply that are looked at
MOST = 200_000  # ways in which an expression may match from one place on: two unbounded repetitions, or one with alternatives

_PLAIN = {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN, sre.AT, sre.CATEGORY, sre.RANGE}
_REPEATS = {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}


@lru_cache(maxsize=1000)
def compiled(text: str) -> re.Pattern[str]:
    """The expression, blind to capitals. Raises `ValueError` that says what is wrong with it."""
    if not text or len(text) > LONGEST:
        raise ValueError("an expression has 1 to 400 characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what will mean something else in a later Python
            ways = _ways(_parser.parse(text))
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise ValueError(f"this is no regular expression: {error}") from None
    if ways > MOST:
        raise ValueError("this expression could take very long: use fewer repetitions and alternatives")
    return re.compile(text, re.IGNORECASE)


def found(expression: str, text: str) -> bool:
    """Whether `expression` is found in what `text` begins with."""
    return compiled(expression).search(text[:LONGEST]) is not None


def _ways(parts: Any) -> int:
    """In how many ways a sequence can match."""
    product = 1
    for kind, argument in parts:
        product *= _of(kind, argument)
        if product > MOST:
            break
    return product


def _of(kind: Any, argument: Any) -> int:
    """In how many ways one part can match."""
    if kind in _PLAIN:
        return 1
    if kind is sre.BRANCH:
        return sum(_ways(branch) for branch in argument[1])
    if kind is sre.SUBPATTERN:
        return _ways(argument[3])
    if kind in _REPEATS:
        least, most, repeated = argument
        inner = _ways(repeated)
        if most > 1 and (len(repeated) != 1 or repeated[0][0] not in _PLAIN):
            raise ValueError("this repeats more than one character at a time; write it out, or use .*")
        return int(min(most, LONGEST)) - int(min(least, LONGEST)) + inner
    raise ValueError("references, and looking ahead or behind, are not taken")
