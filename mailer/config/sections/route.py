"""Which way mail leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..forms import EVERYTHING, Via
from ..kinds import HOP, PATTERN, one_or_several
from . import Section, Setting
from .relay import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..places import Judged, Path
    from .relay import Relay

TO_MX = Via("mx")


class RouteRule(Section, header="[[route]]", member="routes", plural="routes"):
    """Which way mail for a domain leaves.

    The first route that matches wins; where none does, mail goes to the MX hosts of the domain. With no
    route at all and one relay, everything goes to that relay.
    """

    match = Setting(PATTERN, 'A domain, "*.domain" for everything below it, or "*".', example="*.example.net")
    via = Setting(
        one_or_several(HOP),
        'Ways out in order of preference: "relay:NAME", or "mx" for the MX hosts of the domain.',
        example="relay:out",
    )

    @classmethod
    def conflicts(cls, judged: Judged) -> Iterator[tuple[Path, str]]:
        """Ways out that there are not, and routes that no mail comes to."""
        relays = judged.named["relay"]
        seen: dict[str, int] = {}
        for at, route in enumerate(judged.listed["route"]):
            if route:
                for text in route.ways_out(relays):
                    yield ("route", at, "via"), text
                if earlier := seen.get("*") or seen.get(route.match.text):
                    yield ("route", at, "match"), f"this route is never used: line {earlier} takes the same mail before it"
                seen.setdefault(route.match.text, judged.line(("route", at, "match")))
        if len(relays) > 1 and not judged.listed["route"]:
            yield ("relay", [*relays][1]), "there are several relays and no [[route]] that says which one is used"

    def ways_out(self, relays: Mapping[str, Relay | None]) -> Iterator[str]:
        """What is wrong with `via` where there are these relays."""
        yield from unknown((via.name for via in self.via if via.kind == "relay"), relays)
        authors = {relay.author if (relay := relays.get(via.name)) else "" for via in self.via}
        if len(authors) > 1:
            yield "one way out takes one author only and another does not; give them routes of their own"
        if len(set(self.via)) < len(self.via):
            yield "via names the same way out twice"


def everything(via: Via) -> RouteRule:
    """The route of all mail by one way out."""
    return RouteRule(match=EVERYTHING, via=(via,))


def completed(routes: Sequence[RouteRule], relays: Mapping[str, Relay]) -> tuple[RouteRule, ...]:
    """`routes` and one for what none of them takes: by the MX hosts, or by the only relay where nothing is said of routes."""
    if any(route.match == EVERYTHING for route in routes):
        return (*routes,)
    return (*routes, everything(Via("relay", next(iter(relays))) if relays and not routes else TO_MX))
