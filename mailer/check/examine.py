"""All checks at once: what is looked up for each, and which judge gets it.

Each check begins as soon as there is something to ask, beside all others; what several of them want is asked once. At the
deadline everything that is still open is trouble, and the report is as good as it can be.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.config.keyfile import read_key
from mailer.dkim.author import nearest
from mailer.mail.domain import ascii_domain
from mailer.mail.failure import Failure
from mailer.mail.when import parse_rfc3339
from mailer.net.query import Asker

from . import call, policy, sntp, sources
from .evaluate import evaluate
from .judge import blocklist, dkim, dmarc, host, mtasts, mx, names, spf
from .lookups import Lookups
from .situation import Outlet, Situation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.config import Config
    from mailer.config.dkim import Dkim

    from .answer import Answer
    from .finding import Finding


def domains_of(config: Config) -> list[str]:
    """The domains that mail is sent from, as far as the configuration tells; the name of this host if it tells nothing."""
    written = [config.submission.default_domain, *(key.domain for key in config.dkim)]
    written += [address.rpartition("@")[2] for address in (config.submission.from_address, config.postmaster) if "@" in address]
    own = ascii_domain(config.hostname)
    found = [*dict.fromkeys(ascii_domain(domain) for domain in written if domain)]
    return [domain for domain in found if domain != own] or [own]


def situation_of(config: Config, egress: Sequence[str]) -> Situation:
    """How mail for the world leaves."""
    direct = any("mx" in route.via for route in config.routes)
    used = [hop.removeprefix("relay:") for route in config.routes if route.match == "*" for hop in route.via if hop != "mx"]
    relays = [config.relays[name] for name in dict.fromkeys(used)]
    outlets = tuple(Outlet(relay.name, relay.host) for relay in relays if relay.protocol == "smtp")
    return Situation(ascii_domain(config.hostname), direct, outlets, tuple(egress))


async def examine(config: Config, domains: Sequence[str], from_ips: Sequence[str], now: float, https_port: int = 443) -> list[Finding]:
    """What is found, this host first and then each of `domains`. `now` is in seconds since the epoch."""
    dns = config.dns
    lookups = Lookups(Asker(dns.nameservers, dns.timeout, dns.lifetime), asyncio.get_running_loop().time() + config.check.deadline)
    own = sources.sources([*from_ips], config.delivery)
    situation = situation_of(config, host.public(own))
    examination = Examination(config, lookups, situation, own, now, https_port)
    parts = await examination.run(domains)
    return [finding for part in parts for finding in part]


ANYBODY = "192.0.2.1"
"""An address that is nobody's: for it a record is evaluated whole, and so what is wrong with it comes out."""


@dataclass(slots=True)
class Examination:
    """One run."""

    config: Config
    lookups: Lookups
    situation: Situation
    own: list[host.Source]
    now: float
    https_port: int

    async def run(self, domains: Sequence[str]) -> list[list[Finding]]:
        """The findings of the host, and of each domain."""
        port = asyncio.create_task(self._port()) if self.situation.direct else None
        if port and not self.situation.egress:
            await port
            self._take_over(port.result()[0])
        host_part = self._host(port)
        return await asyncio.gather(host_part, *(self._domain(domain) for domain in domains))

    def _take_over(self, calls: Iterable[host.Call]) -> None:
        """Believe those who were called about where we come from."""
        for each in calls:
            if each.seen and each.seen not in self.situation.egress and host.public([host.Source(each.seen, "")]):
                self.own.append(host.Source(each.seen, f"that is what {each.host} sees"))
        self.situation = replace(self.situation, egress=tuple(host.public(self.own)))

    # This host

    async def _host(self, port: asyncio.Task[tuple[list[host.Call], str]] | None) -> list[Finding]:
        clock = asyncio.create_task(self._clock())
        found = []
        if port:
            found += [*host.judge_egress(self.own)]
            for part in await asyncio.gather(self._names(), self._blocklists()):
                found += part
            found += [host.judge_port(self.config.check.port_domain, *await port)]
        return found + await clock

    async def _port(self) -> tuple[list[host.Call], str]:
        delivery = self.config.delivery
        written = [source for source in (delivery.source4, delivery.source6) if source]
        return await call.calls(
            self.lookups,
            self.config.check.port_domain,
            self.config.hostname,
            port=delivery.mx_port,
            versions={ip_address(source.address).version for source in self.own} or {4, 6},
            sources=written,
            private=delivery.allow_private,
        )

    async def _clock(self) -> list[Finding]:
        if not (server := self.config.check.time_server):
            return []
        return [host.judge_clock(server, *await sntp.offset(self.lookups, server))]

    async def _names(self) -> list[Finding]:
        """PTR, EHLO, and SPF of EHLO."""
        hostname, egress = self.situation.hostname, self.situation.egress
        hello, txt, pointers, evaluated = await asyncio.gather(
            self.lookups.addresses([hostname]),
            self.lookups.ask(hostname, "TXT"),
            self.lookups.all(map(names.pointer, egress), "PTR"),
            evaluate(self.lookups, "", hostname, egress),
        )
        forward = await self.lookups.addresses(name for answer in pointers.values() for name in answer.records[:10])
        found = [names.judge(address, pointers[names.pointer(address)], forward, hostname) for address in egress]
        found += names.judge_hello(hostname, hello[hostname], egress)
        return [*found, *(spf.judge_hello(hostname, txt, evaluated) if names.is_full(hostname) else ())]

    async def _blocklists(self) -> list[Finding]:
        pairs = [(address, each) for address in self.situation.egress for each in self.config.check.blocklists]
        return [*await asyncio.gather(*(self._blocklist(*pair) for pair in pairs))]

    async def _blocklist(self, address: str, each: str) -> Finding:
        wanted = [blocklist.entry(one, each) for one in (address, blocklist.LISTED, blocklist.NOT_LISTED)]
        found, why = await asyncio.gather(self.lookups.all(wanted, "A"), self.lookups.ask(wanted[0], "TXT"))
        return blocklist.judge(address, each, found[wanted[0]], why, found[wanted[1]], found[wanted[2]])

    # A domain

    async def _domain(self, domain: str) -> list[Finding]:
        receiving, (spf_found, passes), keys, walk = await asyncio.gather(
            self._receiving(domain), self._spf(domain), self._keys(domain), self.lookups.all(map(_dmarc, dmarc.path(domain)), "TXT")
        )
        holds = dmarc.found(domain, [(at, walk[_dmarc(at)]) for at in dmarc.path(domain)])
        asked = {each: dmarc.consent(holds, each) for each in dmarc.destinations(holds)[:5]}
        answers = await self.lookups.all(asked.values(), "TXT")
        consents = {each: answers[name] for each, name in asked.items()}
        signers = [used.domain for used, _ in keys if used.state == "signs"]
        found = [*receiving[0], *spf_found, *dkim.judge(domain, keys, self.situation, self.now)]
        found += dmarc.judge(domain, holds, signers, passes, self._rewriter(), consents)
        return [replace(finding, domain=domain) for finding in (*found, *receiving[1])]

    def _rewriter(self) -> str:
        """The provider that puts its own reverse-path on all mail, if there is one."""
        relays = self.situation.relays
        if self.situation.direct or not relays or not all(relay.provider and relay.provider.rewrites for relay in relays):
            return ""
        return " and ".join(relay.provider.name for relay in relays if relay.provider)

    async def _receiving(self, domain: str) -> tuple[list[Finding], list[Finding]]:
        """What matters to those who write to the domain: MX; and MTA-STS and TLSRPT."""
        answer, sts, reports = await asyncio.gather(
            self.lookups.ask(domain, "MX"), self.lookups.ask(f"_mta-sts.{domain}", "TXT"), self.lookups.ask(f"_smtp._tls.{domain}", "TXT")
        )
        hosts = [name for _, name in mx.hosts(answer) if name != "."]
        private = self.config.delivery.allow_private
        addresses, aliases, fetched = await asyncio.gather(
            self.lookups.addresses(hosts or [domain]), self.lookups.all(hosts, "CNAME"), self._policy(domain, present=bool(sts.records))
        )
        found = [*mx.judge(domain, answer, addresses, aliases, self.situation.hostname, private)]
        return found, [mtasts.judge(domain, sts, fetched, hosts), *mtasts.judge_reports(domain, reports, wanted=fetched is not None)]

    async def _policy(self, domain: str, *, present: bool) -> mtasts.Fetched | None:
        if not present:
            return None
        config = self.config
        return await policy.fetch(
            self.lookups, domain, ca_file=config.tls.ca_file, private=config.delivery.allow_private, port=self.https_port
        )

    async def _spf(self, domain: str) -> tuple[list[Finding], bool]:
        """The findings, and whether all that the domain's mail leaves by may send."""
        at = self.situation
        ours = at.egress if at.direct else ()
        answer, by_address = await asyncio.gather(self.lookups.ask(domain, "TXT"), evaluate(self.lookups, domain, at.hostname, ours))
        by_relay = dict(zip(at.relays, await asyncio.gather(*(self._relay(domain, relay) for relay in at.relays)), strict=True))
        found = [*spf.judge(domain, answer, by_address, by_relay, at)]
        results = {finding.result for finding in found}
        return found, "pass" in results and "fail" not in results

    async def _relay(self, domain: str, relay: Outlet) -> dict[str, spf.Evaluation]:
        """What a receiver finds who is called from where the relay takes mail."""
        addresses = (await self.lookups.addresses([relay.host]))[relay.host] if not _is_address(relay.host) else None
        known = list(addresses.records) if addresses else [relay.host]
        chosen = host.public([host.Source(each, "") for each in known])[:2] or ([ANYBODY] if relay.provider else [])
        return await evaluate(self.lookups, domain, relay.host, chosen)

    async def _keys(self, domain: str) -> list[tuple[dkim.Used, Answer]]:
        """The keys that sign mail from the domain, with the answers for their records."""
        by_domain: dict[str, list[Dkim]] = {}
        for key in self.config.dkim:
            by_domain.setdefault(ascii_domain(key.domain), []).append(key)
        used = [_used(key) for key in nearest(domain, by_domain) or ()]
        answers = await self.lookups.all([each.record.name for each in used], "TXT")
        return [(each, answers[each.record.name]) for each in used]


def _dmarc(domain: str) -> str:
    return f"_dmarc.{domain}"


def _is_address(text: str) -> bool:
    return text.replace(".", "").isdigit() or ":" in text


def _used(key: Dkim) -> dkim.Used:
    """A key of the configuration, and what is wrong with its file."""
    state = "waiting" if key.waiting else "retired" if key.retired else "signs"
    needed = parse_rfc3339(key.retired) + key.expire if key.retired else 0.0
    try:
        return dkim.Used(ascii_domain(key.domain), key.selector, state, read_key(key.key_file), "", needed)
    except Failure as failure:
        return dkim.Used(ascii_domain(key.domain), key.selector, state, None, str(failure), needed)
