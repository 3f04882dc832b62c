"""The route table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.kinds import HOP, Pattern, Via
from mailer.config.sections.domain import LocalDomain
from mailer.config.sections.relay import RouteRule
from mailer.routing.table import DEFAULT, RouteTable

A, B, C = (f"relay:{name}" for name in "abc")


def rule(pattern: str, *via: str) -> RouteRule:
    """A section as the file would have it."""
    return RouteRule(match=Pattern.read(pattern), via=tuple(map(Via.read, via)))


def table(*rules: tuple[str, str]) -> RouteTable:
    """A table of one way out a rule."""
    return RouteTable(rule(pattern, via) for pattern, via in rules)


def via(routes: RouteTable, domain: str) -> str:
    """The first way out for `domain`."""
    return str(routes.find(domain).via[0])


def test_nothing_matches() -> None:
    """Without a rule for it, mail goes to the MX hosts of its domain."""
    assert table().find("example.com") is DEFAULT
    assert via(table(("example.net", A)), "example.com") == "mx"


def test_the_three_patterns() -> None:
    """A domain matches itself, ``*.domain`` what is below it and not itself, ``*`` all."""
    routes = table(("example.com", A), ("*.example.com", B), ("*", C))
    assert via(routes, "example.com") == A
    assert via(routes, "www.example.com") == via(routes, "a.b.example.com") == B
    assert via(routes, "notexample.com") == via(routes, "com") == C
    assert via(routes, "[192.0.2.1]") == C


def test_the_first_match_wins() -> None:
    """The order of the file decides, not which pattern is the narrower one."""
    assert via(table(("*", A), ("example.com", B)), "example.com") == A
    assert via(table(("*.com", A), ("*.example.com", B)), "mx.example.com") == A
    assert via(table(("*.example.com", B), ("*.com", A)), "mx.example.com") == B
    assert via(table(("example.com", A), ("example.com", B)), "example.com") == A


@pytest.mark.parametrize("domain", ["Example.COM", "example.com.", "EXAMPLE.com"])
def test_case_and_dot(domain: str) -> None:
    """Case and a dot at the end make no difference, on either side."""
    assert via(table(("eXample.com.", A)), domain) == A


def test_international_names() -> None:
    """A rule in UTF-8 takes the domain in A-labels, and the other way round."""
    assert via(table(("*.bücher.example", A)), "mx.xn--bcher-kva.example") == A
    assert via(table(("xn--bcher-kva.example", A)), "BÜCHER.example") == A


def test_a_domain_that_is_none() -> None:
    """What cannot be a domain still finds the rule for all."""
    assert via(table(("*", A)), "a..b") == A


def test_order_of_preference() -> None:
    """A rule keeps its ways out in order."""
    route = rule("*", "relay:one", "relay:two", "mx")
    assert route.via == (Via("relay", "one"), Via("relay", "two"), Via("mx"))
    assert [*map(str, route.via)] == ["relay:one", "relay:two", "mx"]


@pytest.mark.parametrize("text", ["", "relay", "relay:", "MX", "mx:", "smtp:example.com"])
def test_no_way_out(text: str) -> None:
    """What is neither ``mx`` nor ``relay:NAME`` is refused."""
    with pytest.raises(ValueError, match="no way out"):
        HOP.read(text)


DOMAINS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)
PATTERNS = st.just("*") | DOMAINS | DOMAINS.map(lambda domain: f"*.{domain}")


@given(st.lists(PATTERNS, max_size=8), DOMAINS)
def test_as_if_read_from_the_top(patterns: list[str], domain: str) -> None:
    """The table finds what somebody finds who reads the rules from the top."""
    routes = [rule(pattern, f"relay:{at}") for at, pattern in enumerate(patterns)]

    def matches(pattern: str) -> bool:
        return pattern in ("*", domain) or (pattern.startswith("*.") and domain.endswith(pattern[1:]))

    expected = next((route for route in routes if matches(route.match.form)), DEFAULT)
    assert RouteTable(routes).find(domain) == expected


def test_domains_whose_mail_lives_here_come_first() -> None:
    """Before a rule for all, and for themselves alone; one in which only aliases live has no way of its own."""
    homes = [
        LocalDomain(name="example.com", via=(Via("maildir", "/srv/{user}"),)),
        LocalDomain(name="aliases.example", catch_all="a@b.example"),
    ]
    routes = RouteTable([rule("*", A)], homes)
    assert via(routes, "Example.COM.") == "maildir:/srv/{user}"
    assert via(routes, "sub.example.com") == via(routes, "aliases.example") == A
