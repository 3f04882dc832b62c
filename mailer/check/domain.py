"""The look-ups about one sending domain: whether it can be answered, and what proves its mail."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.auth.dmarc import walk
from mailer.config.secret import FileOwner, keeper_of, read_key
from mailer.dkim.key import name
from mailer.dkim.sign import nearest
from mailer.mail.problem import Problem
from mailer.net.records import answered

from . import outside
from .lookups import evaluate
from .rules import dkim, dmarc, mta_sts, mx, spf
from .rules.host import OwnAddress, public

if TYPE_CHECKING:
    from mailer.auth.dmarc import DmarcPolicy
    from mailer.auth.records import DnsRecords
    from mailer.auth.spf import Evaluation
    from mailer.config.sections.dkim import Dkim

    from .finding import Finding
    from .lookups import Scene
    from .situation import Outlet

ANYBODY = "192.0.2.1"
"""An address that is nobody's: for it a record is evaluated whole, and so what is wrong with it comes out."""


async def examine_domain(scene: Scene, domain: str) -> list[Finding]:
    """The findings about `domain`, after all that they take has been asked."""
    (receiving, optional), (spf_found, passes), keys, holds = await asyncio.gather(
        _receiving(scene, domain), _spf(scene, domain), _keys(scene, domain), _dmarc(scene, domain)
    )
    consents = {each: dmarc.consent(holds, each) for each in dmarc.destinations(holds)[:5]}
    answers = await scene.lookups.all(consents.values(), "TXT")
    theirs = await _provided(scene, domain)
    signers = [used.domain for used, _ in keys if used.state == "signs"] or [domain for answer in theirs[:1] if dkim.holds_key(answer)]
    found = [*receiving, *spf_found, *dkim.findings(domain, keys, scene.situation, scene.now, theirs)]
    found += dmarc.findings(
        domain, holds, signers, passes, _rewriter(scene), {each: answers[at] for each, at in consents.items()}, _reader(scene, "dmarc")
    )
    return [replace(finding, domain=domain) for finding in (*found, *optional)]


async def _receiving(scene: Scene, domain: str) -> tuple[list[Finding], list[Finding]]:
    """What matters to those who write to the domain: MX; and MTA-STS and TLSRPT."""
    ask = scene.lookups.ask
    answer, sts, reports = await asyncio.gather(ask(domain, "MX"), ask(f"_mta-sts.{domain}", "TXT"), ask(f"_smtp._tls.{domain}", "TXT"))
    hosts = [host for _, host in mx.hosts(answer) if host != "."]
    private = scene.config.delivery.allow_private
    addresses, aliases, fetched = await asyncio.gather(
        scene.lookups.addresses(hosts or [domain]), scene.lookups.all(hosts, "CNAME"), _policy(scene, domain, present=bool(sts.records))
    )
    found = [*mx.findings(domain, answer, addresses, aliases, scene.situation.hostname, private)]
    return found, [
        mta_sts.finding(domain, sts, fetched, hosts),
        *mta_sts.reports_findings(domain, reports, wanted=fetched is not None, reader=_reader(scene, "tls")),
    ]


def _reader(scene: Scene, extension: str) -> str:
    """Where we read reports, with a word that tells them apart; empty where we read none."""
    name, at, domain = scene.config.heard_at.rpartition("@")
    return at and f"{name}+{extension}@{domain}"


async def _policy(scene: Scene, domain: str, *, present: bool) -> mta_sts.Fetched | None:
    if not present:
        return None
    config = scene.config
    return await outside.fetch(
        scene.lookups, domain, ca_file=config.tls.ca_file, private=config.delivery.allow_private, port=scene.https_port
    )


async def _spf(scene: Scene, domain: str) -> tuple[list[Finding], bool]:
    """The findings, and whether all that the domain's mail leaves by may send."""
    at = scene.situation
    answer, by_address, relays = await asyncio.gather(
        scene.lookups.ask(domain, "TXT"),
        evaluate(scene.lookups, domain, at.hostname, at.egress),
        asyncio.gather(*(_through(scene, domain, relay) for relay in at.relays)),
    )
    found = [*spf.findings(domain, answer, by_address, dict(zip(at.relays, relays, strict=True)), at)]
    results = {finding.result for finding in found}
    return found, "pass" in results and "fail" not in results


async def _through(scene: Scene, domain: str, relay: Outlet) -> dict[str, Evaluation]:
    """What a receiver finds who is called from where the relay takes mail."""
    try:
        known = [str(ip_address(relay.host))]
    except ValueError:
        known = [*(await scene.lookups.addresses([relay.host]))[relay.host].records]
    chosen = public([OwnAddress(each, "") for each in known])[:2] or ([ANYBODY] if relay.provider else [])
    return await evaluate(scene.lookups, domain, relay.host, chosen)


def _rewriter(scene: Scene) -> str:
    """The provider that puts its own reverse-path on all mail, if there is one."""
    at = scene.situation
    if at.direct or not at.relays or not all(relay.provider and relay.provider.rewrites for relay in at.relays):
        return ""
    return " and ".join(relay.provider.name for relay in at.relays if relay.provider)


async def _dmarc(scene: Scene, domain: str) -> DmarcPolicy:
    """The record that holds."""
    return await answered(walk(domain), scene.lookups.ask)


async def _keys(scene: Scene, domain: str) -> list[tuple[dkim.Used, DnsRecords]]:
    """The keys that sign mail from the domain, with the answers for their records."""
    by_domain: dict[str, list[Dkim]] = {}
    for key in scene.config.dkim:
        by_domain.setdefault(key.ascii_domain, []).append(key)
    keeper = keeper_of(scene.config.spool)
    used = [_used(key, keeper) for key in nearest(domain, by_domain) or ()]
    answers = await scene.lookups.all([each.record.name for each in used], "TXT")
    return [(each, answers[each.record.name]) for each in used]


async def _provided(scene: Scene, domain: str) -> list[DnsRecords]:
    """What is published where the providers of the relays have their keys, those that are one first."""
    if scene.situation.direct:
        return []
    selectors = [selector for relay in scene.situation.relays if relay.provider for selector in relay.provider.selectors]
    answers = await scene.lookups.all([name(selector, domain) for selector in selectors], "TXT")
    return sorted(answers.values(), key=dkim.holds_key, reverse=True)


def _used(key: Dkim, keeper: FileOwner) -> dkim.Used:
    """A key of the configuration, and what is wrong with its file."""
    state, needed = key.state, key.needed_until
    try:
        return dkim.Used(key.ascii_domain, key.selector, state, read_key(key.key_file, keeper.uid), "", needed)
    except Problem as problem:
        return dkim.Used(key.ascii_domain, key.selector, state, None, str(problem), needed)
