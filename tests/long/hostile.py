"""Clients who are out to cost a server memory, descriptors or time. Each is for one connection, and begins again when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable

Attack = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ENVELOPE = b"EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<you@there.example>\r\n"
FOREVER = 1e6


async def rest(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say EHLO, and nothing more."""
    writer.write(b"EHLO me.example\r\n")
    await asyncio.sleep(FOREVER)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say a command, octet by octet."""
    while True:
        writer.write(b"N")
        await writer.drain()
        await asyncio.sleep(5)


async def drip_message(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a message, and go on as slowly as may be."""
    writer.write(ENVELOPE + b"DATA\r\n" + b"x" * 50_000)
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(2)


async def crumble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bring a message in chunks of one octet."""
    writer.write(ENVELOPE)
    while True:
        writer.write(b"BDAT 1\r\nx" * 20)
        await writer.drain()
        await asyncio.sleep(0.5)


async def read_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for much, and do not read the answers."""
    writer.transport.pause_reading()
    while True:
        writer.write(b"HELP\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(1)


async def stall_in_the_handshake(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for TLS, and send the beginning of a handshake."""
    writer.write(b"EHLO me.example\r\n")
    await asyncio.sleep(0.5)
    writer.write(b"STARTTLS\r\n")
    await asyncio.sleep(0.5)
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00")
    await asyncio.sleep(FOREVER)


async def rave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send octets without sense."""
    while True:
        writer.write(os.urandom(2000))
        await writer.drain()
        await asyncio.sleep(0.2)


async def leave_within_a_message(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send half a large message, and go."""
    writer.write(ENVELOPE + b"BDAT 1000000 LAST\r\n" + b"x" * 300_000)
    await writer.drain()
    await asyncio.sleep(1)


async def guess_names(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Look for somebody who lives there."""
    writer.write(b"EHLO me.example\r\nMAIL FROM:<a@b.example>\r\n")
    while True:
        writer.write(b"RCPT TO:<%d@nowhere.example>\r\n" % random.randrange(1 << 30))
        await writer.drain()
        await asyncio.sleep(1)


ATTACKS: dict[Attack, int] = {
    rest: 6, drip: 3, drip_message: 2, crumble: 2, read_nothing: 2, stall_in_the_handshake: 2, rave: 1, leave_within_a_message: 1,
    guess_names: 1,
}  # fmt: skip
"""How many of twenty do what."""


async def attack(port: int, number: int) -> None:
    """Do it again and again, from an address of one's own, until cancelled."""
    crowd = [each for each, count in ATTACKS.items() for _ in range(count)]
    mine, address = crowd[number % len(crowd)], (f"127.1.{number // 250}.{number % 250 + 1}", 0)
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=address, limit=4096)
            gone = asyncio.ensure_future(hung_up(reader)) if mine is not read_nothing else None
            doing = asyncio.ensure_future(mine(reader, writer))
            try:
                await asyncio.wait([doing, *([gone] if gone else [])], return_when=asyncio.FIRST_COMPLETED)
            finally:
                writer.transport.abort()  # before anything is waited for: whoever cancels this may do so here, too
                for each in (doing, gone):
                    if each is not None:
                        each.cancel()
                        await asyncio.gather(each, return_exceptions=True)
        await asyncio.sleep(random.random())


async def hung_up(reader: asyncio.StreamReader) -> None:
    """Wait until the server has hung up; what it says is thrown away."""
    while await reader.read(65536):
        pass
