"""The clock of this machine beside that of a time server: one question of SNTP (RFC 4330), no setting of clocks."""

from __future__ import annotations

import asyncio
import struct
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .lookups import reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config.kinds import HostPort

    from .lookups import Lookups

EPOCH = 2208988800  # seconds from 1900, when NTP begins to count, to 1970
PATIENCE = 2.0  # seconds
_ASK = b"\x23" + bytes(47)  # version 4, client


class _Answer(asyncio.DatagramProtocol):
    """Keeps the first datagram, and when it came."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.came: asyncio.Future[tuple[bytes, float]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        """It is here."""
        if not self.came.done():
            self.came.set_result((data, self.clock()))

    def error_received(self, error: Exception) -> None:
        """Nobody is there."""
        if not self.came.done():
            self.came.set_exception(error)


async def offset(lookups: Lookups, server: HostPort, clock: Callable[[], float] = time.time) -> tuple[float | None, str]:
    """How many seconds `clock` is ahead of `server`, whose usual port is 123; or why nobody can say."""
    address, trouble = await _address(lookups, server.host)
    if trouble:
        return None, trouble
    try:
        async with asyncio.timeout_at(min(lookups.until, asyncio.get_running_loop().time() + PATIENCE)):
            return await _ask(address, server.port or 123, clock)
    except TimeoutError:
        return None, f"{server} did not answer in time"
    except OSError as error:
        return None, f"{server}: {reason(error)}"


async def _address(lookups: Lookups, host: str) -> tuple[str, str]:
    try:
        return str(ip_address(host)), ""
    except ValueError:
        found = (await lookups.addresses([host]))[host]
        return (found.records[0], "") if found.records else ("", found.trouble or f"{host} has no address")


async def _ask(address: str, port: int, clock: Callable[[], float]) -> tuple[float | None, str]:
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_datagram_endpoint(lambda: _Answer(clock), remote_addr=(address, port))
    try:
        sent = clock()
        transport.sendto(_ASK)
        data, came = await answer.came
    finally:
        transport.abort()
    if len(data) < 48 or data[0] & 7 != 4 or not 0 < data[1] < 16:  # not a server, or one that does not know the time itself
        return None, "what answers knows no time"
    received, replied = (seconds - EPOCH + part / 2**32 for seconds, part in struct.iter_unpack("!II", data[32:48]))
    return ((sent - received) + (came - replied)) / 2, ""
