"""Where a proxy is, what is wrong with what one says, and the names of hosts that one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from mailer.mail.domain import ascii_domain

if TYPE_CHECKING:
    from collections.abc import Generator

    Talk = Generator[tuple[bytes, int], bytes, None]
    """(what to say, how many octets to read then; 0: a head of HTTP, up to its empty line) → what was read."""

Kind = Literal["socks5", "http"]

PORTS: dict[str, int] = {"socks5": 1080, "http": 3128}
"""The usual port of each kind."""


class ProxyTrouble(OSError):
    """The proxy made no connection; `str()` says what it does. `ours`: because of our login there."""

    def __init__(self, text: str, *, ours: bool = False) -> None:
        super().__init__(text)
        self.ours = ours


class ProxyPlace(NamedTuple):
    """A proxy at `host` and `port`."""

    kind: Kind
    host: str
    port: int

    @classmethod
    def read(cls, value: object) -> ProxyPlace:
        """The proxy that ``socks5://host:port`` or ``http://host:port`` names; ``socks5h`` is the same. Raises `ValueError`."""
        form = 'write "socks5://host:port" or "http://host:port"'
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no proxy; {form}")
        kind, there, place = value.partition("://")
        kind, place = kind.lower().replace("socks5h", "socks5"), place.removesuffix("/")
        if "@" in place:  # it is not repeated: there may be a password in it
            raise ValueError("the login at a proxy does not stand in its URL; user name and password are settings of their own")
        if not there or kind not in PORTS:
            raise ValueError(f"{value!r} is no proxy; {form}")
        host, colon, port = place.rpartition(":")
        if not colon or place.endswith("]"):
            host, port = place, str(PORTS[kind])
        host = host.removeprefix("[").removesuffix("]")
        if (
            not host
            or not host.isprintable()
            or set(host) & set(" /[]")
            or not (port.isascii() and port.isdigit() and 0 < int(port[:9]) < 65536)
        ):
            raise ValueError(f"{value!r} has no host and port; {form}")
        return cls(cast("Kind", kind), host, int(port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def host_octets(host: str) -> bytes:
    """The name of a host as it goes over a wire. Raises `ProxyTrouble`."""
    try:
        return ascii_domain(host).encode("ascii")
    except ValueError:
        raise ProxyTrouble(f"cannot be told {host!a}: that is no name of a host") from None
