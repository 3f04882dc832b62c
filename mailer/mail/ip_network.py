"""The networks that a client's address counts with, where limits are kept and refusals are summed.

A customer of a provider has one address of IPv4, and a whole /64 of IPv6, of which each connection may use another address. Who has more
has a /24, or a /48: the least that is routed on the Internet, and what a site is given (RFC 6177 §2). An address of IPv4 that is written
in one of IPv6 counts as itself (RFC 4291 §2.5.5.2).
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def network(ip: str) -> str:
    """The address itself, or its /64 of IPv6; what is no address stays as it is."""
    return _within(ip, 32, 64)


def neighbourhood(ip: str) -> str:
    """The /24 of IPv4, or the /48 of IPv6, that an address is in; what is no address stays as it is."""
    return _within(ip, 24, 48)


def overlap(one: str, other: str) -> bool:
    """Whether two networks, or addresses, have an address in common; not, where one is none."""
    try:
        first, second = ip_network(one, strict=False), ip_network(other, strict=False)
    except ValueError:
        return False
    return first.version == second.version and first.overlaps(second)


@lru_cache(4096)
def _within(ip: str, of_4: int, of_6: int) -> str:
    try:
        address = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), of_6), strict=False))  # as a number, without the interface of a link-local one
    return str(address) if of_4 == 32 else str(IPv4Network((int(address), of_4), strict=False))
