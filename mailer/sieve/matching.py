"""How values are compared with keys: match types and comparators. RFC 5228 §2.7, RFC 5231, RFC 4790 §9

Each comparison has its price, in characters, and a script has a budget of them (`Effort`): one that looks for many things in a large
message ends with an error, and never keeps the machine busy.
"""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from . import glob
from .errors import SieveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MOST_EFFORT: Final = 20_000_000  # characters that a script compares
EACH: Final = 16  # what a comparison costs whatever is compared, in characters
PATTERN: Final = 8  # what a character of a pattern costs, which is read for each value

_SMALL: Final = {upper: upper + 32 for upper in range(65, 91)}


class Effort:
    """What a script may still compare."""

    def __init__(self, most: int = MOST_EFFORT) -> None:
        self._left = most

    def spend(self, characters: int, line: int) -> None:
        """Take so many. Raises `SieveError` where there are no more."""
        self._left -= characters + 1
        if self._left < 0:
            raise SieveError(line, "the script has compared too much text with this message; let it look at fewer fields, for fewer things")


def folded(text: str) -> str:
    """`text` with the letters of ASCII small, RFC 4790 §9.2; it has as many characters."""
    return text.lower() if text.isascii() else text.translate(_SMALL)


def number(text: str) -> tuple[int, str]:
    """What the digits say that `text` begins with, as something to compare; without any it is above all numbers. RFC 4790 §9.1"""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    if not digits:
        return 1 << 62, ""
    digits = digits.lstrip("0")
    return len(digits), digits


def _same(text: str) -> str:
    return text


KEYS: Final[dict[str, Callable[[str], str | tuple[int, str]]]] = {
    "i;ascii-casemap": folded,
    "i;octet": _same,
    "i;ascii-numeric": number,
}
"""What of a text each comparator compares."""

_RELATIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {"gt": gt, "ge": ge, "lt": lt, "le": le, "eq": eq, "ne": ne}


class Match(NamedTuple):
    """A match type with its relation, and a comparator."""

    type: str = ":is"
    relation: str = ""
    comparator: str = "i;ascii-casemap"


def first_match(match: Match, values: Iterable[str], keys: Sequence[str], effort: Effort, line: int) -> list[str] | None:
    """Whether a value fits a key: what :matches found for variables, an empty list for the other types, None if nothing fits.

    Raises `SieveError` if it would take too much.
    """
    if match.type == ":count":
        values, match = [str(sum(1 for _ in values))], match._replace(type=":value")
    for value in values:
        for key in keys:
            effort.spend(len(value) + len(key) + EACH, line)
            if match.type == ":matches":
                found = _matched(match, value, key, effort, line)
                if found:
                    return found
            elif _fits(match, value, key):
                return []
    return None


def _fits(match: Match, value: str, key: str) -> bool:
    of = KEYS[match.comparator]
    if match.type == ":contains":
        return str(of(key)) in str(of(value))
    left, right = of(value), of(key)
    return left == right if match.type == ":is" else _RELATIONS[match.relation](left, right)


def _matched(match: Match, value: str, key: str, effort: Effort, line: int) -> list[str]:
    """All of `value` and what each wildcard stands for; nothing if it does not match."""
    of = folded if match.comparator == "i;ascii-casemap" else _same
    effort.spend(len(key) * PATTERN, line)
    pattern = glob.pattern(of(key))
    effort.spend(pattern.cost(value), line)
    places = glob.places(pattern, of(value))
    return [] if places is None else [value, *glob.matched(pattern, places, value)]
