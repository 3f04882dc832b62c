"""A proxy as a way to a host: a `mailer.net.dialer.Dialer` that leads the dialogs of `mailer.proxy`."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailer.proxy.place import ProxyPlace, ProxyTrouble
from mailer.proxy.socks5 import socks5
from mailer.proxy.tunnel import tunnel

from .aside import aside

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from mailer.proxy.place import Talk

    from .dialer import Connected

LONGEST = 8192  # octets of an answer in HTTP


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy at `place`. With a `username` there is a login, and `secret` tells the password."""

    place: ProxyPlace
    username: str = ""
    secret: Callable[[], str] | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str, username: str = "", secret: Callable[[], str] | str | None = None) -> Self:
        """The proxy that ``socks5://host:port`` or ``http://host:port`` names. Raises `ValueError`, also for a login in the URL."""
        return cls(ProxyPlace.read(url), username, _kept(secret) if isinstance(secret, str) else secret)

    @property
    def name(self) -> str:
        """The URL, without the login."""
        return str(self.place)

    async def connect(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> Connected:
        """A connection through the proxy. Raises `ProxyTrouble`, and the `Problem` of the secret."""
        login = (self.username, await aside(self.secret) if self.secret else "") if self.username else None
        loop = asyncio.get_running_loop()
        wire = await self._call(loop)
        try:
            talk = socks5(host, port, login) if self.place.kind == "socks5" else tunnel(host, port, login)
            try:
                await _lead(loop, wire, talk)
            except ProxyTrouble as trouble:
                raise ProxyTrouble(f"the proxy {self.name} {trouble}", ours=trouble.ours) from None
            except OSError as error:
                raise ProxyTrouble(f"the proxy {self.name} broke off: {_reason(error)}") from None
            return await loop.create_connection(factory, sock=wire)
        except BaseException:
            wire.close()
            raise

    async def _call(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A TCP connection to the proxy, at the first of its addresses that takes one."""
        problem: OSError | None = None
        try:
            places = await loop.getaddrinfo(self.place.host, self.place.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ProxyTrouble(f"the proxy {self.name} has no address: {error.strerror or error}") from None
        for family, kind, number, _, place in places:
            wire = socket.socket(family, kind, number)
            try:
                wire.setblocking(False)
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.sock_connect(wire, place)
            except OSError as error:
                wire.close()
                problem = error
            except BaseException:
                wire.close()
                raise
            else:
                return wire
        raise ProxyTrouble(f"the proxy {self.name} cannot be reached: {_reason(problem)}")


async def _lead(loop: asyncio.AbstractEventLoop, wire: socket.socket, talk: Talk) -> None:
    """Carry what `talk` says to the proxy, and its answers back; not an octet is read that belongs to the host."""
    said, wanted = next(talk)
    while True:
        await loop.sock_sendall(wire, said)
        answer = await _exactly(loop, wire, wanted) if wanted else await _head(loop, wire)
        try:
            said, wanted = talk.send(answer)
        except StopIteration:
            return


async def _exactly(loop: asyncio.AbstractEventLoop, wire: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = await loop.sock_recv(wire, count - len(data))
        if not part:
            raise ProxyTrouble("broke off: it closed the connection")
        data += part
    return data


async def _head(loop: asyncio.AbstractEventLoop, wire: socket.socket) -> bytes:
    """One octet at a time: what follows the empty line is the host's greeting, which is not ours to read yet."""
    data = bytearray()
    while not data.endswith(b"\r\n\r\n"):
        if len(data) >= LONGEST:
            raise ProxyTrouble("answers without an end")
        data += await _exactly(loop, wire, 1)
    return bytes(data)


def _reason(error: OSError | None) -> str:
    """The reason alone; asyncio puts whole addresses into its messages."""
    return os.strerror(error.errno) if error and error.errno else str(error)


def _kept(secret: str) -> Callable[[], str]:
    return lambda: secret
