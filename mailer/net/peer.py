"""The caller of a server, as the kernel knows him, or a proxy that is believed."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, NamedTuple

from mailer.mail.ip_network import network
from mailer.smtp.proxy import Proxied, header

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


class Peer(NamedTuple):
    """A caller: an IP address and a port, or over a unix socket the user's number, as the kernel took it down.

    `by` is the address of the proxy that told who it is, where one did.
    """

    host: str = ""
    port: int = 0
    uid: int = -1
    by: str = ""

    @property
    def share(self) -> str:
        """The caller as one that has a share of the places: ``192.0.2.1``, ``2001:db8::/64``, ``unix:1000``."""
        if self.uid >= 0:
            return f"unix:{self.uid}"
        return network(self.host) if ":" in self.host else self.host  # with IPv6 a host has a whole network of them


def peer_of(caller: socket.socket, address: Any) -> Peer:
    """The caller, of whom the kernel says `address`. Raises `OSError` where he is gone already."""
    if caller.family == socket.AF_UNIX:
        known = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return Peer(uid=_CREDENTIALS.unpack(known)[1])
    return Peer(address[0], address[1])


async def told_by(proxy: Peer, caller: socket.socket) -> Peer:
    """The caller of `proxy`, as it says first of all; itself where it calls for nobody. Raises `OSError` and `NoProxyHeader`."""
    loop = asyncio.get_running_loop()
    reader = header()
    wanted = next(reader)
    while True:
        data = b""
        while len(data) < wanted:
            if not (piece := await loop.sock_recv(caller, wanted - len(data))):
                raise ConnectionResetError("the proxy has hung up")
            data += piece
        try:
            wanted = reader.send(data)
        except StopIteration as stop:
            told: Proxied | None = stop.value
            return Peer(told.host, told.port, by=proxy.host) if told else proxy
