"""The field Authentication-Results (RFC 8601): what was proved of a message, written for whoever reads it after us; read, and cut out.

A mail program shows what stands there, so the field says what we found and nothing else. What strangers choose (the name in EHLO, an
address, the domain of a signature) is written as it is only if it is made of letters that mean nothing in the grammar; all else stands in
quotes, a control character as ``?``. There are no comments in it, so that nothing can end one. What was written is read back as it was
meant.

A stranger may write the field as well. One that claims to be ours is cut out of mail that comes from outside (RFC 8601 §5); those of other
hosts stay octet by octet, for they may be signed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mailer.mail.domain import compared
from mailer.mail.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAME = b"authentication-results"
LONGEST = 320  # characters of a value that are written: an address has no more
WIDTH = 78  # of a folded line, RFC 5322 §2.1.1
MOST_READ = 1 << 14  # characters of a field that are read: ours has a tenth of that
MOST_LOOKED_AT = 1 << 10  # octets in which a field has to say whose it is

_PLAIN = re.compile(r"(?:[A-Za-z0-9!#$%&'*+^_`{|}~.-]{1,320}@)?[A-Za-z0-9._-]{1,320}")
_KEYWORD = re.compile(r"[A-Za-z0-9_-]{1,60}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_TOKEN = re.compile(r'[^\s;()"]{1,1000}')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_APART = re.compile(r'[\s"/,<>=\\\x00-\x1f]+')


class MethodResult(NamedTuple):
    """What one method found: ``spf``, ``pass``, why, and what it is about, as pairs of ``smtp.mailfrom`` and its value."""

    method: str
    word: str
    reason: str = ""
    properties: tuple[tuple[str, str], ...] = ()


class AuthenticationResults(NamedTuple):
    """A field as it was read: the host that says so (its authserv-id), and what it says."""

    host: str
    results: tuple[MethodResult, ...]


def write(host: str, results: Iterable[MethodResult], *, utf8: bool = False) -> bytes:
    """The field of `host`, folded, with its line end. RFC 8601 §2.2

    What is beyond ASCII is written as ``?``, except in a message that needs SMTPUTF8 anyway (`utf8`): for our field's sake none shall.
    """
    return b"Authentication-Results: " + payload(host, results, utf8=utf8) + b"\r\n"


def payload(host: str, results: Iterable[MethodResult], *, utf8: bool = False) -> bytes:
    """What stands behind the colon, without the line end at the end."""
    infos = [_folded(result) for result in results] or [" none"]
    return ";".join([_value(host), *infos]).encode("utf-8" if utf8 else "ascii", "replace")


def _folded(result: MethodResult) -> str:
    """One result, on lines of its own."""
    parts = [f"{result.method}={result.word}"]
    if result.reason:
        parts.append(f"reason={_quoted(result.reason)}")
    parts += [f"{name}={_value(value)}" for name, value in result.properties if value]
    text, width = "", WIDTH
    for part in parts:
        if width + len(part) >= WIDTH:
            text, width = f"{text}\r\n\t{part}", 8 + len(part)
        else:
            text, width = f"{text} {part}", width + 1 + len(part)
    return text


def _value(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """A quoted string, RFC 5322 §3.2.4."""
    return '"' + shown(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def shown(text: str) -> str:
    """`text` as it is written: no control character, and not too long."""
    if len(text) > LONGEST:
        text = text[: LONGEST - 3] + "..."
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


class _Malformed(Exception):
    """It is no such field."""


def read(value: str) -> AuthenticationResults | None:
    """What the value of a field says, unfolded or not; None if it is malformed, or longer than any such field."""
    if len(value) > MOST_READ:
        return None
    try:
        return _Reader(value).field()
    except _Malformed:
        return None


class _Reader:
    """Goes through the value of one field, RFC 8601 §2.2."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def field(self) -> AuthenticationResults:
        host = self._word()
        self._found(_NUMBER)  # the version
        found: list[MethodResult] = []
        while not self._ended():
            self._expect(";")
            if self._ended() and found:  # many end with one semicolon more
                break
            method = self._keyword()
            if method.lower() == "none" and not found and self._ended():
                break
            found.append(self._result(method.lower()))
        return AuthenticationResults(host, tuple(found))

    def _result(self, method: str) -> MethodResult:
        if self._is("/"):
            self._need(_NUMBER)
        self._expect("=")
        word, reason, properties = self._keyword().lower(), "", []
        while not self._ended() and self._text[self._at] != ";":
            name = self._keyword().lower()
            if name == "reason" and self._is("="):
                reason = self._word()
                continue
            self._expect(".")
            name = f"{name}.{self._keyword().lower()}"
            self._expect("=")
            properties.append((name, self._word()))
        return MethodResult(method, word, reason, tuple(properties))

    def _word(self) -> str:
        """A value: a token, a quoted string, or an address whose local part may be quoted."""
        self._blanks()
        start, parts = self._at, 0
        while match := (_TOKEN.match(self._text, self._at) or _QUOTED.match(self._text, self._at)):
            self._at, parts = match.end(), parts + 1
        text = self._text[start : self._at]
        if not text:
            raise _Malformed
        return _PAIR.sub(r"\1", text[1:-1]) if parts == 1 and text[0] == '"' else text

    def _keyword(self) -> str:
        return self._need(_KEYWORD)

    def _need(self, what: re.Pattern[str]) -> str:
        found = self._found(what)
        if not found:
            raise _Malformed
        return found

    def _found(self, what: re.Pattern[str]) -> str:
        self._blanks()
        match = what.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _expect(self, sign: str) -> None:
        if not self._is(sign):
            raise _Malformed

    def _is(self, sign: str) -> bool:
        self._blanks()
        there = self._text.startswith(sign, self._at)
        self._at += there
        return there

    def _ended(self) -> bool:
        self._blanks()
        return self._at >= len(self._text)

    def _blanks(self) -> None:
        self._at = _after_blanks(self._text, self._at)
        if self._at > len(self._text):
            raise _Malformed


def _after_blanks(text: str, at: int) -> int:
    """The index behind blanks, folds and comments, RFC 5322 §3.2.2; one behind the end where a comment does not end."""
    depth = 0
    while at < len(text) and (depth or text[at] in " \t\r\n("):
        char = text[at]
        depth += (char == "(") - (char == ")")
        at += 2 if char == "\\" else 1
    return len(text) + 1 if depth else min(at, len(text))


def strip(header: bytes, host: str) -> bytes:
    """`header`, which is normalised, less the fields that claim to be of `host`; the others stay octet by octet. RFC 8601 §5"""
    kept, last = [], 0
    for start, end in places(header, host):
        kept.append(header[last:start])
        last = end
    return b"".join((*kept, header[last:])) if last else header


def own(header: bytes, host: str) -> str:
    """What the first field of `host` in `header` says, folded as it is; empty where there is none."""
    for start, end in places(header, host):
        return header[start:end].partition(b":")[2].decode("utf-8", "replace").strip()
    return ""


def places(header: bytes, host: str) -> Iterator[tuple[int, int]]:
    """Where in `header` each field begins and ends that claims to be of `host`, or that does not say whose it is and names it."""
    known = compared(host)
    for start, end in Message(header, b"").places(NAME):
        if _claims(header[start:end].partition(b":")[2], known):
            yield start, end


def _claims(value: bytes, known: str) -> bool:
    text = value[:MOST_LOOKED_AT].decode("utf-8", "replace")
    before = _before_semicolon(text)
    if before is None:
        return known.encode() in value.lower()
    unquoted = _PAIR.sub(r"\1", before)
    return any(compared(word) == known for word in _APART.split(f"{before} {unquoted}") if word)


def _before_semicolon(text: str) -> str | None:
    """What stands before the first semicolon, without comments; None if that cannot be told."""
    found, at = "", 0
    while at < len(text) and text[at] != ";":
        if text[at] == "(":
            at = _after_blanks(text, at)
            found += " "
            if at > len(text):
                return None
            continue
        found += text[at]
        at += 1
    return found if found.strip() and (at < len(text) or len(text) < MOST_LOOKED_AT) else None
