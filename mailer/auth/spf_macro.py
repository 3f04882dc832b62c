"""Macros in the names of an SPF record: ``%{i}`` is the caller's address, ``%{d}`` the domain, and so on (RFC 7208 §7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv6Address

LONGEST = 253  # characters of a name, RFC 7208 §7.3
MOST_VALUE = 1000  # characters of a value: an address has 254, and whoever gives it is a stranger

_MACRO = re.compile(r"%(?:([%_-])|\{([A-Za-z])([0-9]{0,3})([Rr]?)([.+,/_=-]*)\})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_LITERAL = {"%": "%", "_": " ", "-": "%20"}


class MacroValues(NamedTuple):
    """What the macros stand for. `names` are those of the caller's address that lead back to it."""

    ip: IPv4Address | IPv6Address
    local: str
    sender_domain: str
    domain: str
    hello: str
    names: Sequence[str]

    def of(self, letter: str) -> str:
        """The value of a macro, RFC 7208 §7.2, before anything is done to it."""
        match letter:
            case "s":
                return f"{self.local}@{self.sender_domain}"
            case "l":
                return self.local
            case "o":
                return self.sender_domain
            case "d":
                return self.domain
            case "i":
                return str(self.ip) if self.ip.version == 4 else ".".join(f"{int(self.ip):032x}")
            case "v":
                return "in-addr" if self.ip.version == 4 else "ip6"
            case "h":
                return self.hello
            case _:
                return self._name()

    def _name(self) -> str:
        """RFC 7208 §7.3: the domain itself, else a name below it, else any."""
        below = [name for name in self.names if name.endswith(f".{self.domain}")]
        return next(iter([name for name in self.names if name == self.domain] or below or self.names), "unknown")


def needs_names(spec: str) -> bool:
    """Whether the names of the caller's address have to be known."""
    return "%{p" in spec or "%{P" in spec


def expand(spec: str, values: MacroValues) -> str:
    """`spec`, which is well written, with the values in place of the macros; of what is too long for a name, the end. RFC 7208 §7.3"""
    text = _MACRO.sub(lambda match: _LITERAL.get(match[1] or "") or _value(match, values), spec).removesuffix(".")
    while len(text) > LONGEST and "." in text[-LONGEST - 1 :]:
        text = text[-LONGEST - 1 :].partition(".")[2]
    return text


def _value(match: re.Match[str], values: MacroValues) -> str:
    _, letter, count, reverse, delimiters = match.groups()
    text = values.of(letter.lower())[:MOST_VALUE]
    if count or reverse or delimiters:
        parts = re.split(f"[{re.escape(delimiters or '.')}]", text)
        parts = parts[::-1] if reverse else parts
        text = ".".join(parts[-int(count) :] if count else parts)
    return _encoded(text) if letter.isupper() else text


def _encoded(text: str) -> str:
    """As an address in the web has it, RFC 7208 §7.3, RFC 3986 §2.1."""
    return "".join(char if char in _UNRESERVED else "".join(f"%{octet:02x}" for octet in char.encode("utf-8", "replace")) for char in text)
