"""The resolver, against a real name server on this machine: what it answers."""

from __future__ import annotations

import asyncio

import pytest

from mailer.config.kinds import HostPort
from mailer.net.dns import DnsTrouble, Resolver
from tests.fakes.nameserver import Nameserver
from tests.net.questions import Clock, absent, run, trouble


def test_mx(resolver: Resolver) -> None:
    """MX hosts come best first, in small letters, without the dot."""
    assert run(resolver.mx("example.com")) == [(10, "mx1.example.com"), (20, "mx2.example.com")]


def test_addresses(resolver: Resolver) -> None:
    """Both families come in turn, so that the first few addresses have some of each."""
    first, second, third = run(resolver.addresses("mx1.example.com"))
    assert {first, third} == {"192.0.2.1", "192.0.2.2"}
    assert second == "2001:db8::1"
    assert run(resolver.addresses("six.example.com")) == ["2001:db8::6"]


@pytest.mark.parametrize("name", ["Example.COM", "example.com.", "EXAMPLE.com."])
def test_one_name(resolver: Resolver, server: Nameserver, name: str) -> None:
    """Case and a dot at the end make no difference, also not to what is remembered."""
    assert run(resolver.mx("example.com")) == run(resolver.mx(name))
    assert server.count("example.com") == 1


def test_international_names(resolver: Resolver) -> None:
    """A domain in UTF-8 is looked up by its A-labels."""
    assert run(resolver.mx("BÜCHER.example")) == [(10, "mx1.example.com")]


def test_absences(resolver: Resolver) -> None:
    """A name that does not exist, one that has no such record, and one that takes no mail are told apart."""
    assert absent(resolver.mx("nowhere.example.com")) == "nxdomain"
    assert absent(resolver.addresses("nowhere.example.com")) == "nxdomain"
    assert absent(resolver.mx("mx1.example.com")) == "nodata"
    assert absent(resolver.addresses("text.example.com")) == "nodata"
    assert absent(resolver.mx("nomail.example.com")) == "null_mx"


def test_one_family_says_that_the_name_does_not_exist(resolver: Resolver, server: Nameserver) -> None:
    """A broken server that denies a name for one family and not for the other has said that the name exists."""
    server.misbehave("text.example.com", "nxdomain", type="AAAA")
    assert absent(resolver.addresses("text.example.com")) == "nodata"


def test_null_mx_beside_others(resolver: Resolver) -> None:
    """A null MX beside other records is a mistake and means nothing."""
    assert run(resolver.mx("odd.example.com")) == [(10, "mx1.example.com")]


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".com", "a b.com", "a\r\nb.com", "\\000.com"])
def test_no_name_at_all(resolver: Resolver, server: Nameserver, name: str) -> None:
    """What cannot be in the DNS is not there, and nobody is asked."""
    assert absent(resolver.mx(name)) == absent(resolver.addresses(name)) == "nxdomain"
    assert not server.asked


def test_aliases(resolver: Resolver) -> None:
    """CNAME records are followed, for MX and for addresses."""
    assert run(resolver.mx("old.example.com"))[0] == (10, "mx1.example.com")
    assert len(run(resolver.addresses("alias.example.com"))) == 3
    assert absent(resolver.addresses("gone.example.com")) == "nxdomain"


def test_aliases_one_by_one(resolver: Resolver, server: Nameserver) -> None:
    """A server that gives only the alias is asked again for what it leads to."""
    server.misbehave("*", "alias-only")
    assert len(run(resolver.addresses("alias.example.com"))) == 3


@pytest.mark.parametrize("mood", ["", "alias-only"])
def test_alias_loop(resolver: Resolver, server: Nameserver, mood: str) -> None:
    """Aliases that lead in a circle are trouble, and soon noticed."""
    server.misbehave("*", mood)
    assert "circle" in trouble(resolver.addresses("loop.example.com")).reason
    assert len(server.asked) <= 6


def test_alias_chain(clock: Clock) -> None:
    """A chain of aliases without an end in sight is trouble."""
    chain = "\n".join(f"c{at}.example. 60 IN CNAME c{at + 1}.example." for at in range(40))
    with Nameserver(f"{chain}\nc40.example. 60 IN A 192.0.2.1") as server:
        server.misbehave("*", "alias-only")
        assert "too long" in trouble(Resolver([server.address], clock=clock).addresses("c0.example")).reason


def test_cut_short(resolver: Resolver, server: Nameserver) -> None:
    """An answer that is too long for UDP comes by TCP."""
    server.misbehave("*", "truncate")
    assert len(run(resolver.mx("example.com"))) == 2
    assert server.asked == [("example.com", "MX", "udp"), ("example.com", "MX", "tcp")]


def test_too_long_for_udp(clock: Clock) -> None:
    """Of a domain with hundreds of MX hosts the best are kept, however they came; the long answer comes by TCP."""
    with Nameserver("\n".join(f"big.example. 60 IN MX {at} mx{at}.big.example." for at in range(300))) as server:
        assert run(Resolver([server.address], clock=clock).mx("big.example")) == [(at, f"mx{at}.big.example") for at in range(20)]
        assert server.asked == [("big.example", "MX", "udp"), ("big.example", "MX", "tcp")]


@pytest.mark.slow
def test_the_largest_answer_costs_little(clock: Clock) -> None:
    """1,500 hosts that are all equal, in some 50 kB: always the same twenty are kept, in less than a page."""
    names = [f"{'x' * 12}{at:04}.big.example" for at in range(1500)]
    with Nameserver("\n".join(f"big.example. 60 IN MX 10 {name}." for name in reversed(names))) as server:
        resolver = Resolver([server.address], clock=clock)
        found = run(resolver.mx("big.example"))
    assert found == [(10, name) for name in names[:20]]
    assert sum(len(host) for _, host in found) < 4096


@pytest.mark.slow
def test_of_a_host_with_very_many_addresses_the_first_are_kept(clock: Clock) -> None:
    """Twenty of each family."""
    records = [f"many.example. 60 IN A 192.0.2.{at}\nmany.example. 60 IN AAAA 2001:db8::{at}" for at in range(200)]
    with Nameserver("\n".join(records)) as server:
        found = run(Resolver([server.address], clock=clock).addresses("many.example"))
    assert len(found) == 40
    assert len([address for address in found if ":" in address]) == 20


def test_a_host_that_has_only_the_other_family() -> None:
    """A family that we do not use is no reason to give mail up: the host is trouble of ours, not absent."""

    async def run(address: HostPort) -> None:
        resolver = Resolver([address], family="only4")
        assert await resolver.addresses("v4.example.com") == ["192.0.2.1"]
        with pytest.raises(DnsTrouble, match="only4"):
            await resolver.addresses("v6.example.com")

    with Nameserver("v6.example.com. 60 IN AAAA 2001:db8::1\nv4.example.com. 60 IN A 192.0.2.1") as server:
        asyncio.run(run(server.address))
