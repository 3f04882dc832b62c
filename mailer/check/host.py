"""The look-ups about this host: its addresses, its name, the lists it may be on, its way out, its clock."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.auth import blocklist as lists

from . import outside
from .lookups import evaluate
from .rules import address as rule
from .rules import host, spf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config

    from .finding import Finding
    from .lookups import Lookups, Scene


async def examine_host(scene: Scene, calling: asyncio.Task[tuple[list[host.Call], str]] | None) -> list[Finding]:
    """The findings about this host; `calling` is `call_out` under way, where mail goes to MX hosts from here."""
    at = scene.situation
    parts = [_names(scene), _blocklists(scene), _clock(scene)] if at.direct else [_pointers(scene), _blocklists(scene), _clock(scene)]
    named, listed, clock = await asyncio.gather(*parts)
    egress = [*host.egress_findings(scene.own)] if at.direct or at.egress else [host.elsewhere([relay.host for relay in at.relays])]
    port = [host.port_finding(scene.config.check.port_domain, *await calling)] if calling else []
    return [*egress, *named, *listed, *port, *clock]


async def call_out(config: Config, lookups: Lookups, own: Sequence[host.OwnAddress]) -> tuple[list[host.Call], str]:
    """What came of calling an MX host of a large receiver; or why nobody was called."""
    delivery, first = config.delivery, config.sources[:1]
    written = [address for source in reversed(config.sources) for address in source.addresses]  # of each family the last one counts
    return await outside.calls(
        lookups,
        config.check.port_domain,
        (first and first[0].hello) or config.hostname,
        port=delivery.mx_port,
        versions={ip_address(source.address).version for source in own} or {4, 6},
        sources=written or [source for source in (delivery.source4, delivery.source6) if source],
        private=delivery.allow_private,
    )


async def _clock(scene: Scene) -> list[Finding]:
    if not (server := scene.config.check.time_server):
        return []
    return [host.clock_finding(str(server), *await outside.offset(scene.lookups, server))]


async def _names(scene: Scene) -> list[Finding]:
    """PTR, EHLO, and SPF of EHLO."""
    at = scene.situation
    said = dict.fromkeys(map(at.hello, at.egress)) or [at.hostname]
    parts = [_hello(scene, name, tuple(address for address in at.egress if at.hello(address) == name)) for name in said]
    return [finding for part in await asyncio.gather(_pointers(scene), *parts) for finding in part]


async def _hello(scene: Scene, hostname: str, egress: tuple[str, ...]) -> list[Finding]:
    """EHLO, and SPF of EHLO, of a name that is said from the addresses `egress`."""
    hello, txt, evaluated = await asyncio.gather(
        scene.lookups.addresses([hostname]), scene.lookups.ask(hostname, "TXT"), evaluate(scene.lookups, "", hostname, egress)
    )
    found = [*rule.hello_findings(hostname, hello[hostname], egress)]
    return [*found, *(spf.hello_findings(hostname, txt, evaluated) if rule.is_full(hostname) else ())]


async def _pointers(scene: Scene) -> list[Finding]:
    """PTR. A relay's address has the relay's name, not ours."""
    at = scene.situation
    pointers = await scene.lookups.all(map(rule.pointer, at.egress), "PTR")
    forward = await scene.lookups.addresses(name for answer in pointers.values() for name in answer.records[:10])
    return [
        rule.pointer_finding(address, pointers[rule.pointer(address)], forward, at.hello(address) if at.direct else "")
        for address in at.egress
    ]


async def _blocklists(scene: Scene) -> list[Finding]:
    pairs = [(address, each) for address in scene.situation.egress for each in scene.config.check.blocklists]
    return [*await asyncio.gather(*(_blocklist(scene.lookups, *pair) for pair in pairs))]


async def _blocklist(lookups: Lookups, address: str, each: str) -> Finding:
    wanted = [lists.entry(one, each) for one in (address, lists.LISTED, lists.NOT_LISTED)]
    found, why = await asyncio.gather(lookups.all(wanted, "A"), lookups.ask(wanted[0], "TXT"))
    return rule.blocklist_finding(address, each, found[wanted[0]], why, found[wanted[1]], found[wanted[2]])
