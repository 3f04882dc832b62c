"""From a next hop to what can be dialled."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.config.kinds import Via
from mailer.config.sections.relay import Relay
from mailer.mail.ip_filter import allowed
from mailer.net.dns import Offline
from mailer.routing import mx
from mailer.routing.mx import find_hosts
from mailer.transport.route import Unroutable
from tests.fakes.resolver import FakeResolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.routing.mx import MailHosts

MX = Via("mx")
ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
RELAYS = {
    "out": Relay(name="x", host="smtp.example.net", port=587),
    "here": Relay(name="x", host="localhost", port=2525),
    "literal": Relay(name="x", host="10.0.0.1", port=25),
}


def find(
    resolver: FakeResolver,
    domain: str = "example.com",
    via: Via = MX,
    *,
    shuffle: Callable[[list[str]], None] = lambda _: None,
    screen: Callable[[str], bool] = allowed,
    own: str = "mail.example.org",
    ours: tuple[str, ...] = (),
) -> MailHosts:
    """The next hop for `domain`, with nothing left to chance; `ours` are addresses of this machine."""
    return asyncio.run(
        find_hosts(via, domain, relays=RELAYS, resolver=resolver, shuffle=shuffle, screen=screen, own=own, port=25, ours=ours.__contains__)
    )


def refusal(resolver: FakeResolver, domain: str = "example.com", via: Via = MX, **more: str | tuple[str, ...]) -> Unroutable:
    """Why there is no way to `domain`."""
    with pytest.raises(Unroutable) as caught:
        find(resolver, domain, via, **more)  # type: ignore[arg-type]
    assert caught.value.phase == "dns"
    assert caught.value.enhanced[0] == str(caught.value.code)[0] == {"fail": "5", "defer": "4"}[caught.value.verdict]
    return caught.value


def brief(trouble: Unroutable) -> tuple[str, int, str]:
    """What a verdict is made of."""
    return trouble.verdict, trouble.code, trouble.enhanced


def names(hop: MailHosts) -> list[str]:
    """The hosts in the order to try."""
    return [target.host for target in hop.hosts]


def test_by_preference() -> None:
    """MX hosts are tried by preference, each at its addresses in the order given."""
    resolver = FakeResolver({"example.com": [(20, "b"), (10, "a")]}, {"a": [TWO, ONE], "b": [THREE]})
    hop = find(resolver)
    assert [(target.host, target.port, target.addresses, target.preference) for target in hop.hosts] == [
        ("a", 25, [TWO, ONE], 10),
        ("b", 25, [THREE], 20),
    ]


def test_chance_among_equals() -> None:
    """Hosts of the same preference are tried in a random order, so that they share the load."""
    resolver = FakeResolver({"example.com": [(10, "a"), (10, "b"), (10, "c"), (5, "z")]}, dict.fromkeys("abcz", (ONE,)))
    assert names(find(resolver, shuffle=list.reverse)) == ["z", "c", "b", "a"]
    chance = random.Random(1)
    assert len({tuple(names(find(resolver, shuffle=chance.shuffle))) for _ in range(100)}) == 6


def test_no_mx() -> None:
    """A domain without MX records takes mail itself."""
    hop = find(FakeResolver(addresses={"example.com": [ONE]}))
    assert [(target.host, target.addresses) for target in hop.hosts] == [("example.com", [ONE])]


def test_mx_without_address_does_not_lead_to_the_domain() -> None:
    """Where there are MX records, the domain's own address is not used, RFC 5321 §5.1."""
    resolver = FakeResolver({"example.com": [(10, "a")]}, {"example.com": [ONE], "a": []})
    trouble = refusal(resolver)
    assert brief(trouble) == ("defer", 451, "4.4.4")
    assert "(a)" in trouble.text


def test_final_absences() -> None:
    """No domain, and a null MX, are final; each says why."""
    assert brief(refusal(FakeResolver())) == ("fail", 550, "5.1.2")
    assert brief(refusal(FakeResolver({"example.com": []}))) == ("fail", 556, "5.1.10")


def test_a_domain_with_nothing_waits() -> None:
    """A domain that exists and has no records for mail may be half made: nobody's mail is given up for that."""
    trouble = refusal(FakeResolver(addresses={"example.com": []}))
    assert brief(trouble) == ("defer", 451, "4.4.4")
    assert "neither MX nor address" in trouble.text


@pytest.mark.parametrize("name", ["example.com", "a"])
def test_trouble_waits(name: str) -> None:
    """Whatever name cannot be looked up, mail waits, and the reply says what happened."""
    trouble = refusal(FakeResolver({"example.com": [(10, "a")]}, fail={name: "SERVFAIL"}))
    assert brief(trouble) == ("defer", 451, "4.4.3")
    assert "SERVFAIL" in trouble.text
    assert not trouble.offline


@pytest.mark.parametrize("name", ["example.com", "a"])
def test_offline_is_no_attempt(name: str) -> None:
    """Without a network nothing was tried, and the exception says so."""
    trouble = refusal(FakeResolver({"example.com": [(10, "a")]}, fail={name: Offline(name, "no network")}))
    assert trouble.offline
    assert trouble.verdict == "defer"


def test_trouble_with_the_implicit_host() -> None:
    """A domain without MX whose address cannot be looked up is not given up."""

    class OnlyAddresses(FakeResolver):
        async def mx(self, domain: str) -> list[tuple[int, str]]:
            del self.fail[domain]
            try:
                return await super().mx(domain)
            finally:
                self.fail[domain] = "SERVFAIL"

    resolver = OnlyAddresses(addresses={"example.com": [ONE]}, fail={"example.com": "SERVFAIL"})
    assert brief(refusal(resolver)) == ("defer", 451, "4.4.3")


def test_hosts_without_address_are_passed_over() -> None:
    """One MX host that does not exist, or cannot be looked up, does not keep mail from the others; notes tell."""
    resolver = FakeResolver({"example.com": [(1, "gone"), (2, "broken"), (3, "a")]}, {"a": [ONE]}, {"broken": "SERVFAIL"})
    hop = find(resolver)
    assert names(hop) == ["a"]
    assert len(hop.notes) == 2
    assert "gone has no address" in hop.notes


def test_trouble_and_absence_wait() -> None:
    """Where one host does not exist and the other cannot be looked up, the trouble is what counts."""
    resolver = FakeResolver({"example.com": [(1, "gone"), (2, "broken")]}, fail={"broken": "SERVFAIL"})
    assert brief(refusal(resolver)) == ("defer", 451, "4.4.3")


def test_slow_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup whose look-up does not end holds up nobody for long."""
    monkeypatch.setattr(mx, "PATIENCE", 0.05)
    resolver = FakeResolver({"example.com": [(10, "a"), (20, "b")]}, {"a": [ONE]}, slow=["b"])
    hop = find(resolver)
    assert names(hop) == ["a"]
    assert hop.notes == ["b was not looked up in time"]


def test_bounded() -> None:
    """However many hosts and addresses there are, only some are looked up and kept, of several hosts."""
    many = [f"192.0.2.{at}" for at in range(1, 200)]
    records = {"example.com": [(at, f"h{at}") for at in range(100)]}
    resolver = FakeResolver(records, {f"h{at}": many for at in range(100)})
    hop = find(resolver)
    assert len(resolver.asked) == 11
    assert [len(target.addresses) for target in hop.hosts] == [2] * 10
    assert len(find(FakeResolver(addresses={"example.com": many})).hosts[0].addresses) == 5
    assert (
        sum(len(target.addresses) for target in find(FakeResolver({"example.com": [(1, "a"), (2, "b")]}, dict.fromkeys("ab", many))).hosts)
        == 6
    )


def test_one_operator_one_destination() -> None:
    """Domains with the same MX hosts are one destination, whatever the preferences; others are another."""
    resolver = FakeResolver(
        {"one.example": [(1, "a"), (2, "b")], "two.example": [(5, "b"), (5, "a")], "three.example": [(1, "a")]},
        {"a": [ONE], "b": [TWO], "four.example": [ONE]},
    )
    keys = [find(resolver, f"{name}.example").key for name in ("one", "two", "three", "four")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_host_that_is_away_changes_no_key() -> None:
    """A destination stays the same while one of its hosts cannot be looked up."""
    records = {"example.com": [(1, "a"), (2, "b")]}
    whole = find(FakeResolver(records, {"a": [ONE], "b": [TWO]}))
    part = find(FakeResolver(records, {"a": [ONE]}, {"b": "SERVFAIL"}))
    assert whole.key == part.key


BAD = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", BAD)
def test_where_mail_must_not_go(address: str) -> None:
    """An MX host at a loopback or private address, wrapped or not, is not called, and the mail is given up."""
    trouble = refusal(FakeResolver({"example.com": [(10, "a")]}, {"a": [address]}))
    assert brief(trouble) == ("fail", 550, "5.4.4")
    assert address in trouble.text
    assert brief(refusal(FakeResolver(addresses={"example.com": [address]}))) == ("fail", 550, "5.4.4")


@given(st.permutations([*BAD[:4], ONE, "2001:db8::1"]))
def test_mixed_addresses(mixed: list[str]) -> None:
    """Of mixed addresses the good ones are used and the bad ones noted."""
    hop = find(FakeResolver({"example.com": [(10, "a"), (20, "b")]}, {"a": mixed, "b": ["127.0.0.1"]}))
    assert sorted(hop.hosts[0].addresses) == [ONE, "2001:db8::1"]
    assert names(hop) == ["a"]
    assert len(hop.notes) == 5


@pytest.mark.parametrize("host", ["localhost", "mx.localhost"])
def test_localhost(host: str) -> None:
    """An MX host called localhost is this host, whatever the DNS says of it."""
    resolver = FakeResolver({"example.com": [(10, host)]}, {host: [ONE]})
    assert brief(refusal(resolver)) == ("fail", 550, "5.4.4")
    assert ("A", host) not in resolver.asked


def test_private_by_permission() -> None:
    """Who screens nothing reaches loopback, by name, by MX and by literal."""
    for domain, resolver in (
        ("example.com", FakeResolver({"example.com": [(10, "a")]}, {"a": ["127.0.0.1"]})),
        ("example.com", FakeResolver({"example.com": [(10, "localhost")]})),
        ("[127.0.0.1]", FakeResolver()),
    ):
        assert find(resolver, domain, screen=lambda _: True).hosts[0].addresses[0] == "127.0.0.1"


def test_literals() -> None:
    """An address literal is its own host and needs no DNS."""
    for domain, address in (("[192.0.2.1]", ONE), ("[IPv6:2001:db8::1]", "2001:db8::1"), ("[ipv6:2001:DB8::1]", "2001:db8::1")):
        resolver = FakeResolver()
        hop = find(resolver, domain)
        assert [(target.host, target.addresses) for target in hop.hosts] == [(address, [address])]
        assert not resolver.asked


@pytest.mark.parametrize("domain", ["[127.0.0.1]", "[IPv6:::1]", "[10.1.2.3]", "[IPv6:::ffff:127.0.0.1]", "[0.0.0.0]"])
def test_literals_are_screened(domain: str) -> None:
    """An address literal is a stranger's word like any MX record."""
    assert brief(refusal(FakeResolver(), domain)) == ("fail", 550, "5.4.4")


@pytest.mark.parametrize("domain", ["[", "[]", "[127.1]", "[IPv6:]", "[example.com]"])
def test_no_literal(domain: str) -> None:
    """What only looks like a literal leads nowhere."""
    assert brief(refusal(FakeResolver(), domain)) == ("fail", 550, "5.1.2")


@pytest.mark.parametrize("own", ["a", "A", "a."])
def test_loop(own: str) -> None:
    """Mail whose best MX is this host would come back: it is given up, and the reply says what to do."""
    resolver = FakeResolver({"example.com": [(10, "a"), (10, "b"), (20, "c")]}, dict.fromkeys("abc", (ONE,)))
    trouble = refusal(resolver, own=own)
    assert brief(trouble) == ("fail", 554, "5.4.6")
    assert "route" in trouble.text
    assert brief(refusal(FakeResolver(addresses={"example.com": [ONE]}), own="example.com")) == ("fail", 554, "5.4.6")


def test_loop_by_address() -> None:
    """The same where the best MX has another name and our address, as MX, as the domain itself, or as a literal."""
    mx = FakeResolver({"example.com": [(10, "a"), (20, "b")]}, {"a": [TWO, ONE], "b": [THREE]})
    alone = FakeResolver(addresses={"example.com": [ONE]})
    for resolver, domain in ((mx, "example.com"), (alone, "example.com"), (FakeResolver(), f"[{ONE}]")):
        trouble = refusal(resolver, domain, ours=(ONE,))
        assert brief(trouble) == ("fail", 554, "5.4.6")
        assert "route" in trouble.text
        assert find(resolver, domain).hosts


def test_backup_by_address() -> None:
    """As a backup under another name we pass mail to what the domain prefers; if that cannot be looked up, mail waits."""
    records = {"example.com": [(10, "a"), (20, "b"), (20, "c"), (30, "d")]}
    known = {"a": [TWO], "b": [ONE], "c": [THREE], "d": [THREE]}
    hop = find(FakeResolver(records, known), ours=(ONE,))
    assert names(hop) == ["a"]
    assert "b is this host" in " ".join(hop.notes)
    waits = refusal(FakeResolver(records, known, fail={"a": "SERVFAIL"}), ours=(ONE,))
    assert brief(waits) == ("defer", 451, "4.4.3")


def test_a_relay_may_be_this_host() -> None:
    """What the operator has written down is called, wherever it is."""
    assert find(FakeResolver(), via=Via("relay", "literal"), ours=("10.0.0.1",)).hosts[0].addresses == ["10.0.0.1"]


def test_backup() -> None:
    """As a backup MX we pass mail only to hosts that the domain prefers to us."""
    resolver = FakeResolver({"example.com": [(10, "a"), (20, "us"), (20, "b"), (30, "c")]}, dict.fromkeys("abc", (ONE,)))
    assert names(find(resolver, own="us")) == ["a"]


def test_relay() -> None:
    """A relay is one host, looked up like any other, and its own destination whatever the domain."""
    resolver = FakeResolver(addresses={"smtp.example.net": [TWO, ONE]})
    hop = find(resolver, via=Via("relay", "out"))
    assert [(target.host, target.port, target.addresses) for target in hop.hosts] == [("smtp.example.net", 587, [TWO, ONE])]
    assert hop.key == find(resolver, "other.example", via=Via("relay", "out")).key == "relay:out"
    assert ("MX", "example.com") not in resolver.asked


def test_relay_is_the_operators_word() -> None:
    """A relay may be at any address, and a literal or localhost needs no DNS."""
    resolver = FakeResolver(addresses={"smtp.example.net": ["192.168.1.1"]})
    assert find(resolver, via=Via("relay", "out")).hosts[0].addresses == ["192.168.1.1"]
    assert find(FakeResolver(), via=Via("relay", "literal")).hosts[0].addresses == ["10.0.0.1"]
    assert find(FakeResolver(), via=Via("relay", "here")).hosts[0].addresses == ["127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("host", "known", "asked"),
    [
        ("smtp", "smtp.ns.svc.cluster.local", ["smtp.ns.svc.cluster.local"]),
        ("smtp", "smtp.cluster.local", ["smtp.ns.svc.cluster.local", "smtp.cluster.local"]),
        ("smtp", "smtp", ["smtp.ns.svc.cluster.local", "smtp.cluster.local", "smtp"]),
        ("smtp.mail", "smtp.mail.cluster.local", ["smtp.mail", "smtp.mail.ns.svc.cluster.local", "smtp.mail.cluster.local"]),
        ("smtp.example.org", "smtp.example.org", ["smtp.example.org"]),
    ],
)
def test_a_relay_below_a_search_domain(host: str, known: str, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As resolv.conf(5) has it, in order; but a name that is whole is looked up as it stands before it is below anything."""
    monkeypatch.setitem(RELAYS, "pod", Relay(name="x", host=host, port=25))
    resolver = FakeResolver(addresses={known: [ONE]})
    resolver.search = ("ns.svc.cluster.local", "cluster.local")
    hop = find(resolver, via=Via("relay", "pod"))
    assert [(target.host, target.addresses) for target in hop.hosts] == [(host, [ONE])]
    assert [name for _, name in resolver.asked] == asked


def test_a_relay_that_is_nowhere_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which names were tried; and of one without a domain, that it may lack it."""
    monkeypatch.setitem(RELAYS, "pod", Relay(name="x", host="smtp", port=25))
    resolver = FakeResolver()
    assert refusal(resolver, via=Via("relay", "pod")).text.endswith("for smtp; write the whole name of the host, with its domain")
    resolver.search = ("a.example", "example")
    assert "smtp, nor one below a.example or example (resolv.conf); write" in refusal(resolver, via=Via("relay", "pod")).text
    resolver.fail = {"smtp.a.example": "SERVFAIL"}
    assert refusal(resolver, via=Via("relay", "pod")).code == 451
    assert ("A", "smtp.example") not in resolver.asked[-1:]


def test_relay_trouble_is_never_final() -> None:
    """Whatever is wrong with the name of a relay, no mail is given up for it."""
    out = Via("relay", "out")
    for resolver in (FakeResolver(), FakeResolver(addresses={"smtp.example.net": []}), FakeResolver(fail={"smtp.example.net": "SERVFAIL"})):
        trouble = refusal(resolver, via=out)
        assert trouble.verdict == "defer"
        assert "relay out" in trouble.text
    assert refusal(FakeResolver(fail={"smtp.example.net": Offline("smtp.example.net", "no network")}), via=out).offline
