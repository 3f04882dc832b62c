"""A value with parameters, as Content-Type and Content-Disposition have them: ``text/plain; charset=utf-8; name="a b"``.

RFC 2045 §5.1 and RFC 2183 §2, with the continuations and character sets of RFC 2231. One pass, whatever stands there; what does not belong
there is passed over to the next semicolon, as mail programs do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .charset import decoded
from .words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

MOST = 100  # parameters
VALUE = 16 * 1024  # characters of a field that are read, and so of all its parameters
NAME = 1000  # characters of the name of a file

Parameters: TypeAlias = "tuple[tuple[str, str], ...]"
"""Names in small letters and values, in order. A name with ``*`` behind it has a value as RFC 2231 §4 writes it, in one piece."""


def parameterised(value: str) -> tuple[str, Parameters]:
    """The value without parameters, as it is written, and the parameters."""
    value = value[:VALUE]
    if ";" not in value and "(" not in value:
        return value.strip(), ()
    pieces = list(_divided(value))
    return pieces[0].strip(), _joined(_pairs(pieces[1 : MOST + 1]))


def _divided(value: str) -> Iterator[str]:
    """What semicolons divide, without comments; quoted strings stay as they are."""
    piece: list[str] = []
    start = at = 0
    while at < len(value):
        char = value[at]
        if char == '"':
            at = _behind_quotes(value, at)
        elif char == "(":
            piece.append(value[start:at])
            start = at = _behind_comment(value, at)
        elif char == ";":
            yield "".join([*piece, value[start:at]])
            piece, start = [], at + 1
            at += 1
        else:
            at += 1
    yield "".join([*piece, value[start:]])


def _behind_quotes(value: str, at: int) -> int:
    at += 1
    while at < len(value) and value[at] != '"':
        at += 2 if value[at] == "\\" else 1
    return min(at, len(value)) + 1


def _behind_comment(value: str, at: int) -> int:
    """RFC 5322 §3.2.2"""
    depth = 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            at += 1
        elif char in "()":
            depth += 1 if char == "(" else -1
            if not depth:
                return at + 1
        at += 1
    return at


def _pairs(pieces: list[str]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        name, sign, value = piece.partition("=")
        if sign and (name := name.strip().lower()):
            yield name, unquoted(value.strip())


def unquoted(text: str) -> str:
    """A quoted string without its quotes, or the text as it is. RFC 5322 §3.2.4"""
    if not text.startswith('"'):
        return text.partition(" ")[0]
    inner = text[1 : _behind_quotes(text, 0) - 1]  # what stands behind the second one belongs to nothing
    if "\\" not in inner:
        return inner
    found: list[str] = []
    escaped = False
    for char in inner:
        escaped = char == "\\" and not escaped
        if not escaped:
            found.append(char)
    return "".join(found)


def _joined(pairs: Iterator[tuple[str, str]]) -> Parameters:
    """Pieces put together, RFC 2231 §3: ``name*0*``, ``name*1`` are one ``name*`` if one of them is encoded, else ``name``."""
    whole: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in pairs:
        base, star, rest = name.partition("*")
        number = rest.removesuffix("*")
        if star and number.isascii() and number.isdigit() and len(number) <= 3:
            pieces.setdefault(base, {}).setdefault(int(number), (value, rest.endswith("*")))
            whole.setdefault(base + "*0", "")  # keeps its place
        else:
            whole.setdefault(name, value)
    if not pieces:
        return tuple(whole.items())
    return tuple(_put_together(name.removesuffix("*0"), pieces[name.removesuffix("*0")]) if name.endswith("*0") else (name, value)
                 for name, value in whole.items())  # fmt: skip


def _put_together(name: str, pieces: dict[int, tuple[str, bool]]) -> tuple[str, str]:
    numbers = range(next((number for number in range(len(pieces) + 1) if number not in pieces), 0))
    if not any(pieces[number][1] for number in numbers):
        return name, "".join(pieces[number][0] for number in numbers)
    escaped = (value if is_encoded else value.replace("%", "%25") for value, is_encoded in (pieces[number] for number in numbers))
    return name + "*", "".join(escaped)


_ESCAPED = re.compile(rb"%([0-9a-fA-F]{2})")  # RFC 2231 §7


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),))


def parameter(parameters: Parameters, name: str) -> str:
    """The text of a parameter, decoded as RFC 2231 §4 has it, or as encoded words, which many programs write there; empty for none."""
    for called, value in parameters:
        if called == name + "*":
            charset, _, rest = value.partition("'")
            text = rest.partition("'")[2] if "'" in rest else value
            return decoded(_ESCAPED.sub(_octet, text.encode("utf-8", "surrogateescape")), charset if "'" in rest else "")[:NAME]
    return next((shown(value)[:NAME] for called, value in parameters if called == name), "")
