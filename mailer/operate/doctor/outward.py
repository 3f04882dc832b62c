"""The world as it is seen from here, and this host as the world sees it: name servers, port 25, names, clock, keys. Used by `visit`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from mailer.check.examine import examine
from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.net.query import SYSTEM, Asker, DnsTrouble, Offline

if TYPE_CHECKING:
    from mailer.config import Config
    from mailer.config.sections.delivery import Dns

PATIENCE = 3.0  # seconds for one server; ten for all of a question
LIFETIME = 10.0
ROOT = "."  # whose records are signed, and whose servers everybody asks
RESERVED = "invalid"  # names that nobody has, RFC 6761 §6.4
OURS = ("egress", "PTR", "EHLO", "port 25", "clock", "DKIM")
"""The checks of `mailer.check` that are about this machine and its keys; what else the world thinks of our domains is for ``check``."""


async def names(dns: Dns, probe: str) -> list[Finding]:
    """Whether the name servers answer for the domain `probe`, say of what is not there that it is not, and prove what they say."""
    asker = Asker(dns.nameservers, min(dns.timeout, PATIENCE), min(dns.lifetime, LIFETIME), SYSTEM)
    servers = ", ".join(asker.servers()) or "none"
    where = "dns.nameservers in the configuration" if dns.nameservers else SYSTEM
    try:
        found = await asker.ask(probe, "MX")
    except Offline as trouble:
        text, remedy = (
            f"no name server can be reached: {trouble.reason}",
            "the network of this machine (`ip route`); then mail goes on",
        )
        return [Finding("DNS", servers, FAIL, text, remedy if asker.servers() else f"a line with a name server in {where}")]
    except DnsTrouble as trouble:
        return [Finding("DNS", servers, FAIL, f"cannot look up {probe}: {trouble.reason}", f"name servers that answer, in {where}")]
    said = f"{len(found.records)} MX hosts of {probe}" if found.records else f"{probe} has no MX hosts"
    return [Finding("DNS", servers, PASS, f"answers: {said}"), await _trusted(asker, servers, where)]


async def _trusted(asker: Asker, servers: str, where: str) -> Finding:
    """Whether they can be believed: who answers for names that cannot be leads mail, and questions about blocklists, astray."""
    name = f"{secrets.token_hex(8)}.{RESERVED}"
    try:
        invented = await asker.ask(name, "A")
        proved = await asker.validated(ROOT, "NS")
    except DnsTrouble as trouble:
        return Finding("DNS trust", servers, WARN, f"cannot be found out: {trouble.reason}", "try again; if it stays so: other servers")
    if invented.records:
        text = f"answers with {invented.records[0].to_text()} for names that do not exist: mail with a slip in its address goes there"
        return Finding("DNS trust", servers, FAIL, text, f"name servers that do not invent answers, in {where}")
    text = "proves what it says (DNSSEC)" if proved else "does not prove what it says (DNSSEC), which nothing here depends on"
    return Finding("DNS trust", servers, PASS, text)


async def world(config: Config, now: float) -> list[Finding]:
    """What receivers see of this host and its keys; what passes there of other things is left to ``mailer check``."""
    domains = [*dict.fromkeys(key.ascii_domain for key in config.dkim)]
    found = await examine(config, domains, (), now)
    return [each for each in found if each.check in OURS or (each.check == "blocklist" and each.result == FAIL)]
