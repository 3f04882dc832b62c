"""Text from outside made safe for a terminal and for one line of a log.

A subject, an address or a server's reply may hold escape sequences that write to the clipboard, move the
cursor or fake a line. What is printed has none: control characters, bidirectional overrides and
zero-width characters become U+FFFD. JSON output does not need this: it escapes.
"""

from __future__ import annotations

_UNSAFE = frozenset(
    [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f",
     "\u2028", "\u2029", *map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2060, 0x2070)), "\ufeff"]
)  # fmt: skip


def safe(text: str, limit: int = 1000) -> str:
    """`text` without anything that a terminal would act on, at most `limit` characters long."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if c in _UNSAFE or 0xD800 <= ord(c) < 0xE000 else c for c in text)


def one_line(text: str, limit: int = 1000) -> str:
    """`text` as `safe` has it, on one line: runs of white space become one space."""
    return safe(" ".join(text.split()), limit)
