"""Lists of flags: RFC 5232. A string may hold several, divided by blanks; case makes no difference, and the first spelling stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SYSTEM: Final = frozenset({"\\seen", "\\answered", "\\flagged", "\\deleted", "\\draft"})  # RFC 5232 §2; \Recent is nobody's to set
MOST: Final = 64  # flags of a list
LONGEST: Final = 100  # characters of a keyword

_NOT: Final = frozenset(' (){%*"\\]')  # what no keyword of IMAP has, RFC 9051 §9


def flags_of(texts: Iterable[str]) -> list[str]:
    """The flags in `texts`, each once; what is none is left out (RFC 5232 §2)."""
    found: dict[str, str] = {}
    for text in texts:
        for flag in text.split():
            if len(found) < MOST and is_flag(flag):
                found.setdefault(flag.lower(), flag)
    return list(found.values())


def is_flag(text: str) -> bool:
    """Whether IMAP has such a flag, or could have such a keyword."""
    if text.startswith("\\"):
        return text.lower() in SYSTEM
    return 0 < len(text) <= LONGEST and text.isascii() and text.isprintable() and not _NOT & set(text)


def without(flags: Iterable[str], gone: Iterable[str]) -> list[str]:
    """`flags` but those in `gone`."""
    small = {flag.lower() for flag in gone}
    return [flag for flag in flags if flag.lower() not in small]
