"""The way out: MX hosts of a large receiver are called by port 25, greet, and are left with QUIT. No mail is begun.

Some say in their answer to EHLO whom they see calling: behind a translator of addresses that is the only way to know.
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.trust.screen import allowed

from .judge.host import Call
from .judge.mx import hosts
from .words import reason

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .lookups import Lookups

PATIENCE = 2.5  # seconds for one host, in which a healthy one has greeted
_SEEN = re.compile(r"\[?([0-9A-Fa-f.:]{7,45})\]?")


async def calls(
    lookups: Lookups, domain: str, hello: str, *, port: int, versions: Collection[int], sources: Sequence[str] = (), private: bool = False
) -> tuple[list[Call], str]:
    """What came of calling the best MX host of `domain`, once by each family; or why nobody was called.

    `versions` are those of IP that this host has; `sources` are addresses of ours to call from, if they are configured.
    """
    mx = await lookups.ask(domain, "MX")
    if not mx.records:
        return [], mx.trouble or f"{domain} has no MX records"
    host = hosts(mx)[0][1]
    answer = (await lookups.addresses([host]))[host]
    good = [address for address in answer.records if private or allowed(address)]
    chosen = {ip_address(address).version: address for address in reversed(good)}
    own = {ip_address(source).version: source for source in sources}
    wanted = [chosen[version] for version in sorted(chosen) if version in versions]
    if not wanted:
        return [], answer.trouble or f"{host} has no address that may be called"
    return [*await asyncio.gather(*(_call(lookups, host, each, port, hello, own.get(ip_address(each).version)) for each in wanted))], ""


async def _call(lookups: Lookups, host: str, address: str, port: int, hello: str, source: str | None) -> Call:
    until = min(lookups.until, asyncio.get_running_loop().time() + PATIENCE)
    try:
        async with asyncio.timeout_at(until):
            reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0) if source else None)
            try:
                greeting = await _reply(reader)
                if not greeting[0].startswith("2"):
                    return Call(host, address, trouble=f"it says {greeting[-1]}")
                writer.write(f"EHLO {hello}\r\n".encode())
                offers = await _reply(reader)
                writer.write(b"QUIT\r\n")
                return Call(host, address, greeting[-1], seen=_seen(offers[0]))
            finally:
                writer.close()
    except TimeoutError:
        return Call(host, address, trouble="no answer")
    except (OSError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
        return Call(host, address, trouble=reason(error))


async def _reply(reader: asyncio.StreamReader) -> list[str]:
    """The lines of one reply. Raises `EOFError` and `ValueError`."""
    lines: list[str] = []
    while True:
        line = (await reader.readuntil(b"\n")).decode("latin-1").rstrip()
        if not re.match(r"[2-5]\d\d(?:[ -]|$)", line) or len(lines) > 100:
            raise ValueError(f"it does not speak SMTP: {line[:40]}")
        lines.append(line)
        if line[3:4] != "-":
            return lines


def _seen(line: str) -> str:
    """The address that a host says it sees; empty if it says none."""
    for text in _SEEN.findall(line):
        try:
            return str(ip_address(text.removeprefix("IPv6:")))
        except ValueError:
            continue
    return ""
