"""The name of a client by the DNS: the one that its address leads to, and that leads back to the address. RFC 8601 §3

Recorded, and a sign for those who look for signs; no reason for anything by itself, for much good mail comes from hosts without one.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from .records import DnsQuestion

if TYPE_CHECKING:
    from .records import Rule

MOST_NAMES = 10  # of an address, that are looked at


def confirmed_name(ip: str) -> Rule[str]:
    """The first name of the host at `ip` that leads back to it; empty where there is none, or nobody could say. Raises `ValueError`."""
    address = ip_address(ip)
    address = getattr(address, "ipv4_mapped", None) or address
    (pointer,) = yield [DnsQuestion(address.reverse_pointer, "PTR")]
    names = pointer.records[:MOST_NAMES]
    if not names:
        return ""
    answers = yield [DnsQuestion(name, "A" if address.version == 4 else "AAAA") for name in names]
    found = (name for name, answer in zip(names, answers, strict=True) if any(ip_address(one) == address for one in answer.records))
    return next(found, "")
