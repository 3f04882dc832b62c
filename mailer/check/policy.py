"""The policy of MTA-STS, fetched as RFC 8461 §3.3 wants it: over HTTPS with a valid certificate, without redirects.

Whose web server that is, somebody else's DNS says. So the address is looked up first and screened like that of an MX host
(`mailer.mail.ip_filter`), and then that very address is called: no name is looked up again.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from mailer.mail.ip_filter import allowed

from .lookups import reason
from .rules.mta_sts import Fetched

if TYPE_CHECKING:
    from .lookups import Lookups

LARGEST = 65536  # bytes, head and all; a policy has some hundred, RFC 8461 §3.3
PATH = "/.well-known/mta-sts.txt"


async def fetch(lookups: Lookups, domain: str, *, ca_file: str = "", private: bool = False, port: int = 443) -> Fetched:
    """The policy of `domain`; `private` addresses may be allowed."""
    host = f"mta-sts.{domain}"
    answer = (await lookups.addresses([host]))[host]
    if answer.trouble or not answer.records:
        return Fetched(trouble=answer.trouble or f"{host} has no address")
    good = [address for address in answer.records if private or allowed(address)]
    if not good:
        return Fetched(trouble=f"{host} is at {answer.records[0]}, which nobody outside can reach")
    try:
        async with asyncio.timeout_at(lookups.until):
            return _read(await _get(good[0], port, host, ca_file))
    except TimeoutError:
        return Fetched(trouble=f"{good[0]} did not answer in time")
    except OSError as error:
        return Fetched(trouble=f"{good[0]}: {reason(error)}")


async def _get(address: str, port: int, host: str, ca_file: str) -> bytes:
    """The whole answer; HTTP/1.0, so that it ends when the connection does."""
    context = ssl.create_default_context(cafile=ca_file or None)
    reader, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    try:
        writer.write(f"GET {PATH} HTTP/1.0\r\nHost: {host}\r\nAccept: text/plain\r\n\r\n".encode())
        data = b""
        while len(data) <= LARGEST and (piece := await reader.read(LARGEST)):
            data += piece
        return data
    finally:
        writer.transport.abort()


def _read(data: bytes) -> Fetched:
    head, end, body = data.partition(b"\r\n\r\n")
    status, *_ = head.decode("latin-1").split("\r\n")
    words = status.split(" ")
    if not status.startswith("HTTP/1.") or len(words) < 2 or not end:
        return Fetched(trouble="what answers is no web server")
    if words[1] != "200":  # a redirect would lead to whom the certificate says nothing about
        return Fetched(trouble=f"the web server says {' '.join(words[1:])[:60]}")
    if len(data) > LARGEST:
        return Fetched(trouble="it is longer than a policy can be")
    return Fetched(body.decode("utf-8", "replace"))
