"""The PROXY protocol, versions 1 and 2: what a proxy says first, so that we know who called it.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. Read only of proxies that are listed, for whoever says this is believed;
`mailer.net.server` waits for it. A header is read to its end and no octet further: what follows may be a handshake of TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

Address = IPv4Address | IPv6Address

MAX_LINE = 107  # octets of version 1, with its end
MAX_BLOCK = 536  # octets of version 2: a proxy says no more than that without being asked
_SHORTEST = 15  # "PROXY UNKNOWN" and its end; a block has one octet more
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class NoProxyHeader(ValueError):
    """What a proxy said first is no header of the PROXY protocol."""


class Proxied(NamedTuple):
    """The caller of a proxy: an IP address and a port."""

    host: str
    port: int


def header() -> Generator[int, bytes, Proxied | None]:
    """Read a header: yields how many octets to read, and is sent so many. Returns who called; None where that is the proxy itself.

    Raises `NoProxyHeader`.
    """
    data = yield _SHORTEST
    if data.startswith(_SIGNATURE):
        data += yield 1
        length = int.from_bytes(data[14:16], "big")
        if length > MAX_BLOCK - len(data):
            raise NoProxyHeader("the block is too long")
        return _block(data[12], data[13], (yield length) if length else b"")
    if not data.startswith(b"PROXY "):
        raise NoProxyHeader("neither a line nor a block")
    while b"\n" not in data:
        if len(data) >= MAX_LINE:
            raise NoProxyHeader("the line is too long")
        data += yield 1
    return _line(data)


def _block(command: int, family: int, addresses: bytes) -> Proxied | None:
    """Version 2, §2.2."""
    if command == 0x20:  # LOCAL: a question of the proxy's own, whether we are there
        return None
    if command != 0x21:
        raise NoProxyHeader("an unknown version or command")
    if family == 0:
        return None
    size = {0x11: 4, 0x21: 16}.get(family, 0)
    if not size or len(addresses) < 2 * size + 4:
        raise NoProxyHeader("no address of a caller by TCP")
    source, port = addresses[:size], addresses[2 * size : 2 * size + 2]
    return _caller(IPv4Address(source) if size == 4 else IPv6Address(source), int.from_bytes(port, "big"))


def _line(line: bytes) -> Proxied | None:
    """Version 1, §2.1."""
    if not line.endswith(b"\r\n") or line.count(b"\r") > 1 or not line.isascii():
        raise NoProxyHeader("the line has no end")
    words = line[:-2].decode().split(" ")
    if words[1] == "UNKNOWN":
        return None
    kind = _KINDS.get(words[1])
    if kind is None or len(words) != 6:
        raise NoProxyHeader("no address of a caller by TCP")
    try:
        source, _ = kind(words[2]), kind(words[3])
        port, _ = _port(words[4]), _port(words[5])
    except ValueError:
        raise NoProxyHeader("addresses of another kind") from None
    if "%" in words[2]:
        raise NoProxyHeader("addresses of another kind")
    return _caller(source, port)


_KINDS: dict[str, Callable[[str], Address]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}


def _port(text: str) -> int:
    if not text.isdigit() or len(text) > 5 or int(text) > 65535:
        raise ValueError(text)
    return int(text)


def _caller(address: Address, port: int) -> Proxied:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return Proxied(str(mapped or address), port)
