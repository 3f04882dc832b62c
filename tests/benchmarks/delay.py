#!/usr/bin/env python3
"""A wire with a length: forwards TCP connections to a port of this machine, each direction SECONDS later.

    python tests/benchmarks/delay.py PORT SECONDS       prints its own port

Loopback has no round trip to save; this has one, and no other limit: bytes are delayed, not thinned out.
"""

from __future__ import annotations

import asyncio
import sys


class End(asyncio.Protocol):
    """One end of a connection; what comes in here goes out at the other, later."""

    def __init__(self, seconds: float, port: int = 0) -> None:
        self.seconds = seconds
        self.port = port
        self.other: End | None = None
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        if self.other is None:
            self.task = asyncio.get_running_loop().create_task(self.join())
        for data in self.early:
            self.data_sent(data)

    async def join(self) -> None:
        self.other = End(self.seconds)
        self.other.other = self
        await asyncio.get_running_loop().create_connection(lambda: self.other, "127.0.0.1", self.port)

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(self.seconds, self.pass_on, data)

    def pass_on(self, data: bytes) -> None:
        assert self.other is not None
        self.other.data_sent(data)

    def data_sent(self, data: bytes) -> None:
        if self.transport is None:
            self.early.append(data)
        else:
            self.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            asyncio.get_running_loop().call_later(self.seconds, self.other.transport.close)


async def main(port: int, seconds: float) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: End(seconds, port), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
