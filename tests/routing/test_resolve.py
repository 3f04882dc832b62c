"""The finder: configuration and DNS put together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from mailer.config import load
from mailer.config.sections.relay import Relay
from mailer.net.dns import Resolver
from mailer.routing.resolve import Finder, Router
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection
from mailer.transport.courier import CONFIRMED, TRANSPORTS
from mailer.transport.errors import SessionError
from mailer.transport.route import Timeouts, Unroutable
from tests.fakes.nameserver import Nameserver
from tests.fakes.resolver import FakeResolver
from tests.peers.nsd import Nsd
from tests.peers.postfix import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mailer.routing.mx import Lookup
    from mailer.transport.route import NextHop, Route

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

    def __call__(self, text: str, resolver: Lookup = DNS, ours: tuple[str, ...] = ()) -> Finder:
        file = self.directory / "config.toml"
        file.write_text(f'mailer.hostname = "mail.example.org"\n{text}')
        return Finder(load(str(file), str(self.directory)), resolver, lambda _: None, ours.__contains__)


@pytest.fixture
def finders(tmp_path: Path) -> Finders:
    return Finders(tmp_path)


def route(finder: Finder, domain: str) -> Route:
    """The way for `domain`."""
    return asyncio.run(finder.find(domain))


def verdict(finder: Finder, domain: str) -> str:
    """The verdict where there is no way."""
    with pytest.raises(Unroutable) as caught:
        route(finder, domain)
    return caught.value.verdict


def test_mx(finders: Finders) -> None:
    """Without any rule mail goes to the MX hosts, at port 25, with TLS if they offer it."""
    found = route(finders(""), "example.com")
    assert (found.relay, found.transport) == (False, "smtp")
    assert [(hop.endpoint.host, hop.endpoint.port, hop.addresses, hop.relay) for hop in found.hops] == [
        ("a", 25, ("192.0.2.1", "2001:db8::1"), False),
        ("b", 25, ("192.0.2.2",), False),
    ]
    endpoint = found.hops[0].endpoint
    assert endpoint.requirement == Requirement("opportunistic", verify=False)
    assert (endpoint.hello, endpoint.login) == ("mail.example.org", None)


def test_a_mailbox_server(finders: Finders) -> None:
    """What carries the mail goes by the protocol of the relay, and each protocol has something that carries it."""
    text = '[relay.box]\nhost = "192.0.2.10"\nprotocol = "lmtp"\ntls = "none"\n'
    found = route(finders(text), "anything.example")
    assert (found.transport, found.hops[0].endpoint.protocol, found.hops[0].endpoint.port) == ("lmtp", "lmtp", 24)
    (protocols,) = [setting.kind.words for setting in Relay.settings if setting.key == "protocol"]
    assert {*protocols} == {*TRANSPORTS} == {*CONFIRMED}


def test_strict_mx(finders: Finders) -> None:
    """The configuration may ask MX hosts for a valid certificate, and name the authorities."""
    text = '[tls]\nmx = "starttls"\nca_file = "/etc/ca.pem"\nmin_version = "1.3"\n[delivery]\nmx_port = 2525\n'
    endpoint = route(finders(text), "example.com").hops[0].endpoint
    assert endpoint.requirement == Requirement("starttls", True, "/etc/ca.pem", min_version="1.3")
    assert endpoint.port == 2525


def test_relay(finders: Finders) -> None:
    """A relay gets a verified session and our login; its secret is in no representation."""
    text = '[relay.one]\nhost = "192.0.2.10"\nusername = "me"\npassword_env = "SECRET"\n'
    found = route(finders(text), "anything.example")
    assert found.relay
    assert (found.key, found.transport) == ("relay:one", "smtp")
    (hop,) = found.hops
    assert hop.relay
    assert (hop.endpoint.host, hop.endpoint.port, hop.endpoint.requirement) == ("192.0.2.10", 587, Requirement())
    assert hop.endpoint.login
    assert hop.endpoint.login.username == "me"
    assert hop.endpoint == route(finders(text), "other.example").hops[0].endpoint


def test_the_terms_of_a_relay(finders: Finders) -> None:
    """How TLS begins, whom to trust and which name to expect are the relay's own."""
    rule = '[[route]]\nmatch = "{}"\nvia = ["relay:{}"]\n'
    finder = finders(RELAYS + rule.format("two.example", "two") + rule.format("near.example", "near") + rule.format("*", "one"))
    two = route(finder, "two.example").hops[0].endpoint
    assert (two.port, two.requirement) == (465, Requirement("implicit", True, "/etc/two.pem", "smtp.example.net"))
    near = route(finder, "near.example").hops[0]
    assert (near.endpoint.port, near.endpoint.requirement.mode, near.addresses) == (25, "none", ("10.0.0.1",))


def test_in_order_of_preference(finders: Finders) -> None:
    """All ways out of a rule are tried in order; one that leads nowhere is passed over."""
    finder = finders(RELAYS + '[[route]]\nmatch = "*"\nvia = ["relay:two", "mx", "relay:one"]\n')
    assert [hop.endpoint.host for hop in route(finder, "example.com").hops] == ["two.example.net", "a", "b", "192.0.2.10"]
    assert [hop.endpoint.host for hop in route(finder, "nomail.example").hops] == ["two.example.net", "192.0.2.10"]
    assert route(finder, "example.com").key != route(finder, "nomail.example").key


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
    assert route(finders("[delivery]\nallow_private = true\n"), "inside.example").hops[0].addresses == ("10.1.1.1",)


def test_the_rule_is_told(finders: Finders) -> None:
    """A resolution says which rule of the file it follows."""
    finder = finders(RELAYS + '[[route]]\nmatch = "a.example"\nvia = ["mx"]\n[[route]]\nmatch = "*.b.example"\nvia = ["relay:one"]\n')
    numbers = [asyncio.run(finder.resolve(domain)).number for domain in ("a.example", "x.b.example", "c.example")]
    assert numbers == [0, 1, 2]
    assert len(finder.config.routes) == 3


def test_remembered(finders: Finders) -> None:
    """The router asks the finder once, until the way is too old or the configuration has changed."""
    resolver = FakeResolver(addresses={"example.com": ["192.0.2.1"]})
    router = Router(finders("", resolver).find)
    assert router.known("example.com", 0.0) is None
    found = asyncio.run(router.find("example.com", 0.0))
    assert router.known("example.com", 29.0) is found
    assert router.known("example.com", 31.0) is None
    router.forget()
    assert router.known("example.com", 1.0) is None


def test_this_machine_by_its_address(finders: Finders) -> None:
    """Mail whose best MX is at an address of this machine would come back; who allows private addresses allows that, too."""
    assert verdict(finders("", ours=("192.0.2.1",)), "example.com") == "fail"
    assert [hop.endpoint.host for hop in route(finders("", ours=("192.0.2.2",)), "example.com").hops] == ["a"]
    assert len(route(finders("[delivery]\nallow_private = true", ours=("192.0.2.1",)), "example.com").hops) == 2


# Where a stranger's DNS must not lead us, against a real name server

HIDDEN = [
    "0.0.0.0", "0.1.2.3", "10.9.8.7", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.168.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "febf::1", "fc00::1", "fdff::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::",
]  # fmt: skip
PUBLIC = "198.51.100.25"


def record(name: str, address: str) -> str:
    return f"{name}. 0 IN {'AAAA' if ':' in address else 'A'} {address}\n"


ZONE = f"""
{"".join(f"d{at}.example. 0 IN MX 10 h{at}.example." + chr(10) + record(f"h{at}.example", each) for at, each in enumerate(HIDDEN))}
{"".join(record("mixed.example", each) for each in (*HIDDEN, PUBLIC))}
alias.example. 0 IN MX 10 www.alias.example.
www.alias.example. 0 IN CNAME inside.alias.example.
inside.alias.example. 0 IN A 10.0.0.1
short.example. 0 IN MX 10 127.1.
dotted.example. 0 IN MX 10 127.0.0.1.
named.example. 0 IN MX 10 LOCALHOST.
below.example. 0 IN MX 10 mx.localhost.
localhost. 0 IN A {PUBLIC}
self.example. 0 IN A 127.0.0.1
second.example. 0 IN MX 10 h0.example.
second.example. 0 IN MX 20 good.example.
good.example. 0 IN A {PUBLIC}
"""


@pytest.fixture(scope="module")
def hostile() -> Iterator[Nsd]:
    """The name server of a stranger."""
    with scratch("nsd") as home, Nsd(home, {".": ZONE}) as running:
        yield running


@pytest.mark.peer("nsd")
@pytest.mark.xdist_group("hostile")
class TestHostile:
    """What the DNS of a stranger may lead us to."""

    @pytest.mark.parametrize(
        "domain",
        [
            *(f"d{at}.example" for at in range(len(HIDDEN))),
            "alias.example",
            "named.example",
            "below.example",
            "self.example",
            "[127.0.0.1]",
        ],
    )
    def test_never(self, finders: Finders, hostile: Nsd, domain: str) -> None:
        """Each address that is not the world's, as MX, through an alias, as the domain itself, by the name localhost."""
        with pytest.raises(Unroutable) as caught:
            route(finders("", Resolver([hostile.address])), domain)
        assert (caught.value.code, caught.value.enhanced) == (550, "5.4.4")

    @pytest.mark.parametrize("domain", ["short.example", "dotted.example"])
    def test_a_number_is_a_name(self, finders: Finders, hostile: Nsd, domain: str) -> None:
        """An MX record with an address where a name belongs leads nowhere: it is looked up, never read as an address."""
        assert verdict(finders("", Resolver([hostile.address])), domain) == "defer"

    @pytest.mark.parametrize("domain", ["mixed.example", "second.example"])
    def test_the_good_ones_are_used(self, finders: Finders, hostile: Nsd, domain: str) -> None:
        """Of mixed addresses and of mixed hosts only those are called that are in the world."""
        found = route(finders("", Resolver([hostile.address])), domain)
        assert [hop.addresses for hop in found.hops] == [(PUBLIC,)]

    def test_a_relay_may_be_anywhere(self, finders: Finders, hostile: Nsd) -> None:
        """The operator's own word is not screened, by name or by address."""
        text = '[relay.out]\nhost = "inside.alias.example"\n'
        assert route(finders(text, Resolver([hostile.address])), "example.com").hops[0].addresses == ("10.0.0.1",)


def test_rebinding(finders: Finders) -> None:
    """A name that leads elsewhere once it was screened leads nobody there: what is called are the addresses of that look-up."""
    with Nameserver(f"evil.example. 0 IN MX 10 mx.evil.example.\n{record('mx.evil.example', PUBLIC)}") as server:
        finder = finders("[tls]\nmx = 'none'", Resolver([server.address]))
        (hop,) = route(finder, "evil.example").hops
        server.serve(f"evil.example. 0 IN MX 10 mx.evil.example.\n{record('mx.evil.example', '127.0.0.1')}")
        asked = len(server.asked)
        assert hop.addresses == (PUBLIC,)
        with pytest.raises(SessionError) as caught:
            asyncio.run(_call(hop))
        assert PUBLIC in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)
        assert len(server.asked) == asked


async def _call(hop: NextHop) -> None:
    """Call as the daemon does; the address of nobody answers nothing, and a proxy in front of it no more."""
    (address,) = hop.addresses
    await Connection.open(hop.endpoint, address, Timeouts(connect=0.2, greeting=0.2))


def test_limits_that_go_with_the_way(finders: Finders) -> None:
    """A domain that a section names is a destination of its own; how many messages a session takes is part of where it leads."""
    finder = finders(
        '[[shape]]\nmatch = ["example.com"]\nmessages_per_connection = 3\n[[shape]]\nmatch = ["two.example.net"]\nmax_connections = 1\n'
    )
    route = asyncio.run(finder.find("example.com"))
    assert route.key == "mx:a,b for:example.com"
    assert {hop.endpoint.messages for hop in route.hops} == {3}
    other = asyncio.run(finder.find("two.example.net"))
    assert other.key == "mx:two.example.net"
    assert {hop.endpoint.messages for hop in other.hops} == {0}


# Domains whose mail lives here

HOMES = """
[relay.dovecot]
host = "127.0.0.1"
protocol = "lmtp"
tls = "none"
[[domain]]
name = "example.com"
via = "maildir:/srv/mail/{domain}/{user}"
[[domain]]
name = "kept.example"
via = "relay:dovecot"
[[domain]]
name = "ours.example"
via = "local"
"""


def test_mail_that_lives_here_goes_to_its_mailboxes(finders: Finders) -> None:
    """Without a question to the DNS, and never with a token in its sender: it has arrived."""
    finder = finders(HOMES, FakeResolver({}, {}, {}))
    found = route(finder, "EXAMPLE.com")
    assert (found.transport, found.place, found.key) == ("maildir", "/srv/mail/{domain}/{user}", "maildir:/srv/mail/{domain}/{user}")
    assert (found.verp, found.relay, found.hops) == (False, True, ())
    ours = route(finder, "ours.example")
    assert (ours.transport, ours.key, ours.place, ours.verp, ours.hops) == ("local", "local", "", False, ())
    kept = route(finder, "kept.example")
    assert (kept.transport, kept.key, kept.verp) == ("lmtp", "relay:dovecot", False)


def test_the_relay_of_our_mailboxes_takes_no_other_mail(finders: Finders) -> None:
    """It is the only one, and all else goes to its MX hosts; with another one, that takes all."""
    assert route(finders(HOMES.replace("example.com", "mine.example")), "example.com").key == "mx:a,b"
    assert route(finders(RELAYS.partition("[relay.two]")[0] + HOMES), "example.net").key == "relay:one"


def test_a_resolution_says_whose_domain_it_is(finders: Finders) -> None:
    """And which section of the file that is, of domains or of routes."""
    finder = finders(HOMES + '[[route]]\nmatch = "*"\nvia = "mx"\n')
    found = asyncio.run(finder.resolve("kept.example"))
    assert (found.home, found.number) == (True, 1)
    found = asyncio.run(finder.resolve("example.net"))
    assert (found.home, found.number) == (False, 0)
