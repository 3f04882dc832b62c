"""From a next hop to what can be dialled: which hosts, in which order, at which addresses.

Mail is given up only where the DNS says so and could not mean anything else; otherwise it waits:

==================================================  ==========  ======================================================
there is no such domain                             550 5.1.2   two look-ups agree
it has neither MX nor address records               451 4.4.4   it is there, and half made, or half mended
it has a null MX                                    556 5.1.10  RFC 7505 §3
this host is its best MX, by name or by address     554 5.4.6   RFC 5321 §5.1: a loop, which somebody has to mend
its hosts are only where mail must not go           550 5.4.4   there is no way; what is wrong is not the address
none of its MX hosts has an address                 451 4.4.4   a mistake in its zone that somebody will see
the DNS fails                                       451 4.4.3   a failing DNS says nothing
a relay's name does not exist or has no address     451 4.4.4   the sender did not choose the relay
==================================================  ==========  ======================================================

Used by the finder.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from mailer.machine.hostsfile import listed
from mailer.mail.cause import Cause
from mailer.net.dns import DnsTrouble, NotFound

from .mx import LOOPBACK, MAX_ADDRESSES, Exchangers, is_localhost
from .nexthop import NextHop, Target, Unroutable, comes_back, for_now, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.config.forms import Via

    from .mx import Lookup

__all__ = ["Unroutable", "find_hosts"]


class RelayHost(Protocol):
    """Where a relay is."""

    @property
    def host(self) -> str:
        """The name or address of the relay."""

    @property
    def port(self) -> int:
        """The port at the relay."""


async def find_hosts(
    via: Via,
    domain: str,
    *,
    relays: Mapping[str, RelayHost],
    resolver: Lookup,
    shuffle: Callable[[list[str]], None],
    screen: Callable[[str], bool],
    own: str = "",
    port: int = 25,
    ours: Callable[[str], bool] = lambda _: False,
) -> NextHop:
    """The hosts that take mail for `domain` when it leaves `via` this way.

    `shuffle` brings a list into a random order, `screen` says whether an address from the DNS may be called, `own` is
    the name of this host, `ours` says whether an address is its own, `port` is that of MX hosts. Raises `Unroutable`.
    """
    if via.kind == "relay":
        return await _relay(via.name, relays[via.name], resolver)
    if domain.startswith("["):
        return _literal(domain, port, screen, ours)
    return await Exchangers(domain, resolver, shuffle, screen, own, port, ours).find()


async def _relay(name: str, relay: RelayHost, resolver: Lookup) -> NextHop:
    """The one host of a relay. It is the operator's own word: neither screened nor ever a reason to give mail up."""
    try:
        addresses = _written(relay.host) or listed(relay.host) or await _searched(relay.host, resolver)
    except NotFound:
        raise Unroutable(451, "4.4.4", f"relay {name}: {_nowhere(relay.host, resolver)}", "defer", Cause.NO_ADDRESS) from None
    except DnsTrouble as trouble:
        raise for_now(trouble, f"relay {name}: ") from None
    return NextHop(f"relay:{name}", [Target(relay.host, relay.port, addresses[:MAX_ADDRESSES])])


async def _searched(host: str, resolver: Lookup) -> list[str]:
    """The addresses of a host as it stands, or below a search domain of resolv.conf(5); below those first if it has no dot.

    Never the other way round: no search domain gets between us and a host that is written in full. Raises `NotFound`, `DnsTrouble`.
    """
    below = [f"{host}.{domain}" for domain in resolver.search]
    names = [host, *below] if "." in host else [*below, host]
    for name in names[:-1]:
        try:
            return await resolver.addresses(name)
        except NotFound:
            continue
    return await resolver.addresses(names[-1])


def _nowhere(host: str, resolver: Lookup) -> str:
    """Which names the DNS has no address for, and what to write instead of one that is not whole."""
    below = f", nor one below {' or '.join(resolver.search)} (resolv.conf)" if resolver.search else ""
    hint = "" if "." in host else "; write the whole name of the host, with its domain"
    return f"the DNS has no address for {host}{below}{hint}"


def _written(host: str) -> list[str]:
    """The addresses of a host whose name says them: an address, or localhost (RFC 6761 §6.3)."""
    if is_localhost(host):
        return [*LOOPBACK]
    try:
        return [str(ip_address(host))]
    except ValueError:
        return []


def _literal(domain: str, port: int, screen: Callable[[str], bool], ours: Callable[[str], bool]) -> NextHop:
    """``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``, RFC 5321 §4.1.3: an address instead of a domain."""
    text = domain[1:-1]
    try:
        address = str(ip_address(text[5:] if text.lower().startswith("ipv6:") else text))
    except ValueError:
        raise Unroutable(550, "5.1.2", f"{domain} is no address literal", "fail", Cause.NO_DOMAIN) from None
    if not screen(address):
        raise refused(domain, [address])
    if ours(address):
        raise comes_back(domain)
    return NextHop(f"mx:[{address}]", [Target(address, port, [address])])
