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
    from typing import Any

    from mailer.config import Config
    from mailer.delivery.finder import Itinerary, Leg
    from mailer.delivery.terms import Said, Terms
    from mailer.mail.address import Address
    from mailer.trust.requirement import Requirement

    from .options import Given

SHARED = ("max_connections", "message_rate", "connection_rate")
"""What destinations can have together."""

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
    if itinerary.key:
        rows += _limits(config, itinerary.key)
    yield show.Fields(rows)


def _rule(config: Config, itinerary: Itinerary) -> str:
    line = config.lines.get(f"route.{itinerary.number}.match")
    if line is None:
        return "none matches" if itinerary.legs[0].via.kind == "mx" else "none; there is one relay, which takes all mail"
    return f'match = "{itinerary.route.match.form}" ({config.path}:{line})'


def _leg(config: Config, leg: Leg) -> Iterator[tuple[str, show.Cell | str]]:
    from mailer.delivery.nexthop import Unroutable

    via = "the MX hosts of the domain" if leg.via.kind == "mx" else str(leg.via)
    if isinstance(leg.leads, Unroutable):
        yield "via", via
        yield NOT[leg.leads.verdict], show.Cell(str(leg.leads), "bad" if leg.leads.verdict == "fail" else "wait")
        return
    login = _login(config, leg)
    yield "via", f"{via}, as {login}" if login else via
    yield "TLS", f"{_terms(leg.requirement)} ({_tls_said(config, leg)})"
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


def _tls_said(config: Config, leg: Leg) -> str:
    """Where the requirement comes from."""
    from mailer.delivery.terms import where

    return where(config, f"relay.{leg.via.name}.tls" if leg.via.kind == "relay" else "tls.mx")


def _limits(config: Config, key: str) -> Iterator[tuple[str, show.Cell | str]]:
    """The destination and all that holds for it, each with its place in the file."""
    yield "destination", key
    for said in _said(config, key):
        together = f", together with all of {said.shared}" if said.shared and said.name in SHARED else ""
        value = "no limit" if said.value is None else _written(said)
        yield said.name.replace("_", " "), f"{value} ({said.where}{together})"
    for name in ("message_rate", "connection_rate"):
        if rate := getattr(config.delivery, name):
            from mailer.delivery.terms import where

            yield "in all", f"{name.replace('_', ' ')} {rate} ({where(config, f'delivery.{name}')})"


def _said(config: Config, key: str) -> list[Said]:
    """What holds there. Where no source is named the system chooses, and there is nothing to say."""
    from mailer.delivery.terms import TermsTable

    return [said for said in TermsTable(config).explain(key) if said.value is not None or said.name not in ("sources", "warm_up")]


def _written(said: Said) -> str:
    value = _plain(said)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(said: Said) -> Any:
    """The value as the file has it."""
    from mailer.config.kinds import write
    from mailer.config.sections.shaping import Shape

    if said.value is None:
        return None
    kind = next(setting.kind for setting in Shape.settings if setting.key == said.name)
    value = write(kind, said.value)
    return [*value] if isinstance(value, tuple) else value


def _login(config: Config, leg: Leg) -> str:
    return config.relays[leg.via.name].username if leg.via.kind == "relay" else ""


# For programs


def _record(config: Config, address: Address, itinerary: Itinerary) -> dict[str, object]:
    from mailer.delivery.terms import TermsTable

    route = itinerary.route
    terms = TermsTable(config).of(itinerary.key) if itinerary.key else None
    return {
        "address": str(address),
        "domain": address.domain.lower(),
        "rule": {
            "match": route.match.form,
            "via": [*map(str, route.via)],
            "line": config.lines.get(f"route.{itinerary.number}.match"),
        },
        "verdict": itinerary.trouble.verdict if itinerary.trouble else None,
        "ways": [_way(config, leg, terms) for leg in itinerary.legs],
        "destination": itinerary.key or None,
        "limits": [_limit(said) for said in _said(config, itinerary.key)] if itinerary.key else [],
        "limits_in_all": {name: (rate := getattr(config.delivery, name)) and str(rate) for name in ("message_rate", "connection_rate")},
    }


def _limit(said: Said) -> dict[str, object]:
    file, _, line = said.where.rpartition(":")
    return {
        "name": said.name,
        "value": _plain(said),
        "source": file or "default",
        "line": int(line) if file else None,
        "shared_by": said.shared or None if said.name in SHARED else None,
    }


def _way(config: Config, leg: Leg, terms: Terms | None) -> dict[str, object]:
    from mailer.delivery.nexthop import Unroutable

    leads = leg.leads
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
            "source": _tls_said(config, leg),
        },
        "username": _login(config, leg) or None,
        "sessions": {"first": terms.window_start, "most": terms.window_max} if terms else None,
        "error": trouble and {"verdict": trouble.verdict, "code": trouble.code, "enhanced": trouble.enhanced, "text": trouble.text},
    }


COMMAND = Command(
    "route",
    run,
    summary="how mail for an address would travel; sends nothing",
    about=(
        "Shows the rule that matches, the ways out in order, the hosts with their addresses in the order in which they would "
        "be tried, what is required of them, and the limits of the destination, each with the line of the configuration that it comes "
        "from. Only the DNS is asked; no other connection is opened. Hosts of the same preference are shown in the order that "
        "chance gave them this time."
    ),
    operands="ADDRESS…",
    options=(JSON,),
    epilog="exit codes: 0 all have a way · 69 one has none and never will · 75 one has none now · 64 usage · 78 configuration",
)
