"""Domains of ours as those see them who send mail to them: added to what `mailer.check` finds of domains that send.

The DNS is asked where the mail goes; an MX host that is this machine is called, as a sender would, and left without a mail; who lives there
is asked of the configuration itself, with the rules of the doors. Raises nothing for what is found.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from mailer.check.examine import examine, sources
from mailer.check.lookups import Lookups
from mailer.check.rules import inbound as rule
from mailer.check.rules import mx
from mailer.check.rules import services as services_rule
from mailer.client.probe import probe
from mailer.discovery.records import service_records
from mailer.discovery.services import services_of
from mailer.mail.domain import ascii_domain
from mailer.mail.problem import Problem
from mailer.net.query import Asker
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, Timeouts

from .residents import residents_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.accounts.residents import Residents
    from mailer.check.finding import Finding
    from mailer.config import Config

PATIENCE = Timeouts(connect=5.0, greeting=15.0, ehlo=10.0)
SMTP = 25


async def checked(config: Config, domains: Sequence[str], from_ips: Sequence[str], now: float, port: int = SMTP) -> list[Finding]:
    """What is found of this host and of `domains`, with the inbound side of those that are ours; MX hosts are called at `port`."""
    ours = {section.name for section in config.domains}
    sides = (inbound(config, domain, now, port) for domain in domains if domain in ours)
    parts = await asyncio.gather(examine(config, domains, from_ips, now), *sides)
    return [finding for part in parts for finding in part]


async def inbound(config: Config, domain: str, now: float, port: int = SMTP) -> list[Finding]:
    """The findings about mail that comes to `domain`, which is ours."""
    lookups = Lookups(
        Asker(config.dns.nameservers, config.dns.timeout, config.dns.lifetime), asyncio.get_running_loop().time() + config.check.deadline
    )
    parts = await asyncio.gather(_outside(config, domain, now, port, lookups), _inside(config, domain), _services(config, domain, lookups))
    return [replace(finding, domain=domain) for part in parts for finding in part]


async def _services(config: Config, domain: str, lookups: Lookups) -> list[Finding]:
    """Whether programs of users find the doors that there are for them; a domain whose mailboxes are elsewhere may have none here."""
    services = [service for service in services_of(config) if service.security != "none"]
    if not services:
        return []
    wanted = service_records(services, domain)
    found = services_rule.findings(domain, wanted, await lookups.all((record.name for record in wanted), "SRV"))
    if any(section.tls != "none" or section.proxies for section in config.web_doors):
        addresses = await lookups.addresses(f"{label}.{domain}" for label in services_rule.LABELS)
        found += services_rule.web_findings(domain, ascii_domain(config.hostname), addresses)
    return found


async def _outside(config: Config, domain: str, now: float, port: int, lookups: Lookups) -> list[Finding]:
    answer = await lookups.ask(domain, "MX")
    if answer.trouble:
        return []  # which is said where MX is looked at
    hosts = [host for _, host in mx.hosts(answer) if host not in ("", ".")]
    addresses = {host: found.records for host, found in (await lookups.addresses(hosts)).items()}
    own = {each.address for each in sources([], config.delivery, config.sources)}
    name = ascii_domain(config.hostname)
    ours = [host for host in hosts if host == name or own.intersection(addresses[host])]
    found = [rule.mx_finding(domain, hosts, ours, name)]
    if not any(section.kind == "mx" for section in config.listens):
        return [*found, rule.door_missing(domain)]
    seen = await asyncio.gather(*(_seen(config, host, addresses[host], port) for host in ours))
    return [*found, *(finding for each in seen for finding in rule.door_findings(each, now))]


async def _seen(config: Config, host: str, addresses: Sequence[str], port: int) -> rule.DoorSeen:
    """What a sender sees who calls `host`."""
    if not addresses:
        return rule.DoorSeen(host, trouble="it has no address")
    wanted = Requirement("opportunistic", verify=False, ca_file=config.tls.ca_file)
    found = await probe(Endpoint(host, port, wanted, hello=config.hostname), addresses, PATIENCE)
    if found.error is not None:
        return rule.DoorSeen(host, found.address, trouble=found.error.reply)
    ends = found.certificates[0].not_after if found.certificates else 0.0
    return rule.DoorSeen(host, found.address, found.greeting, "", found.encrypted, found.unverified, ends)


async def _inside(config: Config, domain: str) -> list[Finding]:
    """What our own rules say of addresses in the domain, and of those that lead through it."""
    try:
        async with residents_of(config) as residents:
            postmaster = await residents.resolve(f"postmaster@{domain}")
            shapes = [shape.format(domain=domain, other=rule.ELSEWHERE) for shape in rule.SHAPES]
            leaks = [shape for shape in shapes if await _leaks(residents, shape)]
    except Problem:
        return [rule.postmaster_finding(domain, "trouble")]
    return [rule.postmaster_finding(domain, postmaster.kind), rule.relay_finding(domain, leaks, len(shapes))]


async def _leaks(residents: Residents, address: str) -> bool:
    """Whether mail of a stranger for `address` would leave for where that points."""
    residence = await residents.resolve(address)
    return any(recipient.address.lower().endswith(f"@{rule.ELSEWHERE}") for recipient in residence.recipients)
