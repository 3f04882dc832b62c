"""One question to the name servers: what they say, that they have nothing, or what went wrong.

The layer below `Resolver`, and the only place that knows dnspython. Which servers are asked is read here too: those
that are given, or the system's, whose file is read again when it changes, because a laptop moves between networks
while the daemon runs. The library asks the servers in turn, and again by TCP where an answer was cut short; its search
lists, which whoever wants them asks for, and its cache are not used.

What this does not cover: an answer is believed, not validated. Where DNSSEC matters, the name servers must do it.
"""

from __future__ import annotations

import asyncio
import os
import time
from copy import copy
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import dns.asyncbackend
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver

from .aside import aside
from .happy_eyeballs import has_route
from .turns import QuestionTurns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config.kinds import HostPort

MAX_CHAIN = 16  # CNAMEs in a row; name servers give up at about as many
PAYLOAD = 1232  # bytes of UDP that no network cuts into fragments; longer answers come by TCP
AT_ONCE = 200  # questions under way, each with a socket; see `turns`
LARGE = PAYLOAD  # bytes of an answer; a longer one is taken apart beside the loop: 8 kB of labels take a tenth of a second
SYSTEM = "/etc/resolv.conf"


class DnsTrouble(Exception):
    """No name server could say what the DNS has for `name`: that says nothing about the name, and is never permanent."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot look up {name}: {reason}")
        self.name = name
        self.reason = reason


class Offline(DnsTrouble):
    """No name server can be reached at all: this machine has no network, and nothing was tried."""


class DnsAnswer(NamedTuple):
    """The records for a name, or why there are none (`missing` is nxdomain or nodata); good for `ttl` seconds."""

    records: Sequence[Any]
    missing: str
    ttl: float


class Asker:
    """An asker of `nameservers`, or of those that the file `system` names if there are none.

    Name servers are addresses, with a port where it is not 53; one may take `timeout` seconds, a whole question `lifetime`.
    `online` tells whether there is a network beyond this machine.
    """

    def __init__(
        self,
        nameservers: Sequence[HostPort],
        timeout: float,
        lifetime: float,
        system: str = SYSTEM,
        online: Callable[[], bool] = has_route,
        at_once: int = AT_ONCE,
    ) -> None:
        self.timeout = timeout
        self.lifetime = lifetime
        self._online = online
        self._turns = QuestionTurns(at_once)
        self._system = "" if nameservers else system
        self._version: tuple[int, ...] | None = None
        self._stub = False
        self._search: Sequence[str] = ()
        self._use([_Server(server.host, server.port or 53) for server in nameservers])
        # A UDP socket that is connected hears when nobody listens at the other end.
        self._backend = copy(dns.asyncbackend.get_backend("asyncio"))
        vars(self._backend)["datagram_connection_required"] = lambda: True

    def search(self) -> Sequence[str]:
        """The search domains of the system's file, or the machine's own domain that stands there instead; in lower case."""
        self._refresh()
        return self._search

    def deadline(self) -> float:
        """When a question that is asked now has to be answered, on the monotonic clock."""
        return time.monotonic() + self.lifetime

    async def ask(self, name: str, type: str, *, again: bool = False, until: float | None = None) -> DnsAnswer:
        """The records of `type` for `name`, CNAMEs followed. `again` begins with another server where there is one.

        All of it, with the wait for its turn, ends by `until`; that is by `deadline` if nothing is said. Raises `DnsTrouble`, and
        `Offline` where no server could be reached.
        """
        until = self.deadline() if until is None else until
        try:
            async with asyncio.timeout(max(until - time.monotonic(), 0)):
                await self._turns.come(name)
        except TimeoutError:
            raise DnsTrouble(name, "its turn did not come in time: too much else is looked up") from None
        try:
            async with self._turns.having(name):
                self._refresh()
                found = await self._follow(name, type, until, again=again)
        except TimeoutError:
            self._turns.failed(name)
            raise DnsTrouble(name, "no name server answered at once, and much else is looked up") from None
        except DnsTrouble:
            self._turns.failed(name)
            raise
        self._turns.answered(name)
        return found

    async def validated(self, name: str, type: str) -> bool:
        """Whether the name servers say that they have proved the answer for `name` themselves (DNSSEC; the AD bit, RFC 6840 §5.8).

        Raises `DnsTrouble` as `ask` does.
        """
        self._refresh()
        resolver = copy(self._first)
        resolver.use_edns(0, dns.flags.DO, PAYLOAD)
        response = await self._answered(resolver, name, name.rstrip("."), type, self.lifetime)
        return bool(response.flags & dns.flags.AD)

    def servers(self) -> list[str]:
        """The name servers that are asked, as a person writes them."""
        self._refresh()
        return [_shown(server) for server in self._servers]

    async def _follow(self, name: str, type: str, deadline: float, *, again: bool) -> DnsAnswer:
        target = name
        seen = {target}
        ttl = float("inf")
        while True:
            response = await self._response(name, target, type, deadline - time.monotonic(), again=again)
            chain = response.resolve_chaining()
            ttl = min(ttl, chain.minimum_ttl)
            if chain.answer is not None:
                return DnsAnswer(tuple(chain.answer), "", ttl)
            if response.rcode() == dns.rcode.NXDOMAIN:
                return DnsAnswer((), "nxdomain", ttl)
            if not chain.cnames or _holds(response, dns.rdatatype.SOA):
                _refuse_referral(name, response)
                return DnsAnswer((), "nodata", ttl)
            target = chain.canonical_name.to_text(omit_final_dot=True).lower()  # this server does not go on by itself
            if target in seen or len(seen) > MAX_CHAIN:
                raise DnsTrouble(name, "its CNAME records go in a circle or on for too long")
            seen.add(target)

    async def _response(self, name: str, target: str, type: str, lifetime: float, *, again: bool) -> dns.message.QueryMessage:
        return await self._answered(self._second if again else self._first, name, target, type, lifetime)

    async def _answered(
        self, resolver: dns.asyncresolver.Resolver, name: str, target: str, type: str, lifetime: float
    ) -> dns.message.QueryMessage:
        if not resolver.nameservers:
            raise Offline(name, f"{self._system} names no name server")
        try:
            answer = await resolver.resolve(
                f"{target}.", type, raise_on_no_answer=False, search=False, lifetime=lifetime, backend=self._backend
            )
        except dns.resolver.NXDOMAIN as error:
            responses: dict[Any, dns.message.QueryMessage] = error.kwargs["responses"]
            return next(iter(responses.values()))
        except (dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout) as error:
            raise self._trouble(name, error.kwargs["errors"]) from None
        except dns.exception.DNSException as error:
            raise DnsTrouble(name, str(error)) from None
        return answer.response

    def _trouble(self, name: str, errors: Sequence[tuple[Any, ...]]) -> DnsTrouble:
        """What went wrong at each server. A server on this machine is reached also when the network is gone."""
        reasons = dict.fromkeys(f"{_shown(server)} {_reason(error)}" for server, _, _, error, _ in errors)
        unreachable = all(isinstance(error, OSError) for _, _, _, error, _ in errors) and bool(errors)
        kind = Offline if unreachable or (self._stub and not self._online()) else DnsTrouble
        return kind(name, "; ".join([*reasons][:4]) or "no answer in time")

    def _refresh(self) -> None:
        """Read the system's file if it is not the one that was read before."""
        if not self._system:
            return
        try:
            about = os.stat(self._system)
            version: tuple[int, ...] = (about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size)
        except OSError:
            version = ()
        if version != self._version:
            self._version = version
            servers, self._search = _system(self._system)
            self._use(servers)
            self._stub = all(ip_address(server.address).is_loopback for server in self._servers)

    def _use(self, servers: list[dns.nameserver.Do53Nameserver]) -> None:
        self._servers = servers
        self._first = self._resolver(servers)
        self._second = self._resolver(servers[1:] + servers[:1])

    def _resolver(self, servers: list[dns.nameserver.Do53Nameserver]) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = list(servers)
        resolver.timeout = self.timeout
        resolver.use_edns(0, 0, PAYLOAD)
        return resolver


def preload() -> None:
    """Import what the library imports only with the first answer of a type, for whoever gives up the right to read it."""
    load: Callable[..., object] = dns.rdata.get_rdata_class
    for type in ("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "TXT"):
        load(dns.rdataclass.IN, dns.rdatatype.from_text(type))
    dns.asyncbackend.get_backend("asyncio")


class _Server(dns.nameserver.Do53Nameserver):
    """A name server whose long answers, which come by TCP, hold up nobody."""

    async def async_query(self, request: dns.message.QueryMessage, *more: Any, **named: Any) -> dns.message.Message:
        """What the library's does. Raises what that raises."""
        if not named.get("max_size"):
            return await super().async_query(request, *more, **named)
        seconds = named["timeout"]
        try:
            async with asyncio.timeout(seconds):
                wire = await self._by_tcp(request.to_wire())
        except TimeoutError:
            raise dns.exception.Timeout from None
        response = await aside(partial(dns.message.from_wire, wire)) if len(wire) > LARGE else dns.message.from_wire(wire)
        if not request.is_response(response):
            raise dns.query.BadResponse
        return response

    async def _by_tcp(self, question: bytes) -> bytes:
        """RFC 1035 §4.2.2: the length in two octets, then the message."""
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(question).to_bytes(2, "big") + question)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()


def _system(path: str) -> tuple[list[dns.nameserver.Do53Nameserver], list[str]]:
    """The name servers and the search domains that resolv.conf(5) has."""
    reader = dns.asyncresolver.Resolver(configure=False)
    try:
        reader.read_resolv_conf(path)
    except (dns.exception.DNSException, OSError, ValueError):
        return [], []
    domains = [domain.to_text(omit_final_dot=True).lower() for domain in reader.search or [reader.domain] if domain != dns.name.root]
    return [_Server(str(server)) for server in reader.nameservers], domains


def _refuse_referral(name: str, response: dns.message.QueryMessage) -> None:
    """RFC 2308 §2.2: no SOA but NS records means "ask those", not "there is nothing"."""
    if _holds(response, dns.rdatatype.NS) and not _holds(response, dns.rdatatype.SOA):
        raise DnsTrouble(name, "the name server only says whom else to ask; one that does not resolve is no use here")


def _holds(response: dns.message.QueryMessage, type: dns.rdatatype.RdataType) -> bool:
    return any(rrset.rdtype == type for rrset in response.authority)


def _shown(server: object) -> str:
    return str(server).removeprefix("Do53:").replace("@", " port ")


def _reason(error: object) -> str:
    if isinstance(error, str):
        return f"answered {error}"  # a response code
    if isinstance(error, dns.exception.Timeout):
        return "did not answer in time"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or error}"
    if isinstance(error, dns.message.ChainTooLong):
        return "answered with CNAME records that go in a circle"
    if isinstance(error, dns.message.Truncated):
        return "cut its answer short"
    return "gave an answer that makes no sense"
