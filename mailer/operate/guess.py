"""The server that takes mail from an address, found by its domain, by where the domain's own mail goes, or by what it publishes.

1. A domain that is a provider's own, such as gmail.com, needs no look-up.
2. A domain whose MX hosts are a provider's is looked after by that one.
3. A domain may say where its users submit mail, in SRV records (RFC 6186 §3.1); with TLS from the first byte is better (RFC 8314 §5.1).

All look-ups are made at once, and end soon: a person waits, and can answer himself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.config.providers import PRESETS, of_domain, of_host, of_mail_host
from mailer.mail.address import parse
from mailer.net.query import Asker, DnsAnswer, DnsTrouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.config.providers import Preset

PATIENCE = 4.0  # seconds for all look-ups
SERVICES = (("_submissions._tcp.", "implicit"), ("_submission._tcp.", "starttls"))


class Guess(NamedTuple):
    """A provider, or a server with its port and its TLS; and `why`, in a few words. Nothing of it where nothing was found."""

    preset: Preset | None = None
    host: str = ""
    port: int = 0
    tls: str = ""
    why: str = ""


async def guess(address: str, config: Config) -> Guess:
    """The server that takes mail from `address`; the name servers are those of `config`. Raises nothing for what the DNS does."""
    domain = parse(address).host
    if preset := of_domain(domain):
        return Guess(preset, why=f"{domain} is {preset.title}")
    asker = Asker(config.dns.nameservers, PATIENCE, PATIENCE)
    until = asker.deadline()
    questions = [(domain, "MX"), *((service + domain, "SRV") for service, _ in SERVICES)]
    answers = await asyncio.gather(*(_ask(asker, name, type, until) for name, type in questions))
    mail, *services = answers
    for record in sorted(mail, key=lambda record: record.preference):
        host = record.exchange.to_text(omit_final_dot=True).lower()
        if preset := of_mail_host(host):
            return Guess(preset, why=f"mail for {domain} goes to {preset.title}")
    for (_, tls), records in zip(SERVICES, services, strict=True):
        for record in sorted(records, key=lambda record: (record.priority, -record.weight)):
            host = record.target.to_text(omit_final_dot=True).lower()
            if host and record.port:  # the root as a target means that there is no such service, RFC 6186 §3.4
                preset = of_host(host)
                return Guess(preset, host, record.port, tls, f"{domain} says that its users send by {host}")
    return Guess()


async def _ask(asker: Asker, name: str, type: str, until: float) -> Sequence[Any]:
    try:
        found: DnsAnswer = await asker.ask(name, type, until=until)
    except (DnsTrouble, ValueError):
        return ()
    return found.records


def named(name: str) -> Preset:
    """The provider called `name`. Raises `ValueError` if there is none."""
    if name not in PRESETS:
        raise ValueError(f"there is no provider {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
