"""SOCKS5: greeting, login, and the question for a connection."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from .place import ProxyTrouble, host_octets

if TYPE_CHECKING:
    from .place import Talk

REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
"""RFC 1928 §6."""


def socks5(host: str, port: int, login: tuple[str, str] | None) -> Talk:
    """RFC 1928, to where octets go through. Raises `ProxyTrouble`."""
    answer = yield (b"\x05\x02\x00\x02" if login else b"\x05\x01\x00"), 2
    if answer[0] != 5:
        raise ProxyTrouble("does not speak SOCKS5")
    if answer[1] == 2 and login:
        yield from _socks_login(login)
    elif answer[1] != 0:
        wants = "takes no login by password" if login else "wants a login"
        raise ProxyTrouble(f"refused: it {wants}", ours=True)
    answer = yield b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2, "big"), 4
    if answer[1]:
        raise ProxyTrouble(f"refused: {REPLIES.get(answer[1], 'for a reason without a name')} ({answer[1]})")
    length = {1: 4, 4: 16}.get(answer[3], 0)
    if answer[3] == 3:
        length = (yield b"", 1)[0]
    elif not length:
        raise ProxyTrouble("answers what is no SOCKS5")
    yield b"", length + 2


def _socks_login(login: tuple[str, str]) -> Talk:
    """RFC 1929."""
    name, password = (text.encode() for text in login)
    if not (0 < len(name) < 256 and 0 < len(password) < 256):
        raise ProxyTrouble("cannot be told this login: a name and a password have 1 to 255 octets", ours=True)
    answer = yield b"\x01" + bytes([len(name)]) + name + bytes([len(password)]) + password, 2
    if answer[1]:
        raise ProxyTrouble("refused: wrong user name or password", ours=True)


def _socks_address(host: str) -> bytes:
    """The name goes as it is: whose DNS knows it is the proxy's affair."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        name = host_octets(host)
        if len(name) > 255:
            raise ProxyTrouble("cannot be told a host with so long a name") from None
        return b"\x03" + bytes([len(name)]) + name
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed
