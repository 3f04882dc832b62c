"""How texts are compared when they are put in order: ``i;unicode-casemap``, RFC 5051, as RFC 5256 §2 asks.

Used by whoever keeps the keys that messages are sorted by. What `casemap` makes of two texts is compared character by character, which is
how their UTF-8 compares octet by octet.
"""

from __future__ import annotations

from unicodedata import normalize

LONGEST = 1000  # characters that are compared: to decompose takes the square of the marks upon one letter


def casemap(text: str) -> str:
    """A text as it is compared: each letter in titlecase, one for one, and then all decomposed (RFC 5051 §2)."""
    text = text[:LONGEST]
    if text.isascii():
        return text.upper()
    return normalize("NFKD", "".join(map(_titled, text)))[:LONGEST]


def _titled(letter: str) -> str:
    """The simple mapping of Unicode, which makes no two letters of one: ß stays."""
    titled = letter.title()
    return titled if len(titled) == 1 else letter
