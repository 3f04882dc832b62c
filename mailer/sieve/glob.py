"""Patterns of ``:matches``: ``*`` is any text, ``?`` one character, a backslash takes the meaning from either. RFC 5228 §2.7.1

No text and no pattern makes it slow: a pattern is divided at its asterisks, and each piece is looked for once, from the left. That is
enough, for a piece that fits further left leaves more to those behind it; and it is what variables want, of which each is as short as it
can be (RFC 5229 §3.2). A piece with a ``?`` is looked for by a machine that has all its places in one number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Piece: TypeAlias = "tuple[str | None, ...]"
    """Characters, and None for any."""

SLOW: Final = 24  # what a character costs beside a piece with a ``?``, when one beside another costs 1


class Wildcards(NamedTuple):
    """A pattern: its pieces between asterisks."""

    pieces: Sequence[Piece]

    def cost(self, text: str) -> int:
        """What it takes to look for it, in characters compared."""
        return sum(len(text) * (SLOW * (1 + len(piece) // 60) if None in piece else 1) for piece in self.pieces)


@lru_cache(200)
def pattern(text: str) -> Wildcards:
    """The pattern that `text` writes."""
    pieces: list[list[str | None]] = [[]]
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        if char == "*":
            pieces.append([])
        elif char == "?":
            pieces[-1].append(None)
        else:
            at += char == "\\" and at + 1 < end
            pieces[-1].append(text[at])
        at += 1
    return Wildcards([tuple(piece) for piece in pieces])


def places(pattern: Wildcards, text: str) -> Sequence[int] | None:
    """Where each piece begins in `text`, of which the whole is what `pattern` says; None if it is not."""
    first, *others = pattern.pieces
    if not _fits(first, text, 0):
        return None
    if not others:
        return (0,) if len(first) == len(text) else None
    *middle, last = others
    found, at, end = [0], len(first), len(text) - len(last)
    if at > end or not _fits(last, text, end):
        return None
    for piece in middle:
        at = _find(piece, text, at, end)
        if at < 0:
            return None
        found.append(at)
        at += len(piece)
    return [*found, end]


def matched(pattern: Wildcards, starts: Sequence[int], text: str) -> list[str]:
    """What each ``*`` and each ``?`` stands for in `text`, in order."""
    found: list[str] = []
    after = 0
    for nth, (piece, start) in enumerate(zip(pattern.pieces, starts, strict=True)):
        if nth:
            found.append(text[after:start])
        found += [text[start + at] for at, char in enumerate(piece) if char is None]
        after = start + len(piece)
    return found


def _fits(piece: Piece, text: str, at: int) -> bool:
    return at + len(piece) <= len(text) and all(char is None or text[at + nth] == char for nth, char in enumerate(piece))


def _find(piece: Piece, text: str, start: int, end: int) -> int:
    """Where `piece` stands first in ``text[start:end]``; -1 if nowhere."""
    if None not in piece:
        return text.find("".join(char or "" for char in piece), start, end)
    anything = sum(1 << nth for nth, char in enumerate(piece) if char is None)
    masks: dict[str, int] = {}
    for nth, char in enumerate(piece):
        if char is not None:
            masks[char] = masks.get(char, anything) | 1 << nth
    state, whole = 0, 1 << (len(piece) - 1)
    for at in range(start, end):
        state = (state << 1 | 1) & masks.get(text[at], anything)
        if state & whole:
            return at - len(piece) + 1
    return -1
