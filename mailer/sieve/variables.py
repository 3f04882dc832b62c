"""Variables: strings that are made when a script runs. RFC 5229

A string of a script is read once, into a `Template`: pieces of text, and between them names. What is no reference to a variable is text.
A variable has at most `LONGEST` characters, and a script at most `MOST` variables (§6).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .errors import SieveError, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST: Final = 4000  # characters; what is longer is cut off
MOST: Final = 250
MOST_MATCHED: Final = 32  # of `Variables.matched`, the first of which is all that was matched

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*+(?:\.[A-Za-z_][A-Za-z0-9_]*+)*+|[0-9]{1,9}+)\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+\Z")


class Template:
    """A string with variables in it: texts and names by turns, beginning and ending with a text."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts = parts

    def __str__(self) -> str:
        return "".join(part if not nth % 2 else f"${{{part}}}" for nth, part in enumerate(self.parts))


def template(text: str, line: int) -> str | Template:
    """`text` ready for its variables; itself, where it has none. Raises `SieveError` for a namespace that there is not."""
    if "${" not in text:
        return text
    parts = _REFERENCE.split(text)
    for name in parts[1::2]:
        if "." in name:
            raise SieveError(line, f"there are no variables of {quoted(name.partition('.')[0])}")
    return Template(parts) if len(parts) > 1 else text


def check_name(name: object, line: int) -> str:
    """`name` in small letters, which tell no two variables apart (RFC 5229 §3). Raises `SieveError` if nothing can be set by it."""
    text = str(name)
    if isinstance(name, Template) or not _NAME.match(text):
        why = "what was matched is not set by a script" if text.isdigit() else "it has letters, digits and _, and begins with no digit"
        raise SieveError(line, f"{quoted(text)} cannot be the name of a variable: {why}")
    return text.lower()


class Variables:
    """The variables of a script while it runs."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self.matched: Sequence[str] = ()

    def get(self, name: str) -> str:
        """The value of a variable, empty if it has none; ``0`` and up are what the last :matches has found (RFC 5229 §3.2)."""
        if name.isdigit():
            nth = int(name)
            return self.matched[nth] if nth < len(self.matched) else ""
        return self._values.get(name.lower(), "")

    def set(self, name: str, value: str, line: int) -> None:
        """Let the variable `name` be `value`. Raises `SieveError` where there are too many."""
        self._values[name] = value[:LONGEST]
        if len(self._values) > MOST:
            raise SieveError(line, f"the script has set more than {MOST} variables")

    def filled(self, text: str | Template) -> str:
        """A string of the script as it is now."""
        if isinstance(text, str):
            return text
        return "".join(self.get(part) if nth % 2 else part for nth, part in enumerate(text.parts))


def _quoted_wildcards(text: str) -> str:
    return re.sub(r"([*?\\])", r"\\\1", text)


_CHANGES: Final[dict[str, Callable[[str], str]]] = {
    ":lower": lambda text: _cased(text, str.lower),
    ":upper": lambda text: _cased(text, str.upper),
    ":lowerfirst": lambda text: _cased(text[:1], str.lower) + text[1:],
    ":upperfirst": lambda text: _cased(text[:1], str.upper) + text[1:],
    ":quotewildcard": _quoted_wildcards,
    ":length": lambda text: str(len(text)),
}
_ORDER: Final = ("case", "first", "quote", "length")  # RFC 5229 §4.1


def _cased(text: str, change: Callable[[str], str]) -> str:
    """The letters of ASCII changed, RFC 5229 §4.1.1 asks for no others."""
    return "".join(change(char) if char.isascii() else char for char in text)


def modified(value: str, tags: dict[str, tuple[str, object]]) -> str:
    """`value` as the tags of ``set`` change it, those with the highest precedence first."""
    for group in _ORDER:
        if group in tags:
            value = _CHANGES[tags[group][0]](value)
    return value
