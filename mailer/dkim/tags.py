"""Lists of ``name=value``, as signatures and key records have them: RFC 6376 §3.2."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_BLANKS = re.compile(r"[ \t\r\n]+")

BLANKS = " \t\r\n"


class TagError(ValueError):
    """What is no such list; `str()` says why."""


def read(text: str) -> dict[str, str]:
    """The tags of `text` in their order, each value without blanks at its ends. Raises `TagError`."""
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(BLANKS):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(BLANKS)
        if not equals or not _NAME.fullmatch(name):
            raise TagError("it is no list of tags")
        if name in tags:
            raise TagError(f"it has two tags {name}=")
        tags[name] = value.strip(BLANKS)
    return tags


def without_blanks(value: str) -> str:
    """`value` less the blanks and folds in it, as base64 and lists of names may have them."""
    return _BLANKS.sub("", value)
