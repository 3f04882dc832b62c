"""DNS blocklists, RFC 5782: the name under which a list is asked for an address, what its answer means, and whether it can be believed.

A list is asked by name: ``2.0.0.127.LIST`` for 127.0.0.2. It answers with addresses in 127.0.0.0/8 for what is on it, codes that say why,
and that there is no such name for what is not. A list that tells good senders has codes, too, which count below zero.

Whoever asks too much, or through a resolver that thousands share, gets an address in 127.255.255.0/24, or nothing at all, or lies; a list
that was given up answers whatever the owner of its domain likes. So an answer that no list gives means that the list is broken, and so
does a wrong one for the test entries that each list has (§5): one is always on it, the other never. Used by the filter of incoming mail
(`mailer.filtering.blocklist`), and by the check of our own addresses (`mailer.check.rules.address`).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LISTED, NOT_LISTED = "127.0.0.2", "127.0.0.1"
"""The test entries, RFC 5782 §5: one is on each list of IPv4 addresses, the other on none."""

MOST = 64  # records of an answer that are looked at

_ANSWERS = IPv4Network("127.0.0.0/8")
_REFUSALS = IPv4Network("127.255.255.0/24")
_NOBODY = IPv4Address("127.0.0.1")


def entry(address: str, blocklist: str) -> str:
    """The name at which `blocklist` has the entry of `address`. RFC 5782 §2.1, §2.4"""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return f"{found.reverse_pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{blocklist}"


def unusable(records: Iterable[str]) -> str:
    """Why `records`, IPv4 addresses, are no answer of a list that works; empty if they are one, or none."""
    for record in records:
        address = ip_address(record)
        if address in _REFUSALS:
            return f"it refuses to answer ({record}), as lists do that are asked through a resolver many share"
        if address not in _ANSWERS or address == _NOBODY:
            return f"it answers with {record}, as no list does"
    return ""


def untrue(listed: Sequence[str], not_listed: Sequence[str]) -> str:
    """Why a list that answers so for `LISTED` and for `NOT_LISTED` is not believed; empty if it is. RFC 5782 §5"""
    if problem := unusable(listed) or unusable(not_listed):
        return problem
    if not listed:
        return "it knows nothing, not even its own test entry"
    return "it says yes to everything" if not_listed else ""


class CodePattern(NamedTuple):
    """Codes of a list: an address in 127.0.0.0/8, each number of which may be ``*`` or a range (``127.0.0.4-7``, ``127.0.*.3``)."""

    text: str
    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, text: str) -> CodePattern:
        """The pattern that `text` writes. Raises `ValueError`."""
        parts = text.split(".")
        ranges = tuple(map(_range, parts))
        if len(ranges) != 4 or ranges[0] != (127, 127):
            raise ValueError(f'"{text[:60]}" is no code of a list; write "127.0.0.2", "127.0.0.4-7" or "127.0.*.3"')
        return cls(text, ranges)

    def fits(self, record: str) -> bool:
        """Whether `record`, an IPv4 address, is one of these codes."""
        return all(low <= number <= high for number, (low, high) in zip(map(int, record.split(".")), self.ranges, strict=True))

    def __str__(self) -> str:
        return self.text


def _range(text: str) -> tuple[int, int]:
    if text == "*":
        return 0, 255
    low, dash, high = text.partition("-")
    first, last = _number(low), _number(high) if dash else _number(low)
    if first > last:
        raise ValueError(f'"{text[:60]}" begins behind its end')
    return first, last


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 255):
        raise ValueError(f"{text[:60]!r} is no number from 0 to 255")
    return int(text)


USUAL = CodePattern.read("127.0.0.2-254")
"""What counts of a list whose codes nobody has told apart."""


def score(records: Sequence[str], usual: float, scores: Sequence[tuple[CodePattern, float]]) -> float:
    """What an answer adds to the sum of a message: each of `scores` once whose codes are among `records`; without any, `usual`.

    Codes that nobody has given a score to add nothing, whatever the list means by them.
    """
    if not scores:
        return usual if any(map(USUAL.fits, records)) else 0.0
    return sum(score for pattern, score in scores if any(map(pattern.fits, records)))
