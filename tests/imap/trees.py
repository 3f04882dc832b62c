"""Answers of IMAP as lists: what stands in parentheses is a list, strings are octets whichever form they have, NIL is None."""

from __future__ import annotations

import re
from typing import TypeAlias

Value: TypeAlias = "bytes | int | list[Value] | None"

_TOKEN = re.compile(rb'\(|\)|"((?:[^"\\\r\n]|\\["\\])*)"|\{(\d+)\}\r\n|([^\s()"{]+)| ')


def value(data: bytes) -> Value:
    """The one value that `data` is; it has to be well formed (RFC 9051 §9)."""
    found, at = read(data, 0)
    assert at == len(data), data[at:]
    return found


def read(data: bytes, at: int) -> tuple[Value, int]:
    """The value at this place, and where it ends."""
    stack: list[list[Value]] = [[]]
    while True:
        found = _TOKEN.match(data, at)
        assert found is not None, data[at : at + 60]
        at = found.end()
        if found[0] == b"(":
            stack.append([])
        elif found[0] == b")":
            inner: Value = stack.pop()
            stack[-1].append(inner)
        elif found[1] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", found[1]))
        elif found[2]:
            end = at + int(found[2])
            stack[-1].append(data[at:end])
            at = end
        elif found[3]:
            stack[-1].append(None if found[3] == b"NIL" else int(found[3]))
        if len(stack) == 1 and stack[0]:
            return stack[0][0], at
