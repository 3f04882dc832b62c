"""The resolver against NSD, a name server that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mailer.net.dns import MOST_HOSTS, DnsTrouble, Resolver
from tests.net.questions import Clock, absent, run, trouble
from tests.peers.nsd import Nsd
from tests.peers.postfix import scratch

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("dns-real")]

MANY = 400
ZONE = f"""
example.com. IN MX 20 mx2.example.com.
example.com. IN MX 10 MX1.example.com.
mx1.example.com. IN A 192.0.2.1
mx1.example.com. IN AAAA 2001:db8::1
mx2.example.com. IN A 192.0.2.2
alias.example.com. IN CNAME example.com.
far.example.com. IN CNAME www.other.example.
lost.example.com. IN CNAME nowhere.example.com.
text.example.com. IN TXT "no address"
nomail.example.com. IN MX 0 .
loop.example.com. IN CNAME loop2.other.example.
brief.example.com. 2 IN A 192.0.2.9
{"".join(f"big.example.com. IN MX 10 mx{at}.big.example.com." + chr(10) for at in range(MANY))}
lame.example.com. IN NS ns.elsewhere.example.
"""
OTHER = """
www.other.example. IN MX 5 mx1.example.com.
loop2.other.example. IN CNAME loop.example.com.
"""
ZONES = {"example.com": ZONE, "other.example": OTHER, "broken.example": ""}


@pytest.fixture(scope="module")
def nsd() -> Iterator[Nsd]:
    with scratch("nsd") as home, Nsd(home, ZONES, negative=40) as running:
        yield running


@pytest.fixture(scope="module")
def ignorant() -> Iterator[Nsd]:
    """A server that says NXDOMAIN to everything."""
    with scratch("nsd") as home, Nsd(home, {".": "hidden. IN A 192.0.2.1\n"}) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(nsd: Nsd, clock: Clock) -> Resolver:
    return Resolver([nsd.address], clock=clock)


def test_records(resolver: Resolver) -> None:
    """MX hosts best first, in small letters; addresses of both families."""
    assert run(resolver.mx("Example.COM.")) == [(10, "mx1.example.com"), (20, "mx2.example.com")]
    assert run(resolver.addresses("mx1.example.com")) == ["192.0.2.1", "2001:db8::1"]


def test_aliases(resolver: Resolver) -> None:
    """Aliases are followed within a zone and into another one; a circle ends."""
    assert run(resolver.mx("alias.example.com"))[0] == (10, "mx1.example.com")
    assert run(resolver.mx("far.example.com")) == [(5, "mx1.example.com")]
    assert "circle" in trouble(resolver.mx("loop.example.com")).reason
    assert absent(resolver.mx("lost.example.com")) == "nxdomain"


def test_absence(resolver: Resolver) -> None:
    """No such name, no such records, and a null MX are told apart."""
    assert absent(resolver.mx("nowhere.example.com")) == "nxdomain"
    assert absent(resolver.mx("text.example.com")) == "nodata"
    assert absent(resolver.addresses("text.example.com")) == "nodata"
    assert absent(resolver.mx("nomail.example.com")) == "null_mx"


def test_trouble(resolver: Resolver) -> None:
    """A zone that cannot be loaded, one that is served elsewhere, and one that is not served say nothing about the name."""
    assert "SERVFAIL" in trouble(resolver.mx("broken.example")).reason
    assert "REFUSED" in trouble(resolver.mx("elsewhere.example")).reason
    assert "whom else to ask" in trouble(resolver.mx("lame.example.com")).reason
    assert "whom else to ask" in trouble(resolver.addresses("below.lame.example.com")).reason


def test_by_tcp(resolver: Resolver) -> None:
    """What is too long for a datagram comes by TCP; of so many hosts the best are kept."""
    assert MANY > MOST_HOSTS == len(run(resolver.mx("big.example.com")))


def test_negative_ttl(clock: Clock) -> None:
    """An absence is remembered for as long as the zone's SOA says, a record for its own TTL: nobody is asked meanwhile."""
    with scratch("nsd") as home, Nsd(home, ZONES, negative=40) as nsd:
        resolver = Resolver([nsd.address], clock=clock)
        absent(resolver.mx("nowhere.example.com"))
        run(resolver.addresses("brief.example.com"))
    clock.now += 1.9
    assert run(resolver.addresses("brief.example.com")) == ["192.0.2.9"]
    clock.now += 0.2
    assert "refused" in trouble(resolver.addresses("brief.example.com")).reason
    clock.now = 1039.0
    assert absent(resolver.mx("nowhere.example.com")) == "nxdomain"
    clock.now = 1041.0
    assert "refused" in trouble(resolver.mx("nowhere.example.com")).reason


def test_another_server(nsd: Nsd, ignorant: Nsd, clock: Clock) -> None:
    """One that says nothing, refuses or is wrong alone does not matter while another answers."""
    resolver = Resolver([ignorant.address, nsd.address], timeout=1, lifetime=30, clock=clock)
    assert run(resolver.mx("example.com"))[0] == (10, "mx1.example.com")  # NXDOMAIN is not believed of one alone
    ignorant.freeze()
    try:
        assert run(resolver.mx("alias.example.com"))[0] == (10, "mx1.example.com")
    finally:
        ignorant.thaw()
    assert absent(Resolver([ignorant.address], clock=clock).mx("example.com")) == "nxdomain"


@pytest.mark.parametrize("count", [1, 3])
def test_a_deadline_for_the_whole(nsd: Nsd, clock: Clock, count: int) -> None:
    """However many servers say nothing, and whatever the look-up takes, it ends in time."""
    resolver = Resolver([nsd.address] * count, timeout=600, lifetime=0.8, clock=clock)
    nsd.freeze()
    try:
        assert "did not answer in time" in trouble(resolver.addresses("mx1.example.com")).reason
    finally:
        nsd.thaw()


def test_waiting_for_a_turn_counts(nsd: Nsd, clock: Clock) -> None:
    """A thousand names at once, and a server that says nothing: each of them is told so within its time."""
    resolver = Resolver([nsd.address], timeout=1, lifetime=1, clock=clock)

    async def crowd() -> list[object]:
        return await asyncio.gather(*(resolver.mx(f"d{at}.example.com") for at in range(1000)), return_exceptions=True)

    nsd.freeze()
    try:
        answers = run(crowd())
    finally:
        nsd.thaw()
    assert all(isinstance(answer, DnsTrouble) for answer in answers)
    assert sum("turn did not come" in str(answer) for answer in answers) > 500
