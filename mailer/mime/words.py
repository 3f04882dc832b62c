"""Encoded words: text of header fields in any script, RFC 2047 with the languages of RFC 2231 §5.

Used by whoever reads a field as people do. Words beside each other are decoded together where their character set is the same: many
programs divide a character between two, though RFC 2047 §5 forbids it. What is no encoded word stays as it is.
"""

from __future__ import annotations

import re
from binascii import a2b_qp

from .charset import base64_octets, decoded

WORD = 4000  # characters of an encoded word; RFC 2047 §2 allows 75

_WORD = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{1,20})?\?([bBqQ])\?([^?\s]{0,4000})\?=")
_BETWEEN = re.compile(r"[ \t\r\n]*")


def text_of_words(value: str) -> str:
    """The value of a field with its encoded words decoded; blanks between two are dropped, RFC 2047 §6.2."""
    if "=?" not in value:
        return value
    pieces: list[str] = []
    octets, charset, at = b"", "", 0
    for found in _WORD.finditer(value):
        between = value[at : found.start()]
        if at and charset and not between.strip(" \t\r\n"):
            between = ""
        if charset and (between or charset != found[1].lower()):
            pieces.append(decoded(octets, charset))
            octets = b""
        pieces.append(between)
        charset, at = found[1].lower(), found.end()
        octets += _octets(found[2], found[3])
    if charset:
        pieces.append(decoded(octets, charset))
    return "".join(pieces) + value[at:]


def _octets(encoding: str, text: str) -> bytes:
    raw = text.encode("ascii", "replace")
    if encoding in "bB":
        return base64_octets(raw + b"=" * (-len(raw) % 4))
    return a2b_qp(raw.replace(b"_", b" "), header=True)


def shown(value: str) -> str:
    """The value of a field as people read it; octets that are no UTF-8 (surrogates, as `Header.text` has them) as readers guess them."""
    if not value.isascii():
        value = decoded(value.encode("utf-8", "surrogateescape"), "")
    return text_of_words(value)
