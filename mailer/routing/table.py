"""The route table: which way mail for a domain leaves, by the rules that the operator wrote down.

A rule is a pattern and the ways out in order of preference. Patterns are a domain (that domain only),
``*.domain`` (everything below it, not the domain itself) and ``*``. Domains whose mail lives here come first (``[[domain]]``); then the
first rule in the table that matches wins, as in the file; where none does, mail goes to the MX hosts of the domain. (That one relay without
any rule takes all mail is `mailer.config`'s doing: it then ends the table with a rule for ``*``.)

Used by `resolve` and ``mailer route``. Pure. Domains are compared in the form that the DNS knows them in: case,
a dot at the end and the way of writing an international name make no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.kinds import Pattern
from mailer.config.sections.relay import TO_MX, RouteRule, everything
from mailer.mail.domain import compared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.config import Config
    from mailer.config.sections.domain import LocalDomain


DEFAULT = everything(TO_MX)
"""What holds where no rule matches."""


class RouteTable:
    """The table of the rules for domains, in their order. `homes` are those of domains whose mail lives here, by their names."""

    def __init__(self, routes: Iterable[RouteRule], domains: Iterable[LocalDomain] = ()) -> None:
        self.routes = tuple(routes)
        self.homes = {domain.name: RouteRule(match=Pattern(domain.name, domain.name), via=domain.via) for domain in domains if domain.via}
        self._at: dict[str, int] = {}
        for at, route in enumerate(self.routes):
            self._at.setdefault(route.match.form, at)

    @classmethod
    def of(cls, config: Config) -> RouteTable:
        """The table of a configuration."""
        return cls(config.routes, config.domains)

    def find(self, domain: str) -> RouteRule:
        """The rule for `domain`; `DEFAULT` if there is none. A table of thousands costs no more than a short one."""
        name = compared(domain)
        if home := self.homes.get(name):
            return home
        matches = [self._at[pattern] for pattern in _patterns(name) if pattern in self._at]
        return self.routes[min(matches)] if matches else DEFAULT


def _patterns(domain: str) -> Iterator[str]:
    """All patterns that match `domain`."""
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f"*.{domain}"
    yield "*"
