"""Values as TOML writes them. The standard library reads TOML and does not write it; this is all of it that settings need."""

from __future__ import annotations

from typing import Any


def literal(value: Any) -> str:
    """A text, number, switch, or a list of those. Raises `TypeError` for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(_character, value)) + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    raise TypeError(f"a setting cannot be {type(value).__name__}")


def _character(char: str) -> str:
    if char in '\\"':
        return "\\" + char
    return char if char.isprintable() else f"\\U{ord(char):08X}"
