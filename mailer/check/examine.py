"""All checks at once: this host, and each domain beside it.

Each check begins as soon as there is something to ask, beside all others; what several of them want is asked once. At the
deadline everything that is still open is trouble, and the report is as good as it can be.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.config.kinds import EVERYTHING
from mailer.mail.address_list import in_header
from mailer.mail.domain import ascii_domain
from mailer.net.happy_eyeballs import ELSEWHERE, arranged, routed
from mailer.net.query import Asker

from .domain import examine_domain
from .host import call_out, examine_host
from .lookups import Lookups, Scene
from .rules.host import OwnAddress, public
from .situation import Outlet, Situation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.config import Config
    from mailer.config.sections import shaping
    from mailer.config.sections.delivery import Delivery

    from .finding import Finding
    from .rules.host import Call


def domains_of(config: Config) -> list[str]:
    """The domains that mail is sent from, as far as the configuration tells; the name of this host if it tells nothing."""
    said = config.submission
    written = [said.default_domain, *(key.domain for key in config.dkim), *said.masquerade, *(own.name for own in config.domains)]
    addresses = [
        said.from_address,
        config.postmaster,
        config.bounce.address,
        *(address for _, author in said.authors for address in in_header(author)),
    ]
    written += [address.rpartition("@")[2] for address in addresses if "@" in address]
    own = ascii_domain(config.hostname)
    found = [*dict.fromkeys(ascii_domain(domain) for domain in written if domain)]
    return [domain for domain in found if domain != own] or [own]


def situation_of(config: Config, own: Sequence[OwnAddress], *, told: bool = False) -> Situation:
    """How mail for the world leaves. `own` addresses count where it goes to MX hosts from here, or where we were `told` so."""
    direct = any(via.kind == "mx" for route in config.routes for via in route.via)
    used = [via.name for route in config.routes if route.match == EVERYTHING for via in route.via if via.kind == "relay"]
    relays = [config.relays[name] for name in dict.fromkeys(used)]
    outlets = tuple(Outlet(relay.name, relay.host) for relay in relays if relay.protocol == "smtp")
    hellos = {source.address: ascii_domain(source.hello) for source in own if source.hello}
    return Situation(ascii_domain(config.hostname), direct, outlets, tuple(public(own)) if direct or told else (), hellos)


async def examine(config: Config, domains: Sequence[str], from_ips: Sequence[str], now: float, https_port: int = 443) -> list[Finding]:
    """What is found, this host first and then each of `domains`. `now` is in seconds since the epoch.

    `from_ips` are where mail comes from, whatever the configuration says.
    """
    until = asyncio.get_running_loop().time() + config.check.deadline
    lookups = Lookups(Asker(config.dns.nameservers, config.dns.timeout, config.dns.lifetime), until)
    own = sources([*from_ips], config.delivery, config.sources)
    calling = None
    situation = situation_of(config, own, told=bool(from_ips))
    if situation.direct:
        calling = asyncio.create_task(call_out(config, lookups, own))
        if not situation.egress:  # somebody else knows it
            own += _seen((await calling)[0])
            situation = situation_of(config, own)
    scene = Scene(config, lookups, situation, own, now, https_port)
    parts = await asyncio.gather(examine_host(scene, calling), *(examine_domain(scene, domain) for domain in domains))
    return [finding for part in parts for finding in part]


def _seen(calls: Iterable[Call]) -> list[OwnAddress]:
    """Where those who were called see us."""
    return [OwnAddress(call.seen, f"that is what {call.host} sees") for call in calls if call.seen]


def sources(given: list[str], delivery: Delivery, exits: Iterable[shaping.Source] = ()) -> list[OwnAddress]:
    """Our addresses of mail; `given` go before all others, and those of `exits`, the sections [[source]], before what remains."""
    written = {source.address: source for source in _written(exits, delivery.family)}
    if given:
        return [OwnAddress(address, "--from-ip", written[address].hello if address in written else "") for address in given]
    if written:
        return [*written.values()]
    found = []
    for family, configured, only in zip(ELSEWHERE, (delivery.source4, delivery.source6), ("only6", "only4"), strict=True):
        if delivery.family == only:
            continue
        if configured:
            found.append(OwnAddress(configured, "delivery.source6" if ":" in configured else "delivery.source4"))
        elif address := routed(family):
            found.append(OwnAddress(address, "the route to the world begins there"))
    return found


def _written(exits: Iterable[shaping.Source], family: str) -> Iterator[OwnAddress]:
    for each in exits:
        for address in arranged(each.addresses, family):
            yield OwnAddress(address, f"source {each.name}", each.hello)
