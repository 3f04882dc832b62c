"""Addresses without the part that names a person: ``***@example.com``. For logs and traces that others read; [002] §9.3.3.

What another host says often repeats the address that it was asked about, so a text is masked, too. A name without its domain is not
found in a text.
"""

from __future__ import annotations

MASK = "***"

_BETWEEN = frozenset(" \t\r\n<>()[]{},;:\"'`=|")
"""What an address in a text ends at, besides its own at-sign."""


def masked(address: str) -> str:
    """An address; empty is the null sender, and stays so."""
    if not address:
        return address
    _, at, domain = address.rpartition("@")
    return f"{MASK}@{domain}" if at else MASK


def masked_text(text: str) -> str:
    """A text in which an address may stand, or several; in linear time."""
    if "@" not in text:
        return text
    parts = text.split("@")
    shown = []
    for part in parts[:-1]:
        end = len(part)
        if part.endswith('"') and (quote := part.rfind('"', 0, -1)) >= 0:  # a local part in quotes, RFC 5321 §4.1.2
            end = quote
        else:
            while end and part[end - 1] not in _BETWEEN:
                end -= 1
        shown.append(part[:end] + (MASK if end < len(part) else ""))
    return "@".join([*shown, parts[-1]])
