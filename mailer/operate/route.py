"""How mail for an address would travel, by the configuration and the DNS of this moment: what `mailer route` and its kin show.

A dry run: the DNS is asked and no other connection is opened. What is shown is made by the daemon's own finder.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from mailer.mail.address import domain_of, is_private
from mailer.mail.address_key import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.accounts.residence import Residence
    from mailer.config import Config
    from mailer.config.file import Mistake
    from mailer.config.kinds import Via
    from mailer.mail.address import Address
    from mailer.mail.envelope import Envelope
    from mailer.mail.message import Change
    from mailer.routing.resolve import Finder, Resolution, WayOut
    from mailer.shaping.table import Said, Terms
    from mailer.transport.route import Unroutable

SHARED = ("max_connections", "message_rate", "connection_rate")
"""What destinations can have together."""

IN_ALL = ("message_rate", "connection_rate")
"""What all destinations have together, in ``[delivery]``."""

PATIENCE = 2.0  # seconds for the DNS, where a route is only warned about


def finder_of(config: Config, patience: float = inf) -> Finder:
    """The daemon's finder, with the resolver of `config`, which gives up a question after `patience` seconds at the latest."""
    import random

    from mailer.net.dns import Resolver
    from mailer.routing.resolve import Finder

    dns = config.dns
    lifetime = min(dns.lifetime, patience)
    return Finder(config, Resolver(dns.nameservers, min(dns.timeout, lifetime), lifetime, family=config.delivery.family), random.shuffle)


class Preview(NamedTuple):
    """The way of mail for `address`: the rule, the ways out with their hosts, and what holds at the destination."""

    config: Config
    address: Address
    resolution: Resolution
    residence: Residence | None = None
    """Who lives there, where the domain is ours; None elsewhere, and where that cannot be looked up."""

    @property
    def stays(self) -> bool:
        """Whether mail goes the way below, and not to those whom an alias of ours stands for, or to nobody."""
        residence = self.residence
        if residence is None or (residence.kind == "trouble" and not residence.recipients):
            return True
        return [key_of(one.address) for one in residence.recipients] == [key_of(str(self.address))]

    def sender_for(self, behalf: str) -> str:
        """What stands for a stranger whose mail `behalf`, an address of ours, passes on; empty where he leaves as he is."""
        forwarding = self.config.forwarding
        return f"SRS0=HASH=DAY=DOMAIN=NAME@{forwarding.domain or domain_of(behalf)}" if forwarding.srs else ""

    def _resident(self) -> dict[str, object] | None:
        if self.residence is None:
            return None
        people = [
            {"address": one.address, "for": one.behalf or None, "sender": (self.sender_for(one.behalf) or None) if one.behalf else None}
            for one in self.residence.recipients
        ]
        return {"kind": self.residence.kind, "recipients": people, "reply": str(self.residence.reply) if self.residence.reply else None}

    @property
    def diverted(self) -> str:
        """What a sandbox does with mail for the address, for a person; empty where that leaves. Whoever else gets it has the way below."""
        from mailer.routing.sandbox import diverts

        sandbox = self.config.sandbox
        if not diverts(sandbox, str(self.address)):
            return ""
        where = f"redirected to {sandbox.to}" if sandbox.mode == "redirect" else "trapped, not sent"
        return f"{where} (mode = {sandbox.mode}); the way {'there' if sandbox.mode == 'redirect' else 'without [sandbox]'} is"

    @property
    def line(self) -> int | None:
        """Where the rule stands in the configuration; None where it does not."""
        number = self.resolution.number
        return self.config.lines.get(f"domain.{number}.name" if self.resolution.home else f"route.{number}.match")

    def mailbox(self, way: WayOut) -> str:
        """The mailbox of the address on this machine, or why there can be none; empty where mail goes elsewhere.

        One of our own is called by the address of its owner.
        """
        from mailer.transport.maildir import NoMailboxName, mailbox_path

        if way.via.kind == "local":
            people = self.residence.recipients if self.residence else ()
            return _owner(people[0].address if len(people) == 1 else str(self.address))
        if way.via.kind != "maildir":
            return ""
        try:
            return mailbox_path(way.via.name, str(self.address))
        except NoMailboxName as problem:
            return str(problem)

    def limits(self) -> list[Said]:
        """What holds at the destination. Where no source is named the system chooses, and there is nothing to say."""
        from mailer.shaping.table import TermsTable

        if not self.resolution.key:
            return []
        said = TermsTable(self.config).explain(self.resolution.key)
        return [each for each in said if each.value is not None or each.name not in ("sources", "warm_up")]

    def limits_in_all(self) -> list[tuple[str, str, str]]:
        """What holds for all destinations together: the setting, its value as the file has it, empty for no limit, and where it stands."""
        from mailer.shaping.table import where

        rates = {name: getattr(self.config.delivery, name) for name in IN_ALL}
        return [(name, str(rate) if rate else "", where(self.config, f"delivery.{name}")) for name, rate in rates.items()]

    def login(self, way: WayOut) -> str:
        """The name under which we log in there; empty for none."""
        return self.config.relays[way.via.name].username if way.via.kind == "relay" else ""

    def return_path(self, way: WayOut) -> str:
        """The sender that mail leaves with there, with what is known of its token before there is a message; empty for its own."""
        from mailer.rewriting import reverse_path

        author = self.config.relays[way.via.name].author if way.via.kind == "relay" else ""
        if author:
            return reverse_path(self.config.postmaster, author)
        return token_form(self.config) if takes_token(self.config, way.via) and not self.resolution.home else ""

    def source_of_sender(self, way: WayOut) -> str:
        """Where that comes from."""
        from mailer.shaping.table import where

        return where(self.config, f"relay.{way.via.name}.author" if not takes_token(self.config, way.via) else "bounce.address")

    def source_of_tls(self, way: WayOut) -> str:
        """Where the requirement of TLS comes from."""
        from mailer.shaping.table import where

        return where(self.config, f"relay.{way.via.name}.tls" if way.via.kind == "relay" else "tls.mx")

    def as_json(self) -> dict[str, object]:
        """As ``mailer route --json`` has it."""
        from mailer.shaping.table import TermsTable

        resolution = self.resolution
        terms = TermsTable(self.config).of(resolution.key) if resolution.key else None
        return {
            "address": str(self.address),
            "sandbox": self.config.sandbox.as_json(),
            "diverted": bool(self.diverted),
            "domain": self.address.domain.lower(),
            "rule": {"match": resolution.rule.match.form, "via": [*map(str, resolution.rule.via)], "line": self.line},
            "ours": resolution.home,
            "resident": self._resident(),
            "verdict": resolution.trouble.verdict if resolution.trouble else None,
            "ways": [self._way(way, terms) for way in resolution.ways],
            "destination": resolution.key or None,
            "limits": [_limit(said) for said in self.limits()],
            "limits_in_all": {name: value or None for name, value, _ in self.limits_in_all()},
        }

    def _way(self, way: WayOut, terms: Terms | None) -> dict[str, object]:
        found, trouble = way.found, way.trouble
        hosts = found.hosts if found else []
        return {
            "via": str(way.via),
            "destination": found.key if found else None,
            "mailbox": self.mailbox(way) or None,
            "hosts": [{"host": each.host, "port": each.port, "preference": each.preference, "addresses": each.addresses} for each in hosts],
            "notes": found.notes if found else [],
            "tls": {
                "mode": way.requirement.mode,
                "verified": way.requirement.verified,
                "server_name": way.requirement.server_name or None,
                "source": self.source_of_tls(way),
            },
            "username": self.login(way) or None,
            "return_path": self.return_path(way) or None,
            "sessions": {"first": terms.window_start, "most": terms.window_max} if terms else None,
            "error": trouble and _refusal(trouble),
        }


def _owner(address: str) -> str:
    """Whose mailbox an address leads to: a tag says no other one."""
    local, _, domain = key_of(address).rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _refusal(trouble: Unroutable) -> dict[str, object]:
    """As a reply is told; ``enhanced`` and ``text`` are what its members were called first."""
    said = {"verdict": trouble.verdict, "code": trouble.code, "enhanced_code": trouble.enhanced, "reply": trouble.text}
    return {**said, "enhanced": trouble.enhanced, "text": trouble.text}


def _limit(said: Said) -> dict[str, object]:
    file, _, line = said.where.rpartition(":")
    return {
        "name": said.name,
        "value": plain(said),
        "source": file or "default",
        "line": int(line) if file else None,
        "shared_by": said.shared or None if said.name in SHARED else None,
    }


def plain(said: Said) -> Any:
    """The value of a limit as the file has it; None for no limit."""
    from mailer.config.kinds import write
    from mailer.config.sections.shaping import Shape

    if said.value is None:
        return None
    kind = next(setting.kind for setting in Shape.settings if setting.key == said.name)
    value = write(kind, said.value)
    return [*value] if isinstance(value, tuple) else value


async def preview(config: Config, addresses: Sequence[Address]) -> list[Preview]:
    """The way of each address. All are looked up at once: slow name servers of one domain hold up no other."""
    import asyncio

    finder = finder_of(config)
    to = domain_of(config.sandbox.to) if config.sandbox.mode == "redirect" else ""
    found = await asyncio.gather(*(finder.resolve(to or address.domain.lower()) for address in addresses))
    living = await _residences(config, addresses)
    return [Preview(config, *each) for each in zip(addresses, found, living, strict=True)]


async def _residences(config: Config, addresses: Sequence[Address]) -> list[Residence | None]:
    """Who lives at each address; None where the domain is not ours, or nobody can say."""
    ours = {section.name for section in config.domains}
    if not any(address.host in ours for address in addresses):
        return [None] * len(addresses)
    from .residents import residents_of

    async with residents_of(config) as residents:
        return [await residents.resolve(str(address)) if address.host in ours else None for address in addresses]


def rewritten(config: Config, envelope: Envelope, content: bytes) -> Iterator[Change]:
    """What changes in a message when it leaves: the author, where a relay takes no other (``relay.NAME.author``), or the sender, by which a
    report about it is known again (``bounce.verp``)."""
    from mailer.mail.message import Change
    from mailer.rewriting import relayed, reverse_path
    from mailer.routing.table import RouteTable

    table = RouteTable.of(config)
    rules = [table.find(to.domain) for to in envelope.recipients if to.outcome is None]
    ways = dict.fromkeys(rule.via[0] for rule in rules if rule.match.form not in table.homes)
    if (sender := _marked(config, envelope, ways)) != envelope.sender:
        yield Change("relayed", "envelope sender", envelope.sender, sender, "bounce.verp")
    for name in [via.name for via in ways if via.kind == "relay" and config.relays[via.name].author]:
        author, why = config.relays[name].author, f"relay.{name}.author"
        if (new := reverse_path(envelope.sender, author)) != envelope.sender:
            yield Change("relayed", "envelope sender", envelope.sender, new, why)
        changes: list[Change] = []
        relayed(content, author, changes)
        yield from (Change("relayed", change.what, change.before, change.after, why) for change in changes)


def _marked(config: Config, envelope: Envelope, ways: Iterable[Via]) -> str:
    """The sender that it leaves with by the ways that take one with a token, whose ID and signature it gets when it is queued."""
    return token_form(config) if envelope.sender and any(takes_token(config, via) for via in ways) else envelope.sender


def takes_token(config: Config, via: Via) -> bool:
    """Whether mail leaves there with a token in its sender."""
    if not config.bounce.address or config.bounce.verp == "off" or via.kind in ("local", "maildir"):
        return False
    return via.kind != "relay" or (config.relays[via.name].verp and not config.relays[via.name].author)


def token_form(config: Config) -> str:
    """The bounce address with what stands for a token, whose ID and signature a message gets when it is queued."""
    name, _, domain = config.bounce.address.rpartition("@")
    return f"{name}+ID-{'N' if config.bounce.verp == 'recipient' else '0'}-SIGNATURE@{domain}"


async def reports_lead_nowhere(config: Config) -> list[Mistake]:
    """A problem, if the DNS says that reports about mail of the default sender must fail; whatever it does not say in time is none.

    Reports go to the sender, by the way that all mail goes. A host that delivers to MX hosts itself and lets its users write as
    root@mail.example.com sends their reports to itself, where no mail is taken; each then fails in its turn, without a word.
    """
    from mailer.config.file import Mistake

    submission = config.submission
    chosen = "from_address" if submission.from_address else "default_domain"
    domain = submission.from_address.rpartition("@")[2] or submission.default_domain or config.hostname
    if is_private(domain):  # a name that is none to the world is not asked about
        return []
    trouble = await _trouble(config, domain)
    if trouble is None or trouble.verdict != "fail":
        return []
    line = config.lines.get(f"submission.{chosen}", config.lines.get("mailer.hostname", 0))
    hint = "set submission.from_address, or default_domain, to where mail is read"
    return [Mistake(line, f"reports about mail that fails would go to {domain}, and fail as well: {trouble.text}; {hint}")]


async def _trouble(config: Config, domain: str) -> Unroutable | None:
    """Why mail for `domain` has no way by its MX hosts, if that is found out in time."""
    import asyncio

    finder = finder_of(config, PATIENCE)
    if any(via.kind != "mx" for via in finder.table.find(domain).via):
        return None
    try:
        async with asyncio.timeout(PATIENCE):
            return (await finder.resolve(domain)).trouble
    except TimeoutError:
        return None
