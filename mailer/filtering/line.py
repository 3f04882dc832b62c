"""A connection to a filter: octets to and fro, with the two things that filters need and others do not.

What a filter has said before it hung up can be read also when it takes no more of what we send (clamd answers so where a message is too
large for it). And our side can be closed alone, which is how spamd is told that a message is over.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.config.sections.doors import DoorPlace

CONNECT = 10.0  # seconds
PIECE = 1 << 16  # octets


class FilterLine:
    """One connection, closed with its ``with``. All that waits raises `OSError`; who calls has the deadline."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(cls, place: DoorPlace) -> Self:
        """A connection to `place`. Raises `OSError` (with `TimeoutError`)."""
        async with asyncio.timeout(CONNECT):
            if place.path:
                return cls(await _connected(socket.AF_UNIX, place.path))
            found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            for family, _, _, _, address in found[:-1]:
                try:
                    return cls(await _connected(family, address))
                except OSError:
                    continue
            return cls(await _connected(found[-1][0], found[-1][4]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it at once."""
        self._link.close()

    async def send(self, data: bytes) -> None:
        """Send all of `data`. Raises `OSError`."""
        view = memoryview(data)
        for start in range(0, len(data), PIECE):
            await self._loop.sock_sendall(self._link, view[start : start + PIECE])
            await asyncio.sleep(0)  # a large message leaves others their turn

    async def offer(self, pieces: Iterable[bytes]) -> bool:
        """Send `pieces` for as long as they are taken; whether all were. What it has said can be read in any case."""
        try:
            for piece in pieces:
                await self.send(piece)
        except ConnectionError:
            return False
        return True

    def done(self) -> None:
        """Say that nothing more comes from us."""
        self._link.shutdown(socket.SHUT_WR)

    async def hear(self) -> bytes:
        """What has come, up to `PIECE` octets; none where the other side is done. Raises `OSError`."""
        return await self._loop.sock_recv(self._link, PIECE)


async def _connected(family: int, address: tuple[Any, ...] | str) -> socket.socket:
    link = socket.socket(family, socket.SOCK_STREAM)
    try:
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, address)
        if family != socket.AF_UNIX:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        link.close()
        raise
    return link
