"""BODY made of BODYSTRUCTURE: the same without extension data, RFC 9051 §7.5.2.

What is read was written by `bodystructure`; it is gone over once, without recursion, and nothing of it is decoded.
"""

from __future__ import annotations

import re
from typing import Final

BODIES, MESSAGE = 0, 1
"""What a structure that is open waits for: the parts of a multipart, or the message in a message."""
BASIC: Final = 7  # values of a part that every part has: type, subtype, parameters, ID, description, encoding, octets
_WORD = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|\{(\d++)\}\r\n|[^ ()"{]++')  # a string, a number, or NIL


def body(structure: bytes) -> bytes:
    """The structure without its extension data."""
    made: list[bytes] = []
    levels: list[int] = []
    at, start = 0, 0  # what is from `start` to `at` is kept
    while True:
        if structure.startswith(b"((", at):
            levels.append(BODIES)
            at += 1
            continue
        is_text = structure.startswith(b'("text"', at)
        is_message = structure.startswith(b'("message" "rfc822"', at)
        at = _behind(structure, at + 1, BASIC)
        if is_message and structure.startswith(b" (", at):
            at = _behind(structure, at + 1, 1) + 1  # ENVELOPE
            levels.append(MESSAGE)
            continue
        at = _behind(structure, at + 1, 1) if is_text else at  # lines
        while True:  # a structure ends here, but for what is not kept
            made.append(structure[start:at])
            start = at = _end(structure, at)
            at += 1
            if not levels:
                return b"".join([*made, b")"])
            if levels[-1] == BODIES and structure.startswith(b"(", at):
                break
            at = _behind(structure, at + 1, 1)  # the subtype, or the lines
            levels.pop()


def _behind(data: bytes, at: int, count: int) -> int:
    """Behind so many values, with a space between them."""
    for nth in range(count):
        at = _value(data, at + (nth > 0))
    return at


def _value(data: bytes, at: int) -> int:
    """Behind the value that begins at `at`."""
    depth = 0
    while True:
        first = data[at : at + 1]
        if first == b"(":
            depth, at = depth + 1, at + 1
            continue
        if first == b")":
            depth, at = depth - 1, at + 1
        elif first == b" ":
            at += 1
            continue
        elif (found := _WORD.match(data, at)) is not None:
            at = found.end() + int(found[1] or 0)
        if depth == 0:
            return at


def _end(data: bytes, at: int) -> int:
    """The parenthesis that closes what is open at `at`."""
    while data[at : at + 1] != b")":
        at = _value(data, at + 1)
    return at
