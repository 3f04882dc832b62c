"""The finder: configuration and DNS put together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mailer.config import load
from mailer.delivery.finder import Finder
from mailer.delivery.nexthop import Unroutable
from mailer.delivery.router import Router
from mailer.trust.requirement import Requirement
from tests.fakes.resolver import FakeResolver

if TYPE_CHECKING:
    from pathlib import Path

    from mailer.delivery.router import Way

RELAYS = """
[relay.one]
host = "192.0.2.10"
username = "me"
password_env = "SECRET"
[relay.two]
host = "two.example.net"
tls = "implicit"
ca_file = "/etc/two.pem"
server_name = "smtp.example.net"
[relay.near]
host = "10.0.0.1"
tls = "none"
"""
DNS = FakeResolver(
    {"example.com": [(20, "b"), (10, "a")], "nomail.example": [], "inside.example": [(10, "in")]},
    {"a": ["192.0.2.1", "2001:db8::1"], "b": ["192.0.2.2"], "in": ["10.1.1.1"], "two.example.net": ["192.0.2.20"]},
    {"broken.example": "SERVFAIL"},
)


class Finders:
    """Makes finders from the text of a configuration."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, text: str, resolver: FakeResolver = DNS) -> Finder:
        file = self.directory / "config.toml"
        file.write_text(f'mailer.hostname = "mail.example.org"\n{text}')
        return Finder(load(str(file), str(self.directory)), resolver, lambda _: None)


@pytest.fixture
def finders(tmp_path: Path) -> Finders:
    return Finders(tmp_path)


def way(finder: Finder, domain: str) -> Way:
    """The way for `domain`."""
    return asyncio.run(finder.find(domain))


def verdict(finder: Finder, domain: str) -> str:
    """The verdict where there is no way."""
    with pytest.raises(Unroutable) as caught:
        way(finder, domain)
    return caught.value.verdict


def test_mx(finders: Finders) -> None:
    """Without any rule mail goes to the MX hosts, at port 25, with TLS if they offer it."""
    found = way(finders(""), "example.com")
    assert not found.relay
    assert [(stop.endpoint.host, stop.endpoint.port, stop.addresses, stop.relay) for stop in found.stops] == [
        ("a", 25, ("192.0.2.1", "2001:db8::1"), False),
        ("b", 25, ("192.0.2.2",), False),
    ]
    endpoint = found.stops[0].endpoint
    assert endpoint.requirement == Requirement("opportunistic", verify=False)
    assert (endpoint.hello, endpoint.login) == ("mail.example.org", None)


def test_strict_mx(finders: Finders) -> None:
    """The configuration may ask MX hosts for a valid certificate, and name the authorities."""
    text = '[tls]\nmx = "starttls"\nca_file = "/etc/ca.pem"\nmin_version = "1.3"\n[delivery]\nmx_port = 2525\n'
    endpoint = way(finders(text), "example.com").stops[0].endpoint
    assert endpoint.requirement == Requirement("starttls", True, "/etc/ca.pem", min_version="1.3")
    assert endpoint.port == 2525


def test_relay(finders: Finders) -> None:
    """A relay gets a verified session and our login; its secret is in no representation."""
    text = '[relay.one]\nhost = "192.0.2.10"\nusername = "me"\npassword_env = "SECRET"\n'
    found = way(finders(text), "anything.example")
    assert found.relay
    assert found.key == "relay:one"
    (stop,) = found.stops
    assert stop.relay
    assert (stop.endpoint.host, stop.endpoint.port, stop.endpoint.requirement) == ("192.0.2.10", 587, Requirement())
    assert stop.endpoint.login
    assert stop.endpoint.login.username == "me"
    assert stop.endpoint == way(finders(text), "other.example").stops[0].endpoint


def test_the_terms_of_a_relay(finders: Finders) -> None:
    """How TLS begins, whom to trust and which name to expect are the relay's own."""
    rule = '[[route]]\nmatch = "{}"\nvia = ["relay:{}"]\n'
    finder = finders(RELAYS + rule.format("two.example", "two") + rule.format("near.example", "near") + rule.format("*", "one"))
    two = way(finder, "two.example").stops[0].endpoint
    assert (two.port, two.requirement) == (465, Requirement("implicit", True, "/etc/two.pem", "smtp.example.net"))
    near = way(finder, "near.example").stops[0]
    assert (near.endpoint.port, near.endpoint.requirement.mode, near.addresses) == (25, "none", ("10.0.0.1",))


def test_in_order_of_preference(finders: Finders) -> None:
    """All ways out of a rule are tried in order; one that leads nowhere is passed over."""
    finder = finders(RELAYS + '[[route]]\nmatch = "*"\nvia = ["relay:two", "mx", "relay:one"]\n')
    assert [stop.endpoint.host for stop in way(finder, "example.com").stops] == ["two.example.net", "a", "b", "192.0.2.10"]
    assert [stop.endpoint.host for stop in way(finder, "nomail.example").stops] == ["two.example.net", "192.0.2.10"]
    assert way(finder, "example.com").key != way(finder, "nomail.example").key


def test_what_waits_goes_before_what_is_final(finders: Finders) -> None:
    """Mail is given up only if none of the ways out could ever work."""
    resolver = FakeResolver({"nomail.example": []}, fail={"two.example.net": "SERVFAIL"})
    finder = finders(RELAYS + '[[route]]\nmatch = "*"\nvia = ["mx", "relay:two"]\n', resolver)
    assert verdict(finder, "nomail.example") == "defer"
    assert verdict(finders(""), "nomail.example") == "fail"
    assert verdict(finders(""), "broken.example") == "defer"


def test_private_addresses(finders: Finders) -> None:
    """MX hosts at private addresses are refused unless the configuration allows them."""
    assert verdict(finders(""), "inside.example") == "fail"
    assert way(finders("[delivery]\nallow_private = true\n"), "inside.example").stops[0].addresses == ("10.1.1.1",)


def test_the_rule_is_told(finders: Finders) -> None:
    """An itinerary says which rule of the file it follows."""
    finder = finders(RELAYS + '[[route]]\nmatch = "a.example"\nvia = ["mx"]\n[[route]]\nmatch = "*.b.example"\nvia = ["relay:one"]\n')
    numbers = [asyncio.run(finder.plan(domain)).number for domain in ("a.example", "x.b.example", "c.example")]
    assert numbers == [0, 1, 2]
    assert len(finder.config.routes) == 3


def test_remembered(finders: Finders) -> None:
    """The router asks the finder once, until the way is too old or the configuration has changed."""
    resolver = FakeResolver(addresses={"example.com": ["192.0.2.1"]})
    router = Router(finders("", resolver))
    assert router.known("example.com", 0.0) is None
    found = asyncio.run(router.find("example.com", 0.0))
    assert router.known("example.com", 29.0) is found
    assert router.known("example.com", 31.0) is None
    router.forget()
    assert router.known("example.com", 1.0) is None
