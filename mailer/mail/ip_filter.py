"""Addresses that we do not connect to because a stranger's DNS says so.

Anybody can publish an MX record that leads to 127.0.0.1, to a machine behind our firewall or to a cloud's metadata
service. Mail for it would loop, or would talk to a service that trusts its neighbours. So every address that comes
out of the DNS of somebody else is screened here before it is dialled; what the operator has written down himself (a
relay) is not.

Used for MX hosts and address literals. The list is explicit, not `ipaddress`'s ``is_global``,
whose meaning changes with the version of Python.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this host, RFC 1122 §3.2.1.3
        "10.0.0.0/8",  # private, RFC 1918 §3
        "100.64.0.0/10",  # shared by customers of a carrier, RFC 6598; one cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # one cloud's metadata, at a public address
        "169.254.0.0/16",  # link-local, RFC 3927; metadata nearly everywhere
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, RFC 6890; one cloud's metadata
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/96",  # unspecified, loopback, and IPv4-compatible addresses, which nobody uses any more
        "::ffff:0:0/96",  # IPv4-mapped: never a true AAAA record, RFC 4291 §2.5.5.2
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765 §2.1: a translator would connect to what it wraps
        "64:ff9b:1::/48",  # local translation, RFC 8215
        "100::/64",  # discard, RFC 6666
        "2001::/32",  # Teredo, which hides an IPv4 address
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, RFC 3879
        "ff00::/8",  # multicast
    )
)
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052 §2.1


def allowed(ip: str) -> bool:
    """Whether mail for strangers may be taken to `ip`. What is no address is not allowed."""
    try:
        address = _unwrapped(ip_address(ip))
    except ValueError:
        return False
    return not any(address in network for network in _REFUSED)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that a translator would connect to, where `address` wraps one."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:  # 2002::/16, RFC 3056 §2
            return address.sixtofour
    return address
