"""The addresses of the server, as this machine's own resolver knows them.

`getaddrinfo`, not the DNS alone: a program's server may be named in /etc/hosts, by a container runtime, or in the search
domain of a cluster. The answer is kept for a short time, so that a session from the pool costs no look-up.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

from mailer.net.happy_eyeballs import arranged

from .errors import ErrorKind, SmtpError

KEPT = 60.0  # seconds


class Names:
    """The addresses of one host."""

    def __init__(self, host: str, port: int, family: str = "any") -> None:
        """`family` is one of `mailer.net.happy_eyeballs.FAMILIES`."""
        self._host = host.strip("[]")
        self._port = port
        self._family = family
        self._known: list[str] = []
        self._until = 0.0

    async def addresses(self) -> list[str]:
        """In the order to try them, RFC 6724. Raises `SmtpConnectionError`."""
        loop = asyncio.get_running_loop()
        if not self._known or loop.time() >= self._until:
            self._known = _literal(self._host) or self._ours(await self._look_up())
            self._until = loop.time() + KEPT
        return self._known

    def forget(self) -> None:
        """Ask again next time: what is known did not help."""
        self._known = []

    def _ours(self, addresses: list[str]) -> list[str]:
        """Those that may be called; a literal is what its user wants."""
        if found := arranged(addresses, self._family):
            return found
        text = f"{self._host} has no IPv{self._family[-1]} address, and no other may be called (family={self._family!r})"
        raise SmtpError(
            ErrorKind.DNS_RESOLUTION_FAILED, text, code=550, enhanced_code="5.1.2", host=self._host, phase="dns", retryable=False
        )

    async def _look_up(self) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            for_now = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            reason = error.strerror if isinstance(error, OSError) else "it is no name"
            raise SmtpError(
                ErrorKind.DNS_RESOLUTION_FAILED,
                f"{self._host} has no address: {reason}",
                code=451 if for_now else 550,
                enhanced_code="4.4.3" if for_now else "5.1.2",
                host=self._host,
                phase="dns",
                retryable=for_now,
            ) from error
        return list(dict.fromkeys(str(place[0]) for *_, place in found))


def _literal(host: str) -> list[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []
