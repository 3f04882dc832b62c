"""The letter of a report, which is written for people: its lines, where it names recipients, and where the message stands that came back.

For reports without a part for programs. Below the letter, mail systems put the message that came back, or its header, under some
words of their own or under none. What stands there is the sender's, and nothing is read in it but the header.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from .parts import RETURNED
from .phrases import words
from .vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 1500  # that are looked at
EARLY = 25  # characters of a line within which it says that the message follows, where it has no rule
NEAR = 40  # lines within which a header shows that it is one

REPLY = re.compile(r"(?<![\w.:/-])[45][0-5]\d[ \-][ ]?(?:#?[45]\.\d{1,3}\.\d{1,3}|[A-Za-z<\"'(])|(?<![\w.])[45]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
"""A reply of a host, or an enhanced code of a failure."""
_SURE = re.compile(
    r"[>| \t]{0,4}(?:Received|Return-Path|Message-ID|X-[\w-]{1,40}|DKIM-Signature|MIME-Version|Delivered-To|Content-Type): ?\S",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[>| \t]{0,4}([A-Za-z][\w-]{0,60}):(?: |$)")
_KNOWN = frozenset({
    "received", "return-path", "message-id", "from", "to", "subject", "date",
    "mime-version", "content-type", "x-mailer", "reply-to", "sender",
    "cc", "content-transfer-encoding", "references", "in-reply-to", "dkim-signature", "delivered-to", "errors-to", "precedence", "list-id",
})  # fmt: skip
_QUOTE = re.compile(r"[>|][>| ]{0,4}")
_RULE = re.compile(r"[-=_*~#+. ]{3,}")


class Mention(NamedTuple):
    """An address in a line of the letter, from `start` to `end`."""

    text: str
    start: int
    end: int


class ReportLetter:
    """A letter: its `lines`, the `words` of each, and the `header` that it quotes below, if any, with CRLF line ends."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")[:LINES]
        end = len(lines)
        self.words: list[str] = []
        for number, line in enumerate(lines):
            said = words(line) if line else " "
            if _SURE.match(line) and _is_header(lines, number):
                end = number
                break
            self.words.append(said)
            if _ends(line, said):
                end = number + 1
                break
        self.lines = lines[:end]
        self.header = _quoted(lines, end)

    @cached_property
    def fails(self) -> list[bool]:
        """Whether each line says that mail failed."""
        return [vocabulary().failed.stands_in(said) for said in self.words]

    @cached_property
    def waits(self) -> list[bool]:
        """Whether each line says that mail is late."""
        return [vocabulary().delayed.stands_in(said) for said in self.words]

    @cached_property
    def replies(self) -> list[bool]:
        """Whether each line has a reply code."""
        return [bool(REPLY.search(line)) for line in self.lines]


def _is_header(lines: list[str], at: int) -> bool:
    """Whether a header begins at this line: several fields of a message within the next lines."""
    seen: set[str] = set()
    for line in lines[at : at + NEAR]:
        found = _FIELD.match(line)
        if found and found[1].lower() in _KNOWN:
            seen.add(found[1].lower())
        elif not line.strip() or (not found and line[:1] not in " \t>|"):
            break
    sure = {"received"} if lines[at][:1] in (" ", "\t") else {"received", "message-id", "return-path", "mime-version"}
    return len(seen) >= 3 and not seen.isdisjoint(sure)


def _ends(line: str, said: str) -> bool:
    """Whether this line says that the message follows: such words, with a rule around them, or alone on the line."""
    if len(said) < 4 or len(said) > 90:
        return False
    at, name = vocabulary().returned.first(said)
    if not name:
        return False
    return bool(_RULE.match(line.lstrip(" >|"))) or (
        at <= EARLY and line.rstrip().endswith((":", "-", "follow", "follows", "follows.", "below.", "=", "*", "_"))
    )


def _quoted(lines: list[str], at: int) -> bytes:
    """The header that begins in one of the lines from `at`, as the octets of one."""
    start = next(
        (number for number in range(at, min(at + NEAR, len(lines))) if _FIELD.match(lines[number]) and _begun(lines, number)), None
    )
    if start is None:
        return b""
    quote = _QUOTE.match(lines[start])
    kept: list[str] = []
    for line in lines[start:]:
        own = line.removeprefix(quote[0]) if quote else line
        if not own.strip() or not (_FIELD.match(own) or own[:1] in " \t"):
            break
        kept.append(own.lstrip() if _FIELD.match(own) and not kept else own)
    return ("\r\n".join(kept) + "\r\n").encode("utf-8", "replace")[:RETURNED]


def _begun(lines: list[str], at: int) -> bool:
    names = {found[1].lower() for line in lines[at : at + NEAR] if (found := _FIELD.match(line))}
    return len(names & _KNOWN) >= 2


# Addresses

LONGEST_LOCAL = 64  # RFC 5321 §4.5.3.1.1
MOST = 200  # addresses of a line that are looked at

_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")
_TRIMMED = "'*`./|{}~^!&$%?-+="
_DOMAIN = re.compile(r"\[[\dA-Fa-fIPv:.]{2,60}\]|#?[^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){0,20}", re.ASCII)
_WIDE_DOMAIN = re.compile(r"[^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){0,20}")
_NAMED = frozenset({"to", "rcpt", "recipient", "email", "mail", "user", "addr", "address", "for", "from", "smtp"})
_WIDE = 0x2E80


def addresses(line: str) -> Iterator[Mention]:
    """The addresses in a line, in order, as people and programs write them; each stands between its `start` and `end`."""
    at = line.find("@")
    for _ in range(MOST):
        if at < 0:
            return
        found = _around(line, at)
        if found is not None:
            yield found
        at = line.find("@", max(at + 1, found.end if found else 0))


def _around(line: str, at: int) -> Mention | None:
    start = _local_start(line, at)
    domain = _DOMAIN.match(line, at + 1)
    stop = domain.end() if domain else at + 1
    if stop < len(line) and line[stop].isalnum() and ord(line[stop]) < _WIDE:
        domain = _WIDE_DOMAIN.match(line, at + 1)
    if start == at or domain is None:
        return None
    local, name = line[start:at], domain[0].rstrip("-_")
    if not local.startswith('"'):
        trimmed = local.lstrip(_TRIMMED)
        label, equals, rest = trimmed.partition("=")
        if equals and label.lower() in _NAMED:
            trimmed = rest
        start, local = at - len(trimmed), trimmed
    if not local or not name or ".." in name:
        return None
    return Mention(f"{local}@{name}", start, at + 1 + len(name))


def _local_start(line: str, at: int) -> int:
    """Where the local part begins that ends at `at`; quoted ones, and letters beyond ASCII right before others, belong to it."""
    least = max(at - LONGEST_LOCAL, 0)
    if at and line[at - 1] == '"':
        quote = line.rfind('"', least, at - 1)
        return quote if quote >= 0 and at - quote > 2 else at
    start = at
    while start > least and (line[start - 1] in _LOCAL or (line[start - 1].isalpha() and 0x7F < ord(line[start - 1]) < _WIDE)):
        start -= 1
    return start
