"""The canonical forms of RFC 6376 §3.4: what a signature is about, whatever a mail system does to blanks and folds;
and the lists of ``name=value`` in signatures and key records (RFC 6376 §3.2).

Written for speed, since each message that leaves goes through here: every step looks first whether there is anything
to do, and then does it to the whole text at once. The cost grows with the length of the text and with nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WSP = b" \t"
LINES = 1 << 14  # line ends that are written at a time

FOLD = re.compile(rb"\r\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")

BLANKS = " \t\r\n"  # around the names and values of tags
_FOLDS = re.compile(r"[ \t\r\n]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """A field as the relaxed form has it, without its line end; `value` is all that follows the colon. RFC 6376 §3.4.2"""
    return name.strip(WSP).lower() + b":" + relaxed_value(value)


def relaxed_value(value: bytes) -> bytes:
    """The value of a field unfolded, each run of blanks as one space, none at the ends. RFC 6376 §3.4.2"""
    value = value.removesuffix(b"\r\n")
    if b"\r\n" in value:
        value = FOLD.sub(b"", value)
    if b"\t" in value or b"  " in value:
        value = _BLANKS.sub(b" ", value)
    return value.strip(b" ")


def simple_field(name: bytes, value: bytes) -> bytes:
    """A field as it is, without its line end. RFC 6376 §3.4.1"""
    return name + b":" + value.removesuffix(b"\r\n")


def relaxed_body(body: bytes) -> bytes:
    """A body as the relaxed form has it: no blanks at the ends of lines, other runs of them one space, no empty lines at the end. §3.4.4"""
    body = _relaxed(body)
    if body.endswith(b" "):
        body = body[:-1]
    end = _before_empty_lines(body)
    return body[:end] + b"\r\n" if end else b""


def _relaxed(body: bytes) -> bytes:
    """What is done to blanks, but for one at the end."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    while b"  " in body:  # each turn halves the runs: cheaper than an expression that looks at each byte
        body = body.replace(b"  ", b" ")
    if b" \r\n" in body:
        body = body.replace(b" \r\n", b"\r\n")
    return body


class RelaxedBody:
    """`relaxed_body` of a body that comes in blocks of any size; what it makes of it goes to `take`, as soon as that is known."""

    __slots__ = ("_any", "_held", "_lines", "_take")

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self._take = take
        self._held = b""  # the beginning of something at the end of the last block: a run of blanks, a line end
        self._lines = 0  # line ends that count if anything follows them
        self._any = False

    def feed(self, block: bytes) -> None:
        """Take one more block of the body."""
        text = _relaxed(self._held + block)
        end = len(text) - next((len(tail) for tail in (b" \r", b"\r", b" ") if text.endswith(tail)), 0)
        self._held = text[end:]
        start = _before_empty_lines(text[:end])
        self._say(text[:start])
        self._lines += (end - start) // 2

    def end(self) -> None:
        """The body is over: hand on what was held back."""
        self._say(b"" if self._held == b" " else self._held)
        if self._any:
            self._take(b"\r\n")

    def _say(self, text: bytes) -> None:
        if not text:
            return
        while self._lines:
            self._take(b"\r\n" * min(self._lines, LINES))
            self._lines -= min(self._lines, LINES)
        self._take(text)
        self._any = True


def simple_body(body: bytes) -> bytes:
    """A body as it is, without empty lines at the end; an empty one is one line end. RFC 6376 §3.4.3"""
    return body[: _before_empty_lines(body)] + b"\r\n"


def _before_empty_lines(body: bytes) -> int:
    """Where the line ends begin with which `body` ends; its length if it ends with none."""
    end = len(body)
    start = len(body.rstrip(b"\r\n"))
    if body.count(b"\r\n", start) * 2 == end - start:
        return start
    while body.endswith(b"\r\n", 0, end):  # among them is a CR or LF that belongs to no line end, and is text
        end -= 2
    return end


FIELDS: dict[str, Callable[[bytes, bytes], bytes]] = {"relaxed": relaxed_field, "simple": simple_field}
BODIES: dict[str, Callable[[bytes], bytes]] = {"relaxed": relaxed_body, "simple": simple_body}


class TagError(ValueError):
    """A text that is no list of tags; `str()` says why."""


def read_tags(text: str) -> dict[str, str]:
    """The tags of `text` in their order, each value without blanks at its ends. Raises `TagError`."""
    tags: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(BLANKS):
        parts.pop()
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(BLANKS)
        if not equals or not _NAME.fullmatch(name):
            raise TagError("it is no list of tags")
        if name in tags:
            raise TagError(f"it has two tags {name}=")
        tags[name] = value.strip(BLANKS)
    return tags


def without_blanks(value: str) -> str:
    """`value` less the blanks and folds in it, as base64 and lists of names may have them."""
    return _FOLDS.sub("", value)
