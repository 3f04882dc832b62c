"""What CAPA, STAT, LIST and UIDL say: pure functions over the octets of an answer. Lines that say nothing of the kind are passed over."""

from __future__ import annotations

LONGEST_NAME = 70  # characters of a unique name, RFC 1939 §7


def capabilities(content: bytes) -> dict[str, tuple[str, ...]]:
    """Keyword → its arguments, in capitals as RFC 2449 §5 compares them."""
    found = {}
    for line in content.decode("ascii", "replace").upper().split("\r\n"):
        if words := line.split():
            found[words[0]] = tuple(words[1:])
    return found


def sizes(content: bytes) -> dict[int, int]:
    """Number → octets, as LIST says. RFC 1939 §5"""
    found = {}
    for line in content.split(b"\r\n"):
        words = line.split()
        if len(words) >= 2 and (number := _number(words[0])) > 0 and (size := _number(words[1])) >= 0:
            found[number] = size
    return found


def names(content: bytes) -> dict[int, str]:
    """Number → the unique name, as UIDL says; names that are none are left out. RFC 1939 §7"""
    found = {}
    for line in content.split(b"\r\n"):
        words = line.split()
        if len(words) == 2 and (number := _number(words[0])) > 0 and 0 < len(words[1]) <= LONGEST_NAME:
            found[number] = words[1].decode("latin-1")
    return found


def _number(word: bytes) -> int:
    """The number; -1 if it is none that a mailbox has."""
    return int(word) if word.isdigit() and len(word) < 11 else -1
