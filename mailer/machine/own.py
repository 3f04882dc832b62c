"""Whether an address is one of this machine's: mail that is taken there comes back to us.

The kernel is asked by binding a socket to it, which it allows for its own addresses only. Used by the finder for MX hosts.

What this does not cover: an address that a translator (NAT) maps to this machine, which the machine does not know.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

NOBODYS = ("192.0.2.1", "2001:db8::1")
"""Of documentation, RFC 5737 §3 and RFC 3849 §2. Where even these can be bound (ip_nonlocal_bind), binding says nothing."""


def is_own(ip: str) -> bool:
    """Whether `ip`, an address without a zone, is an address of this machine."""
    return _binds(ip) and not _binds(NOBODYS[ip_address(ip).version == 6])


def _binds(ip: str) -> bool:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((ip, 0))
    except OSError:
        return False
    return True
