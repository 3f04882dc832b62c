"""``mailer check``: whether the world believes mail from here, and what to publish where it does not."""

from __future__ import annotations

import asyncio
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.mail.domain import ascii_domain

from . import show
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.check.finding import Finding

    from .options import Given

CODES = {"pass": 0, "warn": 1, "fail": 2}
STYLES = {"pass": "good", "warn": "wait", "fail": "bad"}


def run(given: Given) -> int:
    """Check the domains, print what is found, and say by the exit code how bad it is."""
    from mailer.check.examine import domains_of
    from mailer.check.finding import worst
    from mailer.config import load
    from mailer.operate.inbound import checked

    config = load(given.text("--config"), given.text("--spool"))
    from_ips = [_address(text) for text in given.texts("--from-ip")]
    domains = [_domain(text) for text in given.operands] or domains_of(config)
    findings = asyncio.run(checked(config, domains, from_ips, time.time()))
    if given.flag("--json"):
        for finding in findings:
            show.json_line(finding.facts())
    elif not given.flag("--quiet"):
        _tell(findings)
    return CODES[worst(findings)]


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise usage(f"--from-ip takes an IP address, not {text!r}", "check") from None


def _domain(text: str) -> str:
    try:
        if text.startswith("["):
            raise ValueError(f"{text} is an address; name a domain, and the address with --from-ip")
        return ascii_domain(text)
    except ValueError as error:
        raise usage(str(error), "check") from None


def _tell(findings: Sequence[Finding]) -> None:
    """A table for this host and for each domain; then what is to be done."""
    for at, domain in enumerate(dict.fromkeys(finding.domain for finding in findings)):
        rows = [finding for finding in findings if finding.domain == domain]
        show.show([*([show.BLANK] if at else []), show.Line([show.Cell(domain or "this host", "strong")]), _table(rows)])
    todo = [finding for finding in findings if finding.advice and finding.result != "pass"]
    for finding in todo:
        show.show([show.BLANK, *_advice(finding)])
        if finding.record:  # stands alone on its line, whole, to be copied
            show.say("")
            show.say(f"    {finding.record.zone}")
    counts = {word: sum(finding.result == word for finding in findings) for word in CODES}
    show.show([show.BLANK, show.Line([f"{counts['pass']} pass, {counts['warn']} warn, {counts['fail']} fail"])])


def _table(findings: Sequence[Finding]) -> show.Table:
    rows = [(show.Cell(one.result, STYLES[one.result]), one.check, one.subject, one.evidence) for one in findings]
    return show.Table([show.Column("result"), show.Column("check"), show.Column("of"), show.Column("evidence")], rows)


def _advice(finding: Finding) -> Iterator[show.Block]:
    yield show.Line([show.Cell(finding.result, STYLES[finding.result]), f" {finding.check} {finding.subject}: {finding.advice}"])


COMMAND = Subcommand(
    "check",
    run,
    summary="whether the world believes mail from here, and what to publish",
    about=(
        "Looks at this host and at each DOMAIN with the eyes of a receiver: MX, SPF, DKIM, DMARC, MTA-STS and TLSRPT of the domain; PTR, "
        "EHLO name and blocklists of the addresses that mail comes from, the way out by port 25, and the clock. Without DOMAIN it "
        "takes those of the configuration: submission.default_domain, from_address, authors and masquerade, postmaster, "
        "bounce.address, the keys of DKIM, and the domains whose mail comes here ([[domain]]).\n\n"
        "Of those whose mail comes here also the inbound side: whether MX leads to this machine, whether port 25 answers there, with TLS "
        "and a certificate for the name, whether mail for postmaster is taken, and whether any shape of address gets a stranger's mail "
        "to somewhere else. And where users read their mail here, whether their programs find the doors: SRV records and autoconfig.\n\n"
        "Each line is pass, warn or fail, with what was seen; below stand what to do and the records to publish, as a zone file has them. "
        "What nobody could tell in time is a warning, and never a failure.\n\n"
        "The addresses are those of the sections [[source]], else of delivery.source4 and source6, else those that the route "
        "to the world begins at. Behind a translator of addresses (NAT) these are not what receivers see: then it is what an MX host "
        "that was called says it sees, or what --from-ip says. Where all mail leaves through "
        "relays, the addresses of this host matter to nobody and are not looked at, "
        "and SPF has to name the relay's; who knows where the relay calls from says it with --from-ip.\n\n"
        "The DNS is asked; MX hosts of check.port_domain are called and left without a mail; the policy of MTA-STS is fetched, and the "
        "clock compared with check.time_server. mailer-deliverability(7) leads from nothing to a report without complaints."
    ),
    operands="[DOMAIN…]",
    options=(Option("--from-ip", metavar="IP", help="mail comes from IP, whatever the configuration says", repeat=True), JSON),
    examples=(
        "mailer check",
        "mailer check example.com --from-ip 192.0.2.25",
        "mailer check --json | jq -r 'select(.result == \"fail\").advice'",
    ),
    epilog="exit codes: 0 all pass · 1 there are warnings · 2 something fails · 64 usage · 78 configuration",
)
