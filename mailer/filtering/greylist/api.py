"""Greylisting as a rule: how long a client has to wait, and the interface of where that is remembered."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 100_000
"""Rows that are kept; the one that was met least recently makes room."""


class GreylistTerms(NamedTuple):
    """How long one has to `wait`, how long he may take to come again (`retry`), and how long that he did is kept, all in seconds."""

    wait: float = 300.0
    retry: float = 36 * 3600.0
    keep: float = 35 * 86400.0


class GreyRow(NamedTuple):
    """Somebody with a mail: when he came `first` and `last`, in seconds since the epoch, and whether he has come again in time."""

    first: float
    last: float
    passed: bool = False


class Greylist(Protocol):
    """Where it is remembered who was put off. What cannot be had raises `Problem`: then nobody is put off."""

    async def met(self, keys: Sequence[str], at: float, terms: GreylistTerms) -> Sequence[float]:
        """Note that those of these keys (`key_of`) have come; for each the seconds that he has to wait, 0 for who may pass."""

    async def expire(self, at: float, terms: GreylistTerms) -> int:
        """Forget what is over; how many rows that were."""

    async def count(self) -> int:
        """How many rows there are."""

    async def close(self) -> None:
        """Let go of what is open."""


def key_of(ip: str, domain: str, sender: str, recipient: str) -> str:
    """What one is known by: the `domain` that is proved for him, or his network, an IPv4 /24 or an IPv6 /64; with sender and recipient.

    It is a digest: of the same length whatever strangers say, and nobody reads in it who writes to whom.
    """
    who = domain.lower() or _network(ip)
    text = f"{who}\0{sender.lower()}\0{recipient.lower()}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _network(ip: str) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))


def judged(row: GreyRow | None, at: float, terms: GreylistTerms) -> tuple[GreyRow, float]:
    """What is known of one who comes now, by what was, and how many seconds he has to wait.

    Who comes too early waits on from when he came first. A clock that was set back makes nobody wait longer than once.
    """
    if row is None or is_over(row, at, terms):
        return GreyRow(at, at), terms.wait
    if row.passed:
        return row._replace(last=at), 0.0
    left = row.first + terms.wait - at
    if 0 < left <= terms.wait:
        return row._replace(last=at), left
    return GreyRow(row.first, at, passed=True), 0.0


def is_over(row: GreyRow, at: float, terms: GreylistTerms) -> bool:
    """Whether `row` says nothing any more."""
    return at - row.last > terms.keep if row.passed else at - row.first > terms.retry
