"""What can be the name of a folder, and which names are alike.

A name is text with ``/`` between its levels, and comes back as it was given; it never becomes part of a path, so that ``..`` is a name as
good as any. The inbox is called ``INBOX`` however its letters are written, at the beginning of a longer name as well (RFC 9051 §5.1).
Two names that differ by how their letters are composed look alike to everybody, and only one of them can be there.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem

from .api import INBOX

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 1000  # octets of UTF-8
DEEPEST: Final = 50  # levels
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, halves of pairs, and ends of lines: RFC 5198 §2


def checked(name: str) -> str:
    """The name as it is kept. Raises `Problem` (usage) for what cannot be one."""
    if len(name) > LONGEST or len(name.encode("utf-8", "replace")) > LONGEST:
        raise Problem(f"the name of a folder has {LONGEST} octets at most; this one begins {name[:30]!r}", "usage")
    if any(unicodedata.category(letter) in _CONTROLS for letter in name):
        raise Problem(f"the name of a folder has no control characters: {name[:60]!r}", "usage")
    first, *rest = name.split("/")
    if not (first and all(rest)):
        raise Problem(f"the name of a folder has something before and behind each /: {name[:60]!r}", "usage")
    if len(rest) >= DEEPEST:
        raise Problem(f"a folder is {DEEPEST} levels deep at most; this one would be {len(rest) + 1} deep", "usage")
    return "/".join((INBOX, *rest)) if first.upper() == INBOX else name


@lru_cache(4096)
def key_of(name: str) -> str:
    """What of a name is compared; of one that cannot be a name, something that no folder has."""
    try:
        return unicodedata.normalize("NFC", checked(name))
    except Problem:
        return ""


def parents(name: str) -> Sequence[str]:
    """The names of the folders that `name` is in, from the top."""
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]


def moved(name: str, old: str, new: str) -> str:
    """What the folder `name`, which is `old` or below it, is called when that is called `new`. Raises `Problem` (usage) if it cannot be."""
    return checked(new + name[len(old) :])
