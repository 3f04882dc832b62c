"""An SPF record, read: its mechanisms in order, and where it sends on (RFC 7208 §4.6, §5, §6, §12).

The whole record is read before any of it is asked for, since an error anywhere is an error of the record (RFC 7208 §4.6).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 10_000  # characters of a record, twenty times what RFC 7208 §3.4 asks for: a stranger's is read while others wait
REMEMBERED = 2000  # characters of a record that is kept as it was read; few have as many as 500
MOST_SPEC = 2000  # characters of a name with macros; what comes of it is cut to 253 (RFC 7208 §7.3)

RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

_VERSION = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=")
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(?=[:/]|\Z)")
_EXPANSION = r"%(?:[%_-]|\{[A-Za-z][0-9]{0,3}[Rr]?[.+,/_=-]*\})"
_MACROS = re.compile(rf"(?:[!-$&-~]|{_EXPANSION})*")
_LETTERS = re.compile(r"%\{([A-Za-z])(0*(?![0-9]))?")
_LAST_EXPANSION = re.compile(rf"{_EXPANSION}\Z")
_TOP_LABEL = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?\Z")


class SpfError(ValueError):
    """A record that is none; `str()` says why."""


class SpfTerm(NamedTuple):
    """A mechanism: its `kind`, the `result` if it matches, and what it is about.

    `target` is the name that it has, with macros, empty for none. `network` is an address as a number, of the family `version`; `bits`
    are how many of an address count, for IPv4 and IPv6.
    """

    text: str
    result: str
    kind: str
    target: str = ""
    version: int = 0
    network: int = 0
    bits: tuple[int, int] = (32, 128)


class SpfRecord(NamedTuple):
    """The terms, and the name, with macros, whose record holds where none of them matches; empty for none."""

    terms: Sequence[SpfTerm]
    redirect: str = ""


def is_spf(text: str) -> bool:
    """Whether a TXT record is one of SPF. RFC 7208 §4.5"""
    return _VERSION.match(text) is not None


def read(text: str) -> SpfRecord:
    """The record that `text` is. Raises `SpfError`."""
    return _remembered(text) if len(text) <= REMEMBERED else _read(text)


def _read(text: str) -> SpfRecord:
    if len(text) > LONGEST:
        raise SpfError(f"it has more than {LONGEST} characters")
    if not text.isascii():
        raise SpfError("it holds what is not ASCII")
    terms: list[SpfTerm] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if modifier := _MODIFIER.match(word):
            _modify(modifiers, modifier[1].lower(), word[modifier.end() :])
        elif word:
            terms.append(_term(word))
    return SpfRecord(tuple(terms), modifiers.get("redirect", ""))


_remembered = lru_cache(1024)(_read)


def _modify(modifiers: dict[str, str], name: str, value: str) -> None:
    """RFC 7208 §6: of redirect= and exp= one each; what nobody knows is ignored, if it is well written."""
    if name not in ("redirect", "exp"):
        if not _MACROS.fullmatch(value):
            raise SpfError(f"{name}= is malformed")
        return
    if name in modifiers:
        raise SpfError(f"it has two {name}=")
    modifiers[name] = _spec(value, f"{name}={value}")


def _term(word: str) -> SpfTerm:
    match = _MECHANISM.match(word)
    if match is None:
        raise _malformed(word)
    result, kind, rest = RESULTS[match[1] or "+"], match[2].lower(), word[match.end() :]
    if kind in ("ip4", "ip6"):
        return _network(word, result, kind, rest)
    if kind in ("a", "mx"):
        cidr = _CIDR.search(rest)
        assert cidr is not None  # it matches nothing at all as well
        target, bits = rest[: cidr.start()], (_bits(cidr[1], 32, word), _bits(cidr[2], 128, word))
        return SpfTerm(word, result, kind, _target(target, word), bits=bits)
    if kind in ("include", "exists") and rest.startswith(":"):
        return SpfTerm(word, result, kind, _target(rest, word))
    if kind == "ptr":
        return SpfTerm(word, result, kind, _target(rest, word))
    if kind == "all" and not rest:
        return SpfTerm(word, result, kind)
    raise _malformed(word) if kind in ("all", "include", "exists") else SpfError(f"{word[:60]} is no mechanism")


def _malformed(word: str) -> SpfError:
    return SpfError(f"{word[:60]} is malformed")


def _bits(text: str | None, most: int, word: str) -> int:
    bits = most if text is None else int(text)
    if bits > most:
        raise _malformed(word)
    return bits


def _network(word: str, result: str, kind: str, rest: str) -> SpfTerm:
    """RFC 7208 §5.6"""
    address, slash, length = rest.partition("/")
    most = 32 if kind == "ip4" else 128
    try:
        if not address.startswith(":") or "%" in address or (slash and not _is_length(length)):
            raise _malformed(word)
        number = int(IPv4Address(address[1:]) if most == 32 else IPv6Address(address[1:]))
    except AddressValueError:
        raise _malformed(word) from None
    bits = _bits(length if slash else None, most, word)
    return SpfTerm(word, result, kind, "", 4 if most == 32 else 6, number, (bits, bits))


def _is_length(text: str) -> bool:
    return text.isdecimal() and len(text) <= 3 and (text == "0" or text[0] != "0")


def _target(rest: str, word: str) -> str:
    """The name behind a colon; empty where there is no colon."""
    if not rest:
        return ""
    if not rest.startswith(":"):
        raise _malformed(word)
    return _spec(rest[1:], word)


def _spec(text: str, word: str) -> str:
    """A name with macros: it ends in a macro, or in a label that a top domain may be. RFC 7208 §7.1"""
    letters = _LETTERS.findall(text)
    if (
        len(text) > MOST_SPEC
        or not _MACROS.fullmatch(text)
        or not all(letter in "slodiphvSLODIPHV" and not zero for letter, zero in letters)
    ):
        raise _malformed(word)
    if not _LAST_EXPANSION.search(text[-MOST_SPEC:]):
        _, dot, top = text.removesuffix(".").rpartition(".")
        if not dot or not _TOP_LABEL.fullmatch(top):
            raise _malformed(word)
    return text
