"""How much of a text from outside stands in a line."""

from __future__ import annotations

from typing import Final

LIMIT: Final = 1000  # characters of one reply in a line


def cut(text: str, most: int = LIMIT) -> str:
    """`text`, or its beginning where it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
