"""Which name servers the resolver asks, and what it makes of those that fail."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from socket import SOCK_DGRAM

import pytest

from mailer.config.kinds import HostPort
from mailer.net import turns
from mailer.net.dns import DnsTrouble, NotFound, Offline, Resolver
from tests.fakes.nameserver import Nameserver
from tests.fakes.sockets import closed_port
from tests.net.questions import RECORDS, Clock, absent, run, trouble


@pytest.mark.parametrize(
    ("mood", "reason"),
    [
        ("servfail", "SERVFAIL"),
        ("refused", "REFUSED"),
        ("formerr", "FORMERR"),
        ("notimp", "NOTIMP"),
        ("silent", "did not answer in time"),
        ("garbage", "did not answer in time"),  # a datagram that is no answer could be anybody's; it is not read
        ("referral", "whom else to ask"),
    ],
)
def test_trouble(resolver: Resolver, server: Nameserver, mood: str, reason: str) -> None:
    """Whatever goes wrong with a name server says nothing about the name; the reason names the server."""
    server.misbehave("*", mood)
    if "in time" in reason:
        resolver = Resolver([server.address], timeout=0.05, lifetime=0.1)
    for awaitable in (resolver.mx("example.com"), resolver.addresses("mx1.example.com")):
        caught = trouble(awaitable)
        assert reason in caught.reason
        assert not isinstance(caught, Offline)
        assert mood == "referral" or f"127.0.0.1 port {server.port}" in caught.reason


def test_trouble_with_one_family(resolver: Resolver, server: Nameserver, clock: Clock) -> None:
    """Where one family fails and the other answers, the answer is taken, and the rest asked for soon."""
    server.misbehave("mx1.example.com", "servfail", type="AAAA", times=1)
    assert len(run(resolver.addresses("mx1.example.com"))) == 2
    clock.now += 10
    assert "2001:db8::1" in run(resolver.addresses("mx1.example.com"))


def test_trouble_and_absence(resolver: Resolver, server: Nameserver) -> None:
    """Where one family fails and the other has nothing, nothing is known."""
    server.misbehave("six.example.com", "servfail", type="AAAA")
    assert "SERVFAIL" in trouble(resolver.addresses("six.example.com")).reason


def test_a_thousand_silent_domains_hold_up_no_good_one(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes behind them has its answer while they wait for theirs; those that had to make room are trouble, and mail waits."""
    monkeypatch.setattr(turns, "PATIENCE", 0.1)

    async def scenario() -> None:
        with Nameserver(RECORDS) as server:
            resolver = Resolver([server.address], timeout=30.0, lifetime=60.0, clock=clock, at_once=8)
            names = [f"silent{at}.example" for at in range(100)]
            for name in names:
                server.misbehave(name, "silent")
            silent = [asyncio.create_task(resolver.mx(name)) for name in names]
            await asyncio.sleep(0)
            assert len(await resolver.mx("example.com")) == 2
            while not (over := [task for task in silent if task.done()]):
                await asyncio.sleep(0.01)
            assert len(over) < 100
            assert all(isinstance(task.exception(), DnsTrouble) and "answered at once" in str(task.exception()) for task in over)
            for task in silent:
                task.cancel()
            await asyncio.gather(*silent, return_exceptions=True)

    asyncio.run(scenario())


def test_nxdomain_is_believed_when_two_agree(resolver: Resolver, server: Nameserver) -> None:
    """One look-up that says NXDOMAIN is not believed; mail is never given up on a single mistake."""
    server.misbehave("example.com", "nxdomain", times=1)
    assert len(run(resolver.mx("example.com"))) == 2
    server.misbehave("mx2.example.com", "nxdomain", times=2)  # for A and for AAAA
    assert run(resolver.addresses("mx2.example.com")) == ["192.0.2.3"]


def test_nxdomain_and_then_trouble(resolver: Resolver, server: Nameserver) -> None:
    """If the second look-up fails, nothing is known."""
    server.misbehave("nowhere.example.com", "servfail")
    server.misbehave("nowhere.example.com", "nxdomain", type="MX", times=1)
    assert "SERVFAIL" in trouble(resolver.mx("nowhere.example.com")).reason


def test_the_second_look_up_asks_another(server: Nameserver, clock: Clock) -> None:
    """A name server that knows nothing does not speak for all: the second look-up begins with the next one."""
    with Nameserver() as ignorant:
        resolver = Resolver([ignorant.address, server.address], clock=clock)
        assert len(run(resolver.mx("example.com"))) == 2
        assert run(resolver.addresses("mx2.example.com")) == ["192.0.2.3"]


def test_no_address_is_believed_when_two_agree(resolver: Resolver, server: Nameserver) -> None:
    """That a host has no address is asked twice too; that a domain has no MX leads on to its address anyway."""
    server.misbehave("mx2.example.com", "nodata", times=2)
    assert run(resolver.addresses("mx2.example.com")) == ["192.0.2.3"]
    assert absent(resolver.mx("mx1.example.com")) == "nodata"
    assert server.count("mx1.example.com", "MX") == 1


def test_the_next_server(server: Nameserver, clock: Clock) -> None:
    """A server that fails, or that nobody listens at, does not matter while another answers."""
    with Nameserver() as broken:
        broken.misbehave("*", "servfail")
        nobody = HostPort("127.0.0.1", closed_port(SOCK_DGRAM))
        resolver = Resolver([nobody, broken.address, server.address], clock=clock)
        assert len(run(resolver.mx("example.com"))) == 2


def test_offline(clock: Clock) -> None:
    """Where no server can be reached at all, we are offline, and know it at once."""
    resolver = Resolver(
        [HostPort("127.0.0.1", closed_port(SOCK_DGRAM)), HostPort("::1", closed_port(SOCK_DGRAM))], timeout=300, lifetime=600, clock=clock
    )
    assert isinstance(trouble(resolver.mx("example.com")), Offline)
    assert isinstance(trouble(resolver.addresses("example.com")), Offline)


def test_one_silent_server_is_not_offline(server: Nameserver, clock: Clock) -> None:
    """A server that says nothing may be there: that is trouble, not being offline."""
    server.misbehave("*", "silent")
    resolver = Resolver([HostPort("127.0.0.1", closed_port(SOCK_DGRAM)), server.address], timeout=0.1, lifetime=0.3, clock=clock)
    assert not isinstance(trouble(resolver.mx("example.com")), Offline)


def test_the_systems_servers(tmp_path: Path, clock: Clock) -> None:
    """Without servers of our own the system's file is read, and again when it has changed; none there is offline."""
    file = tmp_path / "resolv.conf"
    resolver = Resolver(system=str(file), timeout=0.1, lifetime=0.2, clock=clock)
    assert isinstance(trouble(resolver.mx("example.com")), Offline)
    file.write_text("search example.com\noptions ndots:5\n")
    clock.now += 10
    assert "names no name server" in trouble(resolver.mx("example.com")).reason
    file.write_text("nameserver 127.0.0.99\nnonsense\n")
    clock.now += 10
    with pytest.raises((DnsTrouble, NotFound)) as caught:
        run(resolver.mx("nowhere.invalid"))
    assert "names no name server" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("search NS.svc.cluster.local cluster.local.\nnameserver 127.0.0.99\n", ["ns.svc.cluster.local", "cluster.local"]),
        ("nameserver 127.0.0.99\ndomain example.com\n", ["example.com"]),
        ("search .\nnameserver 127.0.0.99\n", []), ("search a..b\nnameserver 127.0.0.99\n", []), ("search example.com\n", []),
    ],
)  # fmt: skip
def test_the_systems_search_domains(text: str, search: list[str], tmp_path: Path) -> None:
    """Read where the name servers are; with servers of our own there are none."""
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert [*Resolver(system=str(file)).search] == search
    assert [*Resolver([HostPort("127.0.0.99")], system=str(file)).search] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="port 53 needs root")
def test_a_stub_on_this_machine(tmp_path: Path, clock: Clock) -> None:
    """The system's server on this machine is always reached; if it fails and there is no network, we are offline."""
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.77\n")
    with Nameserver(RECORDS, host="127.0.0.77", port=53) as server:
        offline = Resolver(system=str(file), clock=clock, online=lambda: False)
        assert len(run(offline.mx("example.com"))) == 2
        server.misbehave("*", "servfail")
        assert isinstance(trouble(offline.mx("mx1.example.com")), Offline)
        assert not isinstance(trouble(Resolver(system=str(file), online=lambda: True).mx("example.com")), Offline)
