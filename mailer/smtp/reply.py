"""Replies: three digits, perhaps an enhanced code, and text (RFC 5321 §4.2, RFC 2034, RFC 3463).

`Reply` is used by everybody who says what happened to mail. `ReplyReader` is the client's ear: it takes
bytes in pieces of any size and gives replies. Strict where a mistake would put replies and commands out
of step (three digits, a separator, one code for all lines of a reply), lenient where nobody can be misled
(a bare LF ends a line, text may be missing, characters that cannot be shown become blanks or ``?``).

Memory is bounded, whatever a peer sends: see the three constants.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .errors import ProtocolError

MAX_LINE = 4096  # octets; RFC 5321 §4.5.3.1.5 allows 512, and servers exceed it
MAX_LINES = 512  # of one reply
MAX_REPLY = 65536  # octets of one reply

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")  # RFC 3463 §2


class Reply(NamedTuple):
    """`code` 200 to 559; `enhanced` like ``5.1.1`` or empty; `lines` are the texts, without either code."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    @classmethod
    def own(cls, code: int, enhanced: str, text: str) -> Reply:
        """A reply that we write ourselves."""
        return cls(code, enhanced, (text,))

    @property
    def text(self) -> str:
        """All lines as one."""
        return " ".join(self.lines)

    @property
    def positive(self) -> bool:
        """Accepted (2xx), or accepted so far (3xx)."""
        return self.code < 400

    @property
    def transient(self) -> bool:
        """Refused for now."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """Refused."""
        return self.code >= 500

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


class ReplyReader:
    """Cuts what arrives into replies."""

    __slots__ = ("_code", "_data", "_error", "_lines", "_size")

    def __init__(self) -> None:
        self._data = b""  # the beginning of a line
        self._code = b""  # of the reply that `_lines` begin
        self._lines: list[str] = []
        self._size = 0
        self._error: ProtocolError | None = None

    @property
    def partial(self) -> bool:
        """Whether a reply has begun and not ended."""
        return bool(self._data or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that `data` completes.

        Raises `ProtocolError` for what is no reply. Replies before it are returned first; the error is
        then raised by the next call, so that it makes no difference in what pieces the bytes came.
        """
        if self._error is not None:
            raise self._error
        replies: list[Reply] = []
        try:
            self._read(self._data + data if self._data else data, replies)
        except ProtocolError as error:
            self._error = error
            if not replies:
                raise
        return replies

    def check(self) -> None:
        """Raise the error that `feed` holds back, if there is one."""
        if self._error is not None:
            raise self._error

    def _read(self, data: bytes, replies: list[Reply]) -> None:
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start:end]
            start = end + 1
            if not self._lines and line[3:4] != b"-":  # nearly every reply is one line
                replies.append(_single(line))
            else:
                self._add(line, replies)
        self._data = data[start:]
        if len(self._data) > MAX_LINE:
            raise ProtocolError(f"a reply has a line of more than {MAX_LINE} octets")

    def _add(self, line: bytes, replies: list[Reply]) -> None:
        """One line of a reply that has several."""
        code, more, text = _divide(line)
        if self._lines and code != self._code:  # RFC 5321 §4.2.1
            raise ProtocolError(f"a reply begins with {self._code.decode()} and goes on with {code.decode()}")
        self._code = code
        self._lines.append(text)
        self._size += len(line)
        if len(self._lines) > MAX_LINES or self._size > MAX_REPLY:
            raise ProtocolError(f"a reply has more than {MAX_LINES} lines or {MAX_REPLY} octets")
        if not more:
            replies.append(_reply(code, self._lines))
            self._lines = []
            self._size = 0


@lru_cache(512)  # a server says "250 2.1.5 Ok" all day long
def _single(line: bytes) -> Reply:
    code, _, text = _divide(line)
    return _reply(code, [text])


def _divide(line: bytes) -> tuple[bytes, bool, str]:
    """The code, whether more lines follow, and the text."""
    if len(line) > MAX_LINE:
        raise ProtocolError(f"a reply has a line of more than {MAX_LINE} octets")
    line = line.removesuffix(b"\r")
    code, separator = line[:3], line[3:4]
    if len(code) != 3 or not code.isdigit() or code[0] not in b"2345" or separator not in (b" ", b"-", b""):
        raise ProtocolError(f"this is no reply: {_readable(line[:60])!r}")
    return code, separator == b"-", _readable(line[4:])


def _readable(raw: bytes) -> str:
    """Text of one line that nothing in it can break, RFC 6531 §3.7.4.1 lets it be UTF-8."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)


def _reply(code: bytes, lines: list[str]) -> Reply:
    """RFC 2034 §4: the enhanced code stands on every line, and its class is the first digit of the code."""
    found = _ENHANCED.match(lines[0])
    if found is None or found[1][0] != chr(code[0]):
        return Reply(int(code), "", tuple(lines))
    enhanced = found[1]
    return Reply(
        int(code), enhanced, tuple(line.removeprefix(enhanced).lstrip(" ") if line.startswith(enhanced) else line for line in lines)
    )
