"""How a connection to a host comes about, where that is no plain TCP: a `Dialer`, and the one for unix sockets.

`mailer.net.proxy` has those for proxies. Whoever has a way of his own, such as another TLS, a multiplexer, or a server in the same process,
writes one: two members are all there is. What is spoken, STARTTLS and the check of the certificate are the same on every way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    Connected = tuple[asyncio.BaseTransport, asyncio.Protocol]
    """The two ends that asyncio makes of a connection."""


class Dialer(Protocol):
    """A way to make connections. Sessions are shared where host, port and dialer are equal."""

    @property
    def name(self) -> str:
        """What stands in place of the IP address in logs and errors, such as ``unix:///run/lmtp``; no secret."""

    async def connect(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> Connected:
        """Connect to `host` at `port`; what asyncio's ``loop.create_connection(factory, …)`` returns is what is wanted.

        The caller watches the time. Raises `OSError`; one without an errno is told by its text.
        """


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A server that listens on a unix socket of this machine, at `path`."""

    path: str

    @property
    def name(self) -> str:
        """``unix://PATH``."""
        return f"unix://{self.path}"

    async def connect(self, factory: Callable[[], asyncio.Protocol], host: str, port: int) -> Connected:  # noqa: ARG002
        """Host and port are of no matter here."""
        return await asyncio.get_running_loop().create_unix_connection(factory, self.path)
