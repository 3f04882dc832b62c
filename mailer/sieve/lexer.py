"""The words of a script: RFC 5228 §8.1, for `grammar`.

A script is UTF-8 (§2.1); a line ends in LF or CRLF, and in a string that has several lines each ends in CRLF, whatever the file had.
Everything is read in one pass, by patterns that never go back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from .errors import SieveError, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    TokenKind: TypeAlias = Literal["word", "tag", "number", "string", "sign", "end"]

LARGEST: Final = 65_536  # octets of a script
LARGEST_NUMBER: Final = 2**63 - 1

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}  # RFC 5228 §2.4.1
_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\n]++|\#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)
       |(?P<lines>(?i:text):[ \t]*+(?:\#[^\n]*+)?\n)
       |(?P<number>[0-9]++[KMGkmg]?+)(?![A-Za-z0-9_])
       |(?P<tag>:[A-Za-z_][A-Za-z0-9_]*+)
       |(?P<word>[A-Za-z_][A-Za-z0-9_]*+)
       |(?P<string>"(?:[^"\\]++|\\.)*+")
       |(?P<sign>[;,(){}\[\]])""",
    re.VERBOSE | re.DOTALL,
)
_BROKEN: Final = {'"': "a string begins here and does not end", "/": "a comment begins here and does not end"}


class Token(NamedTuple):
    """A word of a script: words and tags in small letters, a tag with its colon, a string as it is meant."""

    kind: TokenKind
    text: str
    line: int
    number: int = 0


def tokens(source: bytes | str) -> Iterator[Token]:
    """All of `source`, and an ``end`` behind it. Raises `SieveError` for what is no word of the language."""
    text = _text(source)
    at, line, end = 0, 1, len(text)
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            word = (text[at : at + 20].split() or [text[at]])[0]
            raise SieveError(line, _BROKEN.get(text[at], f"{quoted(word)} is nothing that a script has there"))
        kind, after = found.lastgroup, found.end()
        if kind == "lines":
            after = _last_line(text, after, line)
            yield Token("string", _unstuffed(text[found.end() : after]), line)
        elif kind != "blank":
            yield _token(str(kind), found[0], line)
        line += text.count("\n", at, after)
        at = after
    yield Token("end", "", line)


def _text(source: bytes | str) -> str:
    if len(source) > LARGEST or (isinstance(source, str) and len(source.encode(errors="surrogatepass")) > LARGEST):
        raise SieveError(1, f"the script has more than {LARGEST} octets")
    try:
        text = source.decode() if isinstance(source, bytes) else source.encode().decode()
    except UnicodeError:
        raise SieveError(1, "the script is no UTF-8") from None
    if "\0" in text:
        raise SieveError(text.count("\n", 0, text.index("\0")) + 1, "a NUL stands in the script")
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def _token(kind: str, text: str, line: int) -> Token:
    if kind == "string":
        return Token("string", re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL).replace("\n", "\r\n"), line)
    if kind == "number":
        return Token("number", text, line, _number(text, line))
    if kind == "sign":
        return Token("sign", text, line)
    return Token("tag" if kind == "tag" else "word", text.lower(), line)


def _number(text: str, line: int) -> int:
    digits = text.rstrip("KMGkmg")
    number = int(digits[:20]) * _UNITS[text[len(digits) :].lower()]
    if number > LARGEST_NUMBER or len(digits) > 20:
        raise SieveError(line, f"the number {quoted(text)} is too large")
    return number


def _last_line(text: str, start: int, line: int) -> int:
    """Behind the line that is only a dot, which ends a text of several lines. RFC 5228 §2.4.2"""
    at = text.find("\n.\n", start - 1)
    if at < 0:
        raise SieveError(line, "a text begins here, and no line that is only a dot ends it")
    return at + 3


def _unstuffed(lines: str) -> str:
    body = lines.removesuffix(".\n")
    return "".join(f"{each.removeprefix('.')}\r\n" for each in body.split("\n")[:-1])
