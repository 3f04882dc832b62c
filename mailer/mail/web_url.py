"""The address of something that is called by HTTP: read once, strictly, so that all who read it mean the same host.

What libraries disagree about is refused: user names (``https://good.example@evil.example/``), hosts that are numbers
(``http://2130706433/`` is 127.0.0.1 to some), backslashes, blanks and controls. What follows is RFC 3986 §3 without the parts that nobody
needs here. `mailer.mail.ip_filter` says which addresses may be called; `WebUrl.trouble` is what can be said before a name is looked up.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from .domain import ascii_domain
from .ip_filter import allowed

LONGEST = 2048  # characters
PORTS = {"https": 443, "http": 80}
LEAST = 1024  # below it are ports of other services, which must not be spoken to in our name: 25 for instance


class WebUrl(NamedTuple):
    """An address: `host` is a domain as the DNS knows it, or an IP address without brackets; `path` has the query, too."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def read(cls, text: str) -> WebUrl:
        """The address that `text` is. Raises `ValueError`, in whose words no password is."""
        scheme, there, rest = text.partition("://")
        scheme = scheme.lower()
        if not there or scheme not in PORTS:
            raise ValueError('this is no web address; write "https://app.example.com/events"')
        if len(text) > LONGEST or not text.isascii() or not text.isprintable() or set(text) & set(' "<>\\^`{|}#'):
            raise ValueError(f"a web address has up to {LONGEST} printable ASCII characters, without blanks, backslashes or #")
        end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
        place, path = rest[:end], rest[end:]
        if "@" in place:  # not repeated: a password may be in it
            raise ValueError("a name or a password has no place in a web address; a secret is in a file of its own")
        host, port = _place(place)
        return cls(scheme, host, port or PORTS[scheme], path if path.startswith("/") else f"/{path}")

    @property
    def tls(self) -> bool:
        """Whether it is called with TLS."""
        return self.scheme == "https"

    @property
    def literal(self) -> bool:
        """Whether the host is an IP address, so that nothing has to be looked up."""
        return ":" in self.host or self.host.rpartition(".")[2].isdigit()

    @property
    def authority(self) -> str:
        """Host and port as the field Host has them, RFC 9110 §7.2."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be told to anybody: a path or a query may be a secret of its own."""
        return f"{self.scheme}://{self.authority}"

    def trouble(self) -> str:
        """Why it is not called in the name of a stranger; empty if it may be, as far as that can be seen before a look-up."""
        if not self.tls:
            return "it is not encrypted; write https"
        if "%" in self.host:
            return "an address with a zone is one of this machine's own networks"
        if self.port < LEAST and self.port not in PORTS.values():
            return f"port {self.port} is that of another service"
        if self.host == "localhost" or self.host.endswith(".localhost"):  # RFC 6761 §6.3
            return "localhost is this machine"
        if self.literal and not allowed(self.host):
            return f"{self.host} is an address that nobody outside can reach"
        return ""

    def __str__(self) -> str:
        address, _, zone = self.host.partition("%")
        shown = self.shown.replace(f"[{address}]", f"[{address}%25{zone}]", 1) if zone else self.shown  # RFC 6874 §2
        return f"{shown}{self.path}"


def _place(place: str) -> tuple[str, int]:
    """The host and the port, 0 where none is said. Raises `ValueError`."""
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("the brackets of the IPv6 address are not closed")
        return _six(host), _port(rest[1:]) if rest else 0
    host, colon, port = place.partition(":")
    return _name(host), _port(port) if colon else 0


def _six(host: str) -> str:
    address, percent, zone = host.partition("%")
    try:
        plain = str(IPv6Address(address))
    except ValueError:
        raise ValueError(f"[{address}] is no IPv6 address") from None
    zone = zone.removeprefix("25") or zone  # RFC 6874 §2
    if percent and not (zone.replace("-", "").replace("_", "").replace(".", "").isalnum() and len(zone) <= 15):
        raise ValueError("the zone of the IPv6 address is no name of a network interface")
    return f"{plain}%{zone}" if percent else plain


def _name(host: str) -> str:
    """A domain, or an IPv4 address in its one form: what else ends with a number is read in several ways."""
    if not host:
        raise ValueError("the web address has no host")
    last = host.removesuffix(".").rpartition(".")[2].lower()
    if last.isdigit() or (last.startswith("0x") and not set(last[2:]) - set("0123456789abcdef")):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError(f"{host} is no IP address; write one as four numbers, 192.0.2.1") from None
    return ascii_domain(host)


def _port(text: str) -> int:
    if not (text.isdigit() and 0 < int(text[:9]) < 65536):
        raise ValueError("the web address has no port behind the colon")
    return int(text)
