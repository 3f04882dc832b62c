"""The MX hosts of a domain, RFC 5321 §5.1: by preference, at random among equals, the domain itself where it has none.

Used by `hosts` for the way out called ``mx``. What comes out of somebody else's DNS is screened (`mail.ip_filter`), and
only addresses that were screened are called: no name is looked up again between the screening and the call.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from mailer.mail.cause import Cause
from mailer.mail.domain import compared
from mailer.net.dns import DnsTrouble, NotFound, Offline

from .nexthop import NextHop, Target, Unroutable, comes_back, for_now, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_EXCHANGERS = 10  # hosts looked up for one domain, however many it has
MAX_ADDRESSES = 5  # called in one attempt, all hosts together
PATIENCE = 3.0  # seconds that hosts with addresses wait for those whose look-up is slow
LOOPBACK = ("127.0.0.1", "::1")


class Lookup(Protocol):
    """What is asked of the DNS: `net.dns.Resolver`."""

    @property
    def search(self) -> Sequence[str]:
        """The search domains of this machine, for hosts that its operator names."""

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """The MX records, best first."""

    async def addresses(self, host: str) -> list[str]:
        """The addresses."""


class Exchangers:
    """The search for the MX hosts of one domain."""

    def __init__(
        self,
        domain: str,
        resolver: Lookup,
        shuffle: Callable[[list[str]], None],
        screen: Callable[[str], bool],
        own: str,
        port: int,
        ours: Callable[[str], bool],
    ) -> None:
        self.domain = domain
        self.resolver = resolver
        self.shuffle = shuffle
        self.screen = screen
        self.own = compared(own)
        self.port = port
        self.ours = ours
        self.implicit = False
        self.notes: list[str] = []
        self.bad: list[str] = []
        self.missing: list[NotFound] = []
        self.troubles: list[DnsTrouble] = []

    async def find(self) -> NextHop:
        """All of RFC 5321 §5.1. Raises `Unroutable`."""
        records = self._before_us(await self._records())
        ordered = self._ordered(records)
        found = self._not_ours(ordered, await self._look_up([host for _, host in ordered[:MAX_EXCHANGERS]]))
        share = max(2, -(-MAX_ADDRESSES // max(len(found), 1)))  # of each family one, if there are many hosts
        hosts = [Target(host, self.port, found[host][:share], preference) for preference, host in ordered if host in found]
        if not hosts:
            raise self._why_nothing()
        key = ",".join(sorted({host for _, host in records}))
        return NextHop(f"mx:{key}", hosts, self.notes)

    async def _records(self) -> list[tuple[int, str]]:
        """The MX records; the domain itself where it has none."""
        try:
            return await self.resolver.mx(self.domain)
        except NotFound as absence:
            if absence.kind == "null_mx":
                raise Unroutable(556, "5.1.10", f"{self.domain} takes no mail (null MX)", "fail", Cause.NULL_MX) from None
            if absence.kind == "nxdomain":
                raise Unroutable(550, "5.1.2", f"there is no domain {self.domain} in the DNS", "fail", Cause.NO_DOMAIN) from None
            self.implicit = True
            return [(0, compared(self.domain))]
        except DnsTrouble as trouble:
            raise for_now(trouble) from None

    def _before_us(self, records: list[tuple[int, str]]) -> list[tuple[int, str]]:
        """Only hosts that the domain prefers to this one: the others would bring the mail back to us."""
        ours = min((preference for preference, host in records if host == self.own), default=None)
        if ours is None:
            return records
        better = [(preference, host) for preference, host in records if preference < ours]
        if not better:
            raise comes_back(self.domain)
        self.notes.append(f"{self.own} is this host: only hosts with a preference below {ours} are tried")
        return better

    def _not_ours(self, ordered: list[tuple[int, str]], found: dict[str, list[str]]) -> dict[str, list[str]]:
        """The same for a host that is this one by another name: it has an address of ours."""
        mine = [(preference, host) for preference, host in ordered if any(map(self.ours, found.get(host, ())))]
        if not mine:
            return found
        least, name = min(mine)
        better = {host: found[host] for preference, host in ordered if preference < least and host in found}
        if not better and not self.troubles:
            raise comes_back(self.domain)
        self.notes.append(f"{name} is this host, by its address: only hosts with a preference below {least} are tried")
        return better

    def _ordered(self, records: list[tuple[int, str]]) -> list[tuple[int, str]]:
        ordered = []
        for preference, group in groupby(records, key=lambda record: record[0]):
            equals = [host for _, host in group]
            self.shuffle(equals)
            ordered += [(preference, host) for host in equals]
        return ordered

    async def _look_up(self, hosts: list[str]) -> dict[str, list[str]]:
        """The addresses of all `hosts` that have any, looked up side by side.

        Once one is known, the others have `PATIENCE` seconds: a backup whose name servers are dead must not hold up
        the mail that its primary would take.
        """
        tasks = {asyncio.create_task(self._usable(host)): host for host in dict.fromkeys(hosts)}
        try:
            done, _ = await asyncio.wait(tasks, timeout=PATIENCE)
            if not any(task.result() for task in done):
                done, _ = await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
        self.notes += [f"{host} was not looked up in time" for task, host in tasks.items() if task not in done]
        return {host: task.result() for task, host in tasks.items() if task in done and task.result()}

    async def _usable(self, host: str) -> list[str]:
        """The addresses of `host` that may be called. What is wrong with the others is noted."""
        try:
            addresses = [*LOOPBACK] if is_localhost(host) else await self.resolver.addresses(host)
        except NotFound as absence:
            self.missing.append(absence)
            self.notes.append(f"{host} has no address")
            return []
        except DnsTrouble as trouble:
            self.troubles.append(trouble)
            self.notes.append(str(trouble))
            return []
        bad = [address for address in addresses if not self.screen(address)]
        self.bad += bad
        self.notes += [f"{host} is not called at {address}: mail for others does not go there" for address in bad]
        return [address for address in addresses if address not in bad]

    def _why_nothing(self) -> Unroutable:
        """No host can be called: because of trouble, because none may be, or because none has an address."""
        if self.troubles:
            return for_now(next((each for each in self.troubles if not isinstance(each, Offline)), self.troubles[0]))
        if self.bad:
            return refused(self.domain, self.bad)
        if self.implicit and self.missing[0].kind == "nxdomain":
            return Unroutable(550, "5.1.2", f"there is no domain {self.domain} in the DNS", "fail", Cause.NO_DOMAIN)
        if self.implicit:
            text = f"{self.domain} has neither MX nor address records: it takes no mail now"
            return Unroutable(451, "4.4.4", text, "defer", Cause.NO_ADDRESS)
        names = ", ".join(absence.name for absence in self.missing[:3])
        return Unroutable(451, "4.4.4", f"no MX host of {self.domain} has an address ({names})", "defer", Cause.NO_ADDRESS)


def is_localhost(host: str) -> bool:
    """RFC 6761 §6.3: this host, whatever a DNS says."""
    return host == "localhost" or host.endswith(".localhost")
