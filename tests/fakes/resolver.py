"""A resolver that knows what it is told: `FakeResolver(mx={…}, addresses={…}, fail={…})`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.net.dns import DnsTrouble, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FakeResolver:
    """`mx` has hosts by preference, or nothing for a null MX; `addresses` has addresses, or nothing for a host without.

    A name that is nowhere does not exist. `fail` has reasons, or exceptions, for names that cannot be looked up; `slow`
    has names whose look-up never ends. `asked` lists what was asked.
    """

    def __init__(
        self,
        mx: Mapping[str, Sequence[tuple[int, str]]] | None = None,
        addresses: Mapping[str, Sequence[str]] | None = None,
        fail: Mapping[str, str | Exception] | None = None,
        slow: Sequence[str] = (),
    ) -> None:
        self.records = dict(mx or {})
        self.hosts = dict(addresses or {})
        self.fail = dict(fail or {})
        self.slow = set(slow)
        self.search: Sequence[str] = ()
        self.asked: list[tuple[str, str]] = []

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """The MX records of `domain`."""
        await self._ask("MX", domain)
        if domain not in self.records:
            raise NotFound(domain, "nodata" if domain in self.hosts else "nxdomain")
        if not self.records[domain]:
            raise NotFound(domain, "null_mx")
        return sorted(self.records[domain])

    async def addresses(self, host: str) -> list[str]:
        """The addresses of `host`."""
        await self._ask("A", host)
        if not self.hosts.get(host):
            raise NotFound(host, "nodata" if host in self.hosts or host in self.records else "nxdomain")
        return [*self.hosts[host]]

    async def _ask(self, type: str, name: str) -> None:
        self.asked.append((type, name))
        if name in self.slow:
            await asyncio.Event().wait()
        failure = self.fail.get(name)
        if isinstance(failure, Exception):
            raise failure
        if failure:
            raise DnsTrouble(name, failure)
