"""A proxy that does what a test says: SOCKS5 and CONNECT of HTTP on one port, in a thread of its own.

It takes any name for a host of the loopback, so that a name can be asked for that only the proxy knows.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode

from mailer.testing import LoopbackServer


class FakeProxy(LoopbackServer):
    """`asked` is each ``host:port`` that somebody wanted. A `login` (name, password) is needed; `refuse` is a code of its own."""

    def __init__(self, login: tuple[str, str] | None = None, refuse: int = 0, target: int = 0) -> None:
        """Every connection leads to port `target` of the loopback, or without one to the port that was asked for."""
        super().__init__()
        self.login = login
        self.refuse = refuse
        self.target = target
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        talk = self._socks if first == b"\x05" else self._http
        port = await talk(reader, writer)
        if port:
            await carry(reader, writer, self.target or port, OPEN if talk == self._http else b"")

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        method = 2 if self.login else 0
        if method not in methods:
            writer.write(b"\x05\xff")
            return 0
        writer.write(bytes([5, method]))
        if self.login:
            await reader.readexactly(1)
            name, password = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
            right = (name, password) == self.login
            writer.write(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return 0
        kind = (await reader.readexactly(4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        raw = await reader.readexactly(length)
        host = raw.decode() if kind == 3 else ".".join(map(str, raw))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{host}:{port}")
        writer.write(bytes([5, self.refuse, 0, 3, 5]) + b"proxy" + b"\0\0" if port % 2 else bytes([5, self.refuse, 0, 1, 0, 0, 0, 0, 0, 0]))
        return 0 if self.refuse else port

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        lines = (b"C" + await reader.readuntil(b"\r\n\r\n"))[1:].decode().split("\r\n")
        target = lines[0].split(" ")[1]
        self.asked.append(target)
        given = [line.partition(": Basic ")[2] for line in lines if line.startswith("Proxy-Authorization")]
        if self.login and (not given or b64decode(given[0]).decode() != ":".join(self.login)):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return 0
        if self.refuse:
            writer.write(f"HTTP/1.1 {self.refuse} Forbidden here\r\nContent-Length: 0\r\n\r\n".encode())
            return 0
        return int(target.rpartition(":")[2])


OPEN = b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n"


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, before: bytes = b"") -> None:
    """All octets, both ways, between a caller and port `port` of the loopback; `before` goes in one packet with its greeting."""
    far, far_writer = await asyncio.open_connection("127.0.0.1", port)
    if before:
        writer.write(before + await far.read(65536))

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    await asyncio.gather(pump(reader, far_writer), pump(far, writer))
