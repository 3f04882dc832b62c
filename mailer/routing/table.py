"""The route table: which way mail for a domain leaves, by the rules that the operator wrote down.

A rule is a pattern and the ways out in order of preference. Patterns are a domain (that domain only),
``*.domain`` (everything below it, not the domain itself) and ``*``. The first rule in the table that matches wins,
as in the file; where none does, mail goes to the MX hosts of the domain. (That one relay without any rule takes all
mail is `mailer.config`'s doing: it then ends the table with a rule for ``*``.)

Used by `resolve` and ``mailer route``. Pure. Domains are compared in the form that the DNS knows them in: case,
a dot at the end and the way of writing an international name make no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.config.sections.relay import TO_MX, everything
from mailer.mail.domain import compared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.config.sections.relay import RouteRule


DEFAULT = everything(TO_MX)
"""What holds where no rule matches."""


class RouteTable:
    """The table of the rules for domains, in their order."""

    def __init__(self, routes: Iterable[RouteRule]) -> None:
        self.routes = tuple(routes)
        self._at: dict[str, int] = {}
        for at, route in enumerate(self.routes):
            self._at.setdefault(route.match.form, at)

    def find(self, domain: str) -> RouteRule:
        """The rule for `domain`; `DEFAULT` if there is none. A table of thousands costs no more than a short one."""
        matches = [self._at[pattern] for pattern in _patterns(compared(domain)) if pattern in self._at]
        return self.routes[min(matches)] if matches else DEFAULT


def _patterns(domain: str) -> Iterator[str]:
    """All patterns that match `domain`."""
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f"*.{domain}"
    yield "*"
