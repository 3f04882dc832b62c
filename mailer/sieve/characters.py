"""Characters that a string of a script writes by their numbers: ``${hex: 24}``, ``${unicode: 20AC}``. RFC 5228 §2.4.2.4"""

from __future__ import annotations

import re
from typing import Final

from .errors import SieveError, quoted

_WRITTEN: Final = re.compile(r"\$\{(?i:(hex)|unicode):[ \t\r\n]*+([0-9a-fA-F]++(?:[ \t\r\n]++[0-9a-fA-F]++)*+)[ \t\r\n]*+\}")


def decoded(text: str, line: int) -> str:
    """`text` with its encoded characters; what is not written so stays as it is. Raises `SieveError` for what is no character."""

    def replaced(found: re.Match[str]) -> str:
        return _octets(found, line) if found[1] else "".join(_character(each, line) for each in found[2].split())

    return _WRITTEN.sub(replaced, text) if "${" in text else text


def _octets(found: re.Match[str], line: int) -> str:
    """Octets in pairs of digits; together they are UTF-8. One that has more digits makes it no encoded character."""
    pairs = found[2].split()
    if any(len(pair) > 2 for pair in pairs):
        return found[0]
    try:
        text = bytes(int(pair, 16) for pair in pairs).decode()
    except UnicodeDecodeError:
        raise SieveError(line, f"{quoted(found[0])} is no UTF-8") from None
    return _without_nul(text, found[0], line)


def _character(digits: str, line: int) -> str:
    number = int(digits[:12], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000 or len(digits) > 12:
        raise SieveError(line, f"{quoted(digits)} is the number of no character of Unicode")
    return _without_nul(chr(number), digits, line)


def _without_nul(text: str, written: str, line: int) -> str:
    if "\0" in text:
        raise SieveError(line, f"{quoted(written)} is a NUL, which no string has")
    return text
