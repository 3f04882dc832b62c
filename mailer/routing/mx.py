"""From a way out to what can be dialled: which hosts, in which order, at which addresses.

The MX hosts of a domain by RFC 5321 §5.1: by preference, at random among equals, the domain itself where it has none. What comes out
of somebody else's DNS is screened (`mail.ip_filter`), and only addresses that were screened are called: no name is looked up again
between the screening and the call. A relay is the operator's own word, and is looked up as this machine looks up any host.

Mail is given up only where the DNS says so and could not mean anything else; otherwise it waits:

==================================================  ==========  ======================================================
there is no such domain                             550 5.1.2   two look-ups agree
it has neither MX nor address records               451 4.4.4   it is there, and half made, or half mended
it has a null MX                                    556 5.1.10  RFC 7505 §3
this host is its best MX, by name or by address     554 5.4.6   RFC 5321 §5.1: a loop, which somebody has to mend
its hosts are only where mail must not go           550 5.4.4   there is no way; what is wrong is not the address
none of its MX hosts has an address                 451 4.4.4   a mistake in its zone that somebody will see
the DNS fails                                       451 4.4.3   a failing DNS says nothing
a relay's name does not exist or has no address     451 4.4.4   the sender did not choose the relay
==================================================  ==========  ======================================================
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from mailer.io.machine import listed
from mailer.mail.domain import compared
from mailer.mail.outcome import Cause
from mailer.net.dns import DnsTrouble, NotFound, Offline
from mailer.transport.route import Unroutable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mailer.config.kinds import Via
    from mailer.config.sections.relay import Relay

MAX_EXCHANGERS = 10  # hosts looked up for one domain, however many it has
MAX_ADDRESSES = 5  # called in one attempt, all hosts together
PATIENCE = 3.0  # seconds that hosts with addresses wait for those whose look-up is slow
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class MailHost:
    """One host and the addresses at which it may be called, in order. `preference` is its MX record's."""

    host: str
    port: int
    addresses: list[str]
    preference: int = 0


@dataclass(frozen=True, slots=True)
class MailHosts:
    """What one way out leads to: `key` is the same for all domains with the same MX hosts; `hosts` are in the order to try.

    `notes` say, for people, which hosts and addresses were left out and why.
    """

    key: str
    hosts: list[MailHost]
    notes: list[str] = field(default_factory=list)


class Lookup(Protocol):
    """What is asked of the DNS: `mailer.net.dns.Resolver`. Each raises `DnsTrouble`, of which `NotFound` is one."""

    @property
    def search(self) -> Sequence[str]:
        """The search domains of this machine, for hosts that its operator names."""

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """The MX records of `domain`, best first: (preference, host)."""

    async def addresses(self, host: str) -> list[str]:
        """The addresses of `host`, in the order to call them."""


async def find_hosts(
    via: Via,
    domain: str,
    *,
    relays: Mapping[str, Relay],
    resolver: Lookup,
    shuffle: Callable[[list[str]], None],
    screen: Callable[[str], bool],
    own: str = "",
    port: int = 25,
    ours: Callable[[str], bool] = lambda _: False,
) -> MailHosts:
    """The hosts that take mail for `domain` when it leaves `via` this way.

    `shuffle` brings a list into a random order, `screen` says whether an address from the DNS may be called, `own` is
    the name of this host, `ours` says whether an address is its own, `port` is that of MX hosts. Raises `Unroutable`.
    """
    if via.kind in ("local", "maildir"):
        return MailHosts(str(via), [])
    if via.kind == "relay":
        return await _relay(via.name, relays[via.name], resolver)
    if domain.startswith("["):
        return _literal(domain, port, screen, ours)
    return await Exchangers(domain, resolver, shuffle, screen, compared(own), port, ours).find()


async def _relay(name: str, relay: Relay, resolver: Lookup) -> MailHosts:
    """The one host of a relay. It is the operator's own word: neither screened nor ever a reason to give mail up.

    One that is called by a proxy, or on a socket of this machine, has that in place of its addresses: nobody here looks it up.
    """
    if relay.proxy or relay.socket:
        place = str(relay.proxy) if relay.proxy else f"unix://{relay.socket}"
        return MailHosts(f"relay:{name}", [MailHost(relay.host, relay.port, [place])])
    try:
        addresses = _written(relay.host) or listed(relay.host) or await _searched(relay.host, resolver)
    except NotFound:
        raise Unroutable(451, "4.4.4", f"relay {name}: {_nowhere(relay.host, resolver)}", "defer", Cause.NO_ADDRESS) from None
    except DnsTrouble as trouble:
        raise for_now(trouble, f"relay {name}: ") from None
    return MailHosts(f"relay:{name}", [MailHost(relay.host, relay.port, addresses[:MAX_ADDRESSES])])


async def _searched(host: str, resolver: Lookup) -> list[str]:
    """The addresses of a host as it stands, or below a search domain of resolv.conf(5); below those first if it has no dot.

    Never the other way round: no search domain gets between us and a host that is written in full. Raises `NotFound`, `DnsTrouble`.
    """
    below = [f"{host}.{domain}" for domain in resolver.search]
    names = [host, *below] if "." in host else [*below, host]
    for name in names[:-1]:
        try:
            return await resolver.addresses(name)
        except NotFound:
            continue
    return await resolver.addresses(names[-1])


def _nowhere(host: str, resolver: Lookup) -> str:
    """Which names the DNS has no address for, and what to write instead of one that is not whole."""
    below = f", nor one below {' or '.join(resolver.search)} (resolv.conf)" if resolver.search else ""
    hint = "" if "." in host else "; write the whole name of the host, with its domain"
    return f"the DNS has no address for {host}{below}{hint}"


def _written(host: str) -> list[str]:
    """The addresses of a host whose name says them: an address, or localhost (RFC 6761 §6.3)."""
    if is_localhost(host):
        return [*LOOPBACK]
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []


def _literal(domain: str, port: int, screen: Callable[[str], bool], ours: Callable[[str], bool]) -> MailHosts:
    """``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, RFC 5321 §4.1.3: an address instead of a domain."""
    text = domain[1:-1]
    try:
        address = str(ip_address(text[5:] if text.lower().startswith("ipv6:") else text))
    except ValueError:
        raise Unroutable(550, "5.1.2", f"{domain} is no address literal", "fail", Cause.NO_DOMAIN) from None
    if not screen(address):
        raise refused(domain, [address])
    if ours(address):
        raise comes_back(domain)
    return MailHosts(f"mx:[{address}]", [MailHost(address, port, [address])])


@dataclass(slots=True)
class Exchangers:
    """The search for the MX hosts of one domain, with what `find_hosts` is given."""

    domain: str
    resolver: Lookup
    shuffle: Callable[[list[str]], None]
    screen: Callable[[str], bool]
    own: str
    port: int
    ours: Callable[[str], bool]
    implicit: bool = False
    notes: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    missing: list[NotFound] = field(default_factory=list)
    troubles: list[DnsTrouble] = field(default_factory=list)

    async def find(self) -> MailHosts:
        """The hosts to try, in order. Raises `Unroutable`. RFC 5321 §5.1"""
        records = self._before_us(await self._records())
        ordered = self._ordered(records)
        found = self._not_ours(ordered, await self._look_up([host for _, host in ordered[:MAX_EXCHANGERS]]))
        share = max(2, -(-MAX_ADDRESSES // max(len(found), 1)))  # of each family one, if there are many hosts
        hosts = [MailHost(host, self.port, found[host][:share], preference) for preference, host in ordered if host in found]
        if not hosts:
            raise self._why_nothing()
        key = ",".join(sorted({host for _, host in records}))
        return MailHosts(f"mx:{key}", hosts, self.notes)

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
    """Whether `host` is this host, whatever a DNS says. RFC 6761 §6.3"""
    return host == "localhost" or host.endswith(".localhost")


def for_now(trouble: DnsTrouble, prefix: str = "") -> Unroutable:
    """The trouble that the DNS cannot say: mail waits."""
    return Unroutable(451, "4.4.3", f"{prefix}{trouble}", "defer", Cause.OFFLINE if isinstance(trouble, Offline) else Cause.DNS)


def comes_back(domain: str) -> Unroutable:
    """The trouble that this host is the best to take mail for `domain`, and has no other way for it: a loop, which somebody has to mend."""
    text = f"mail for {domain} would come back to this host, which is its best MX: it needs a route of its own"
    return Unroutable(554, "5.4.6", text, "fail", Cause.LOOP)


def refused(domain: str, addresses: list[str]) -> Unroutable:
    """The trouble that the DNS leads only to where mail for others must not go."""
    shown = ", ".join(addresses[:3])
    text = f"mail for {domain} leads to {shown}, which nobody outside can reach: it needs a route to a relay, or delivery.allow_private"
    return Unroutable(550, "5.4.4", text, "fail", Cause.PRIVATE)
