"""``mailer route``: which way mail for an address would go, by the configuration and the DNS of this moment.

A dry run: it asks the DNS and opens no other connection. What it shows is made by the daemon's own finder.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.mail.address import AddressError, parse
from mailer.mail.failure import OK, TRY_AGAIN, UNAVAILABLE

from . import show
from .options import JSON, Command, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config
    from mailer.delivery.finder import Itinerary, Leg
    from mailer.mail.address import Address
    from mailer.trust.requirement import Requirement

    from .options import Given

NOT = {"fail": "never", "defer": "not now"}
"""What stands before the reply of a way that leads nowhere."""


def run(given: Given) -> int:
    """Show the way of each address; tells by the exit code whether all have one."""
    from mailer.config import load

    config = load(given.text("--config"), given.text("--spool"))
    addresses = _addresses(given, config)
    itineraries = asyncio.run(_plan(config, addresses))
    for at, (address, itinerary) in enumerate(zip(addresses, itineraries, strict=True)):
        if given.flag("--json"):
            show.json_line(_record(config, address, itinerary))
        else:
            show.show([*([show.BLANK] if at else []), *_blocks(config, address, itinerary)])
    verdicts = {itinerary.trouble.verdict for itinerary in itineraries if itinerary.trouble}
    return UNAVAILABLE if "fail" in verdicts else TRY_AGAIN if verdicts else OK


def _addresses(given: Given, config: Config) -> list[Address]:
    if not given.operands:
        raise usage("it needs an address", "route")
    try:
        return [parse(text, config.submission.default_domain) for text in given.operands]
    except AddressError as error:
        raise usage(str(error), "route") from None


async def _plan(config: Config, addresses: list[Address]) -> list[Itinerary]:
    """All at once: a domain whose name servers are slow does not hold up the others."""
    import random

    from mailer.delivery.finder import Finder
    from mailer.net.dns import Resolver

    dns = config.dns
    finder = Finder(config, Resolver(dns.nameservers, dns.timeout, dns.lifetime, family=config.delivery.family), random.shuffle)
    return await asyncio.gather(*(finder.plan(address.domain.lower()) for address in addresses))


# For people


def _blocks(config: Config, address: Address, itinerary: Itinerary) -> Iterator[show.Block]:
    rows: list[tuple[str, show.Cell | str]] = [("address", show.Cell(str(address), "strong")), ("rule", _rule(config, itinerary))]
    for leg in itinerary.legs:
        rows += _leg(config, leg)
    yield show.Fields(rows)


def _rule(config: Config, itinerary: Itinerary) -> str:
    line = config.lines.get(f"route.{itinerary.number}.match")
    if line is None:
        return "none matches" if itinerary.legs[0].via.kind == "mx" else "none; there is one relay, which takes all mail"
    return f'match = "{itinerary.route.pattern}" ({config.path}:{line})'


def _leg(config: Config, leg: Leg) -> Iterator[tuple[str, show.Cell | str]]:
    from mailer.delivery.nexthop import Unroutable

    via = "the MX hosts of the domain" if leg.via.kind == "mx" else str(leg.via)
    if isinstance(leg.leads, Unroutable):
        yield "via", via
        yield NOT[leg.leads.verdict], show.Cell(str(leg.leads), "bad" if leg.leads.verdict == "fail" else "wait")
        return
    login = _login(config, leg)
    first, most = _sessions(config, leg)
    yield "via", f"{via}, as {login}" if login else via
    yield "TLS", _terms(leg.requirement)
    yield "sessions", f"{first} at first, at most {most}"
    for target in leg.leads.hosts:
        preference = f" (MX {target.preference})" if leg.via.kind == "mx" else ""
        yield "host", f"{target.host}:{target.port}{preference} at {', '.join(target.addresses)}"
    for note in leg.leads.notes:
        yield "left out", show.Cell(note, "quiet")


def _terms(requirement: Requirement) -> str:
    modes = {
        "none": "none",
        "opportunistic": "if the host offers it, whatever its certificate",
        "starttls": "required, by STARTTLS",
        "implicit": "required, from the first byte",
    }
    name = requirement.server_name or "the name of the host"
    return modes[requirement.mode] + (f", with a valid certificate for {name}" if requirement.verified else "")


def _sessions(config: Config, leg: Leg) -> tuple[int, int]:
    """How many sessions a new destination may have at once, and how many one that has proved itself."""
    delivery = config.delivery
    first = delivery.initial_connections_relay if leg.via.kind == "relay" else delivery.initial_connections_mx
    return first, delivery.max_connections_per_destination


def _login(config: Config, leg: Leg) -> str:
    return config.relays[leg.via.name].username if leg.via.kind == "relay" else ""


# For programs


def _record(config: Config, address: Address, itinerary: Itinerary) -> dict[str, object]:
    route = itinerary.route
    return {
        "address": str(address),
        "domain": address.domain.lower(),
        "rule": {
            "match": route.pattern,
            "via": [*map(str, route.via)],
            "line": config.lines.get(f"route.{itinerary.number}.match"),
        },
        "verdict": itinerary.trouble.verdict if itinerary.trouble else None,
        "ways": [_way(config, leg) for leg in itinerary.legs],
    }


def _way(config: Config, leg: Leg) -> dict[str, object]:
    from mailer.delivery.nexthop import Unroutable

    leads = leg.leads
    first, most = _sessions(config, leg)
    trouble = leads if isinstance(leads, Unroutable) else None
    hop = None if isinstance(leads, Unroutable) else leads
    hosts = hop.hosts if hop else []
    return {
        "via": str(leg.via),
        "destination": hop.key if hop else None,
        "hosts": [{"host": each.host, "port": each.port, "preference": each.preference, "addresses": each.addresses} for each in hosts],
        "notes": hop.notes if hop else [],
        "tls": {
            "mode": leg.requirement.mode,
            "verified": leg.requirement.verified,
            "server_name": leg.requirement.server_name or None,
        },
        "username": _login(config, leg) or None,
        "sessions": {"first": first, "most": most},
        "error": trouble and {"verdict": trouble.verdict, "code": trouble.code, "enhanced": trouble.enhanced, "text": trouble.text},
    }


COMMAND = Command(
    "route",
    run,
    summary="how mail for an address would travel; sends nothing",
    about=(
        "Shows the rule that matches, the ways out in order, the hosts with their addresses in the order in which they would "
        "be tried, and what is required of them. Only the DNS is asked; no other connection is opened. Hosts of the same "
        "preference are shown in the order that chance gave them this time."
    ),
    operands="ADDRESS…",
    options=(JSON,),
    epilog="exit codes: 0 all have a way · 69 one has none and never will · 75 one has none now · 64 usage · 78 configuration",
)
