"""The route table: which way mail for a domain leaves, by the rules that the operator wrote down.

A rule is a pattern and the ways out in order of preference. Patterns are a domain (that domain only),
``*.domain`` (everything below it, not the domain itself) and ``*``. The first rule in the table that matches wins,
as in the file; where none does, mail goes to the MX hosts of the domain. (That one relay without any rule takes all
mail is `mailer.config`'s doing: it then ends the table with a rule for ``*``.)

Used by `delivery.hosts` and ``mailer route``. Pure. Domains are compared in the form that the DNS knows them in: case,
a dot at the end and the way of writing an international name make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.mail.domain import ascii_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Via(NamedTuple):
    """One way out: the relay called `name`, or the MX hosts of the domain."""

    kind: Literal["relay", "mx"]
    name: str = ""

    @classmethod
    def read(cls, text: str) -> Via:
        """What ``relay:NAME`` or ``mx`` writes. Raises `ValueError`."""
        kind, _, name = text.partition(":")
        if kind == "relay" and name:
            return cls("relay", name)
        if text != "mx":
            raise ValueError(f"{text!r} is no way out; write mx or relay:NAME")
        return cls("mx")

    def __str__(self) -> str:
        return f"relay:{self.name}" if self.kind == "relay" else "mx"


@dataclass(frozen=True, slots=True)
class Route:
    """One rule: domains that match `pattern` leave `via` the first of these that can be found."""

    pattern: str
    via: tuple[Via, ...]

    @classmethod
    def read(cls, pattern: str, via: Iterable[str]) -> Route:
        """A rule as the configuration writes it. Raises `ValueError`."""
        wild = "*." if pattern.startswith("*.") else ""
        normal = pattern if pattern == "*" else wild + _normal(pattern.removeprefix(wild))
        return cls(normal, tuple(map(Via.read, via)))


DEFAULT = Route("*", (Via("mx"),))
"""What holds where no rule matches."""


class RouteTable:
    """The rules in their order."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._at: dict[str, int] = {}
        for at, route in enumerate(self.routes):
            self._at.setdefault(route.pattern, at)

    def find(self, domain: str) -> Route:
        """The rule for `domain`; `DEFAULT` if there is none. A table of thousands costs no more than a short one."""
        matches = [self._at[pattern] for pattern in _patterns(_normal(domain)) if pattern in self._at]
        return self.routes[min(matches)] if matches else DEFAULT


def _patterns(domain: str) -> Iterator[str]:
    """All patterns that match `domain`."""
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f"*.{domain}"
    yield "*"


def _normal(domain: str) -> str:
    """The form in which domains are compared. What cannot be one leads nowhere, which is found out on the way."""
    try:
        return ascii_domain(domain)
    except ValueError:
        return domain.lower()
