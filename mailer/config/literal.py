"""Values as TOML writes them. The standard library reads TOML and does not write it; this is all of it that settings need."""

from __future__ import annotations

from typing import Any

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def literal(value: Any) -> str:
    """A text, number, switch, or a list or an inline table of those. Raises `TypeError` for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {literal(item)}" for name, item in value.items()) + " }"
    raise TypeError(f"a setting cannot be {type(value).__name__}")


def _key(name: str) -> str:
    return name if _BARE.issuperset(name) and name else literal(name)


def _character(char: str) -> str:
    if char in '\\"':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08X}"
