"""From a domain to the route of its mail, by the configuration and the DNS.

It puts together what others decide: `table` the rule, `mx` who takes the mail, the configuration on what terms. Where a
rule names several ways out, they are tried in order in the same attempt, and one that leads nowhere is passed over;
mail is given up only if none of them could ever work. `Router` remembers what was found, ``mailer route`` shows the `Resolution`.

What a breaker has learned holds for the host that was called, and for the way in which it was called. So a reload compares (`callings`):
where the relay, our name, the password or a certificate is another one now, nothing is known any more. Of a password that a
command tells, only the command can be compared.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from mailer.config.secret import Secret
from mailer.io.machine import is_own
from mailer.mail.ip_filter import allowed
from mailer.sasl.mechanism import OAUTH
from mailer.shaping.table import TermsTable
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, Login, NextHop, Route, Unroutable

from .mx import MailHosts, find_hosts
from .table import RouteTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailer.config import Config
    from mailer.config.kinds import Via
    from mailer.config.sections.relay import Relay, RouteRule
    from mailer.net.dialer import Dialer
    from mailer.net.oauth import OAuth

    from .mx import Lookup, MailHost

MANY = 10_000  # endpoints, and domains; beyond, those that were met before are forgotten
TTL = 30.0  # seconds for which a route is remembered

FILES = (
    "password_file",
    "proxy_password_file",
    "oauth_refresh_token_file",
    "oauth_client_secret_file",
    "ca_file",
    "client_certificate",
    "client_key",
)
"""Settings of a relay that name a file which it depends on."""


@dataclass(frozen=True, slots=True)
class WayOut:
    """One way out, on what terms of TLS, and where it `leads`: to hosts, or nowhere and why."""

    via: Via
    requirement: Requirement
    leads: MailHosts | Unroutable

    @property
    def found(self) -> MailHosts | None:
        """The hosts that it leads to; None where it leads nowhere."""
        return self.leads if isinstance(self.leads, MailHosts) else None

    @property
    def trouble(self) -> Unroutable | None:
        """Why it leads nowhere; None where it leads to hosts."""
        return self.leads if isinstance(self.leads, Unroutable) else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """The rule for a domain, its number in the table (-1: the default), and all its ways out.

    `key` is the destination that it comes to; empty if no way leads anywhere. `home`: the domain is ours, and its section has that number.
    """

    rule: RouteRule
    number: int
    ways: tuple[WayOut, ...]
    key: str
    home: bool = False

    @property
    def found(self) -> list[MailHosts]:
        """The hosts of the ways out that lead to some."""
        return [way.found for way in self.ways if way.found]

    @property
    def trouble(self) -> Unroutable | None:
        """Why no way out leads anywhere; what waits goes before what is final. None if one does."""
        troubles = [way.trouble for way in self.ways if way.trouble]
        if len(troubles) < len(self.ways):
            return None
        return min(troubles, key=lambda trouble: trouble.verdict != "defer")


class Finder:
    """A finder of routes as `config` says, with what `resolver` knows; `shuffle` brings a list into a random order.

    `ours` says whether an address is one of this machine's.
    """

    def __init__(
        self, config: Config, resolver: Lookup, shuffle: Callable[[list[str]], None], ours: Callable[[str], bool] = is_own
    ) -> None:
        self.config = config
        self.resolver = resolver
        self.shuffle = shuffle
        self.terms = TermsTable(config)
        self._endpoints: dict[Endpoint, Endpoint] = {}
        self.table = RouteTable.of(config)
        private = config.delivery.allow_private  # tests, and those who know: then even this host may be called
        self._screen: Callable[[str], bool] = (lambda _: True) if private else allowed
        self._ours: Callable[[str], bool] = (lambda _: False) if private else ours

    async def find(self, domain: str) -> Route:
        """The route for `domain`. Raises `Unroutable`."""
        began = monotonic()
        resolution = await self.resolve(domain)
        if resolution.trouble:
            raise resolution.trouble
        took = began, monotonic() - began
        most = self.terms.of(resolution.key).messages_per_connection
        hops = tuple(self._hop(way, host, most) for way in resolution.ways if way.found for host in way.found.hosts)
        first = next(way.via for way in resolution.ways if way.found)
        relay, verp = self._relay(first), not resolution.home
        if first.kind in ("local", "maildir"):
            return Route(resolution.key, (), relay=True, transport=first.kind, place=first.name, verp=verp, resolved=took)
        return Route(
            resolution.key,
            hops,
            relay is not None,
            relay.author if relay else "",
            relay.protocol if relay else "smtp",
            verp=verp and (relay is None or relay.verp),
            resolved=took,
        )

    async def resolve(self, domain: str) -> Resolution:
        """The resolution for `domain`: where each way out leads."""
        rule = self.table.find(domain)
        leads = await asyncio.gather(*(self._leads(via, domain) for via in rule.via))
        ways = tuple(WayOut(via, self._requirement(via), found) for via, found in zip(rule.via, leads, strict=True))
        key = " ".join(way.found.key for way in ways if way.found)
        home = self.table.homes.get(rule.match.form) is rule
        number = [each.name for each in self.config.domains].index(rule.match.form) if home else _number(rule, self.table)
        return Resolution(rule, number, ways, key and self.terms.key(key, domain), home)

    async def _leads(self, via: Via, domain: str) -> MailHosts | Unroutable:
        config = self.config
        try:
            return await find_hosts(
                via,
                domain,
                relays=config.relays,
                resolver=self.resolver,
                shuffle=self.shuffle,
                screen=self._screen,
                own=config.hostname,
                ours=self._ours,
                port=config.delivery.mx_port,
            )
        except Unroutable as trouble:
            return trouble

    def _requirement(self, via: Via) -> Requirement:
        tls, relay = self.config.tls, self._relay(via)
        if relay is None:
            return Requirement(tls.mx, tls.mx == "starttls", tls.ca_file, min_version=tls.min_version)
        proves = relay.tls in ("starttls", "implicit")
        return Requirement(
            relay.tls,
            proves,
            relay.ca_file or tls.ca_file,
            relay.server_name,
            tls.min_version,
            relay.fingerprints,
            relay.client_certificate,
            relay.client_key,
        )

    def _relay(self, via: Via) -> Relay | None:
        return self.config.relays[via.name] if via.kind == "relay" else None

    def _hop(self, way: WayOut, host: MailHost, most: int) -> NextHop:
        relay = self._relay(way.via)
        ours = self.config.delivery
        endpoint = Endpoint(
            host.host,
            host.port,
            way.requirement,
            login_of(relay) if relay else None,
            source=ours.source4,
            hello=self.config.hostname,
            protocol=relay.protocol if relay else "smtp",
            source6=ours.source6,
            chunking=relay.chunking if relay else True,
            messages=most,
            dialer=dialer_of(relay) if relay else None,
        )
        return NextHop(self._one(endpoint), tuple(host.addresses), relay is not None)

    def _one(self, endpoint: Endpoint) -> Endpoint:
        """The same object for equal ones: whoever has a session compares it with where each next message goes."""
        if len(self._endpoints) > MANY:
            self._endpoints.clear()
        return self._endpoints.setdefault(endpoint, endpoint)


def _number(rule: RouteRule, table: RouteTable) -> int:
    return table.routes.index(rule) if rule in table.routes else -1


class Router:
    """A router, which remembers routes by domain, as `find` (`Finder.find`) has them, for `TTL` seconds.

    So the thousandth message to a domain costs a look into a dictionary. The resolver below keeps to the TTL of the records.
    """

    def __init__(self, find: Callable[[str], Awaitable[Route]]) -> None:
        self._find = find
        self._known: dict[str, tuple[float, Route]] = {}

    def known(self, domain: str, now: float) -> Route | None:
        """The route for `domain`, if it was found within `TTL`."""
        found = self._known.get(domain)
        return found[1] if found and found[0] > now else None

    async def find(self, domain: str, now: float) -> Route:
        """The route for `domain`, which is remembered. Raises `Unroutable`."""
        route = await self._find(domain)
        if len(self._known) > MANY:
            self._known.clear()
        self._known[domain] = (now + TTL, route)
        return route

    def forget(self) -> None:
        """Forget all routes, since the configuration has changed."""
        self._known.clear()


def login_of(relay: Relay) -> Login | None:
    """The login at `relay`; None where it wants to know nobody."""
    mechanism, acting = "" if relay.auth == "auto" else relay.auth.upper(), relay.authorization
    if mechanism == "EXTERNAL":
        return Login(relay.username, _nothing, mechanism=mechanism, authorization=acting)
    if relay.oauth:
        tokens = _tokens(relay)
        return Login(relay.username, tokens, relay.allow_plaintext_auth, mechanism or OAUTH, acting, tokens.forget)
    secret = relay.secret
    if not relay.username or secret is None:
        return None
    return Login(relay.username, secret, relay.allow_plaintext_auth, mechanism, acting)


def dialer_of(relay: Relay) -> Dialer | None:
    """The maker of connections to `relay`; None where it is called itself, and then none is loaded."""
    if relay.socket:
        from mailer.net.dialer import UnixSocket

        return UnixSocket(relay.socket)
    if relay.proxy is None:
        return None
    from mailer.net.proxy import Proxy

    secret = Secret("file", (relay.proxy_password_file,)) if relay.proxy_password_file else None
    return Proxy(relay.proxy, relay.proxy_username, secret)


def _nothing() -> str:
    """A certificate is no secret to tell."""
    return ""


def _tokens(relay: Relay) -> OAuth:
    from mailer.net.oauth import OAuth  # which has an HTTP client to load

    client = Secret("file", (relay.oauth_client_secret_file,)) if relay.oauth_client_secret_file else None
    return OAuth(
        relay.oauth_endpoint,
        relay.oauth_client_id,
        Secret("file", (relay.oauth_refresh_token_file,)),
        relay.oauth_token_file or f"{relay.oauth_refresh_token_file}.access",
        client,
        relay.oauth_scope,
    )


def callings(config: Config) -> dict[str, tuple[object, ...]]:
    """What of a configuration makes hosts be called in another way, by the name of the relay; "" stands for all MX hosts."""
    delivery = config.delivery
    ours = (config.hostname, config.tls, delivery.source4, delivery.source6, delivery.family, _version(config.tls.ca_file))
    return {"": ours} | {name: (ours, relay, _versions(relay)) for name, relay in config.relays.items()}


def changed(before: dict[str, tuple[object, ...]], now: dict[str, tuple[object, ...]]) -> set[str]:
    """The names of those that are called in another way now."""
    return {name for name, calling in now.items() if name in before and before[name] != calling}


def _versions(relay: Relay) -> list[tuple[int, ...]]:
    return [_version(getattr(relay, name)) for name in FILES]


def _version(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another; nothing where there is none, or none that we may see."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return ()
    return (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, about.st_size)
