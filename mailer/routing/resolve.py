"""The finder: from a domain to the way of its mail, by the configuration and the DNS.

It puts together what others decide: `route` the rule, `hosts` who takes the mail, the configuration on what terms. Where a
rule names several ways out, they are tried in order in the same attempt, and one that leads nowhere is passed over;
mail is given up only if none of them could ever work.

Used by `Router`, which remembers, and by ``mailer route``, which shows the `Itinerary`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.machine.own import is_own
from mailer.mail.ip_filter import allowed
from mailer.tlspolicy.requirement import Requirement
from mailer.transport.endpoint import Endpoint

from ..shaping.table import TermsTable
from .hosts import find_hosts
from .login import login_of
from .nexthop import NextHop, Unroutable
from .router import Stop, Way
from .table import RouteTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.config.forms import Via
    from mailer.config.sections.route import Route

    from .mx import Lookup
    from .nexthop import Target

MANY = 10_000  # endpoints; beyond, those that were met before are forgotten


@dataclass(frozen=True, slots=True)
class Leg:
    """One way out and where it leads: a next hop, or why there is none."""

    via: Via
    requirement: Requirement
    leads: NextHop | Unroutable

    @property
    def hop(self) -> NextHop | None:
        """The next hop; None where there is none."""
        return self.leads if isinstance(self.leads, NextHop) else None

    @property
    def trouble(self) -> Unroutable | None:
        """Why there is no next hop; None where there is one."""
        return self.leads if isinstance(self.leads, Unroutable) else None


@dataclass(frozen=True, slots=True)
class Itinerary:
    """The rule for a domain, its number in the table (-1: the default), and all its ways out.

    `key` is the destination that it comes to; empty if no way leads anywhere.
    """

    route: Route
    number: int
    legs: tuple[Leg, ...]
    key: str

    @property
    def hops(self) -> list[NextHop]:
        """Where the ways out lead that lead anywhere."""
        return [leg.hop for leg in self.legs if leg.hop]

    @property
    def trouble(self) -> Unroutable | None:
        """Why no way out leads anywhere; what waits goes before what is final. None if one does."""
        troubles = [leg.trouble for leg in self.legs if leg.trouble]
        if len(troubles) < len(self.legs):
            return None
        return min(troubles, key=lambda trouble: trouble.verdict != "defer")


class Finder:
    """Finds ways as `config` says, with what `resolver` knows; `shuffle` brings a list into a random order.

    `ours` says whether an address is one of this machine's.
    """

    def __init__(
        self, config: Config, resolver: Lookup, shuffle: Callable[[list[str]], None], ours: Callable[[str], bool] = is_own
    ) -> None:
        self.config = config
        self.resolver = resolver
        self.shuffle = shuffle
        self.terms = TermsTable(config)
        self._endpoints: dict[Endpoint, Endpoint] = {}
        self.table = RouteTable(config.routes)
        private = config.delivery.allow_private  # tests, and those who know: then even this host may be called
        self._screen: Callable[[str], bool] = (lambda _: True) if private else allowed
        self._ours: Callable[[str], bool] = (lambda _: False) if private else ours

    async def find(self, domain: str) -> Way:
        """The way for `domain`. Raises `Unroutable`."""
        itinerary = await self.plan(domain)
        if itinerary.trouble:
            raise itinerary.trouble
        found = [(leg, leg.hop) for leg in itinerary.legs if leg.hop]
        most = self.terms.of(itinerary.key).messages_per_connection
        stops = tuple(self._stop(leg, target, most) for leg, hop in found for target in hop.hosts)
        return Way(itinerary.key, stops, found[0][0].via.kind == "relay", self._author(found[0][0].via))

    async def plan(self, domain: str) -> Itinerary:
        """Where each way out leads for `domain`."""
        route = self.table.find(domain)
        leads = await asyncio.gather(*(self._leads(via, domain) for via in route.via))
        legs = tuple(Leg(via, self._requirement(via), found) for via, found in zip(route.via, leads, strict=True))
        number = self.table.routes.index(route) if route in self.table.routes else -1
        key = " ".join(leg.hop.key for leg in legs if leg.hop)
        return Itinerary(route, number, legs, key and self.terms.key(key, domain))

    async def _leads(self, via: Via, domain: str) -> NextHop | Unroutable:
        config = self.config
        try:
            return await find_hosts(
                via,
                domain,
                relays=config.relays,
                resolver=self.resolver,
                shuffle=self.shuffle,
                screen=self._screen,
                own=config.hostname,
                ours=self._ours,
                port=config.delivery.mx_port,
            )
        except Unroutable as trouble:
            return trouble

    def _requirement(self, via: Via) -> Requirement:
        tls = self.config.tls
        if via.kind == "mx":
            return Requirement(tls.mx, tls.mx == "starttls", tls.ca_file, min_version=tls.min_version)
        relay = self.config.relays[via.name]
        proves = relay.tls in ("starttls", "implicit")
        return Requirement(
            relay.tls,
            proves,
            relay.ca_file or tls.ca_file,
            relay.server_name,
            tls.min_version,
            relay.fingerprints,
            relay.client_certificate,
            relay.client_key,
        )

    def _author(self, via: Via) -> str:
        return self.config.relays[via.name].author if via.kind == "relay" else ""

    def _stop(self, leg: Leg, target: Target, most: int) -> Stop:
        relay = self.config.relays[leg.via.name] if leg.via.kind == "relay" else None
        ours = self.config.delivery
        endpoint = Endpoint(
            target.host,
            target.port,
            leg.requirement,
            login_of(relay) if relay else None,
            source=ours.source4,
            hello=self.config.hostname,
            protocol=relay.protocol if relay else "smtp",
            source6=ours.source6,
            chunking=relay.chunking if relay else True,
            messages=most,
        )
        return Stop(self._one(endpoint), tuple(target.addresses), relay is not None)

    def _one(self, endpoint: Endpoint) -> Endpoint:
        """The same object for equal ones: whoever has a session compares it with where each next message goes."""
        if len(self._endpoints) > MANY:
            self._endpoints.clear()
        return self._endpoints.setdefault(endpoint, endpoint)
