"""From a recipient's domain to the way that its mail goes: the rule, the hosts in order, the shared destination.

What was found for a domain is remembered for `TTL` seconds, so that the thousandth message to it costs a
look into a dictionary. The resolver below keeps to the TTL of the records; this only saves asking it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.transport.connection import Endpoint

TTL = 30.0  # seconds


class Stop(NamedTuple):
    """One host to try: the `endpoint` that a session needs and the `addresses` that it may dial, in order."""

    endpoint: Endpoint
    addresses: Sequence[str]
    relay: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How mail travels: the `stops` in order; `key` names the destination that shares limits, `relay` whether it is one.

    `author` is the only one that it takes, if it does.
    """

    key: str
    stops: tuple[Stop, ...]
    relay: bool
    author: str = ""


class Finder(Protocol):
    """One that can find the way for a domain."""

    async def find(self, domain: str) -> Way:
        """The way for `domain`. Raises `delivery.hosts.Unroutable`."""


class Router:
    """Ways by domain, found once and remembered for a while."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self._known: dict[str, tuple[float, Way]] = {}

    def known(self, domain: str, now: float) -> Way | None:
        """The way, if it was found within `TTL`."""
        found = self._known.get(domain)
        return found[1] if found and found[0] > now else None

    async def find(self, domain: str, now: float) -> Way:
        """The way. Raises `delivery.hosts.Unroutable`."""
        way = await self.finder.find(domain)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[domain] = (now + TTL, way)
        return way

    def forget(self) -> None:
        """The configuration has changed."""
        self._known.clear()
