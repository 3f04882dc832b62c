"""The resolver, against a real name server on this machine."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, TypeVar

import pytest

from mailer.config.forms import HostPort
from mailer.net import turns
from mailer.net.dns import DnsTrouble, NotFound, Offline, Resolver
from tests.fakes.nameserver import Nameserver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from pathlib import Path

T = TypeVar("T")

RECORDS = """
example.com.        300 IN MX    20 mx2.example.com.
example.com.        300 IN MX    10 MX1.example.com.
mx1.example.com.    300 IN A     192.0.2.1
mx1.example.com.    300 IN A     192.0.2.2
mx1.example.com.    300 IN AAAA  2001:db8::1
mx2.example.com.    300 IN A     192.0.2.3
old.example.com.    300 IN CNAME example.com.
alias.example.com.  300 IN CNAME other.example.com.
other.example.com.  60  IN CNAME mx1.example.com.
loop.example.com.   300 IN CNAME loop2.example.com.
loop2.example.com.  300 IN CNAME loop.example.com.
gone.example.com.   300 IN CNAME nowhere.example.org.
six.example.com.    300 IN AAAA  2001:db8::6
text.example.com.   300 IN TXT   "no address"
nomail.example.com. 300 IN MX    0 .
odd.example.com.    300 IN MX    0 .
odd.example.com.    300 IN MX    10 mx1.example.com.
brief.example.com.  0   IN A     192.0.2.9
xn--bcher-kva.example. 300 IN MX 10 mx1.example.com.
"""


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(RECORDS) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resolver(server: Nameserver, clock: Clock) -> Resolver:
    return Resolver([server.address], clock=clock)


def run(awaitable: Awaitable[T]) -> T:
    """What `awaitable` comes to."""

    async def wait() -> T:
        return await awaitable

    return asyncio.run(wait())


def absent(awaitable: Awaitable[object]) -> str:
    """Why it is not there."""
    with pytest.raises(NotFound) as caught:
        run(awaitable)
    return caught.value.kind


def trouble(awaitable: Awaitable[object]) -> DnsTrouble:
    """What went wrong."""
    with pytest.raises(DnsTrouble) as caught:
        run(awaitable)
    return caught.value


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
        resolver = Resolver([server.address], timeout=0.2, lifetime=0.4)
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


def test_the_largest_answer_costs_little(clock: Clock) -> None:
    """1,500 hosts that are all equal, in some 50 kB: always the same twenty are kept, in less than a page."""
    names = [f"{'x' * 12}{at:04}.big.example" for at in range(1500)]
    with Nameserver("\n".join(f"big.example. 60 IN MX 10 {name}." for name in reversed(names))) as server:
        resolver = Resolver([server.address], clock=clock)
        found = run(resolver.mx("big.example"))
    assert found == [(10, name) for name in names[:20]]
    assert sum(len(host) for _, host in found) < 4096


def test_of_a_host_with_very_many_addresses_the_first_are_kept(clock: Clock) -> None:
    """Twenty of each family."""
    records = [f"many.example. 60 IN A 192.0.2.{at}\nmany.example. 60 IN AAAA 2001:db8::{at}" for at in range(200)]
    with Nameserver("\n".join(records)) as server:
        found = run(Resolver([server.address], clock=clock).addresses("many.example"))
    assert len(found) == 40
    assert len([address for address in found if ":" in address]) == 20


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
        nobody = HostPort("127.0.0.1", _free_port())
        resolver = Resolver([nobody, broken.address, server.address], clock=clock)
        assert len(run(resolver.mx("example.com"))) == 2


def test_offline(clock: Clock) -> None:
    """Where no server can be reached at all, we are offline, and know it at once."""
    resolver = Resolver([HostPort("127.0.0.1", _free_port()), HostPort("::1", _free_port())], timeout=300, lifetime=600, clock=clock)
    assert isinstance(trouble(resolver.mx("example.com")), Offline)
    assert isinstance(trouble(resolver.addresses("example.com")), Offline)


def test_one_silent_server_is_not_offline(server: Nameserver, clock: Clock) -> None:
    """A server that says nothing may be there: that is trouble, not being offline."""
    server.misbehave("*", "silent")
    resolver = Resolver([HostPort("127.0.0.1", _free_port()), server.address], timeout=0.1, lifetime=0.3, clock=clock)
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


@pytest.mark.parametrize("mood", ["", "alias-only"])
def test_remembered_for_the_ttl(resolver: Resolver, server: Nameserver, clock: Clock, mood: str) -> None:
    """An answer is remembered for its TTL, the shortest of all records that led to it."""
    server.misbehave("*", mood)
    for wait, questions in ((0, 1), (59, 1), (2, 2)):
        clock.now += wait
        run(resolver.addresses("alias.example.com"))
        assert server.count("alias.example.com", "A") == questions


def test_absence_is_remembered(resolver: Resolver, server: Nameserver, clock: Clock) -> None:
    """That something is missing is remembered for as long as the zone says."""
    for wait, questions in ((0, 2), (59, 2), (2, 4)):
        clock.now += wait
        assert absent(resolver.mx("nowhere.example.com")) == "nxdomain"
        assert server.count("nowhere.example.com") == questions


def test_trouble_is_remembered_a_moment(resolver: Resolver, server: Nameserver, clock: Clock) -> None:
    """A question that nobody could answer is not asked again for each message, but soon."""
    server.misbehave("*", "servfail")
    trouble(resolver.mx("example.com"))
    trouble(resolver.mx("example.com"))
    assert len(server.asked) == 1
    server.behave()
    clock.now += 10
    assert len(run(resolver.mx("example.com"))) == 2


def test_no_ttl(resolver: Resolver, server: Nameserver, clock: Clock) -> None:
    """A TTL of nothing still serves those who ask in the same second."""
    run(resolver.addresses("brief.example.com"))
    run(resolver.addresses("brief.example.com"))
    assert server.count("brief.example.com", "A") == 1
    clock.now += 2
    run(resolver.addresses("brief.example.com"))
    assert server.count("brief.example.com", "A") == 2


def test_memory_is_bounded(server: Nameserver, clock: Clock) -> None:
    """Of more names than there is room for, those learned longest ago are forgotten."""
    resolver = Resolver([server.address], cache_size=3, clock=clock)
    for name in ("example.com", "old.example.com", "odd.example.com", "nomail.example.com"):
        try:
            run(resolver.mx(name))
        except NotFound:
            continue
    server.asked.clear()
    run(resolver.mx("old.example.com"))
    assert not server.asked
    run(resolver.mx("example.com"))
    assert server.count("example.com") == 1


def test_what_is_given_away_is_a_copy(resolver: Resolver) -> None:
    """Whoever shuffles his list does not shuffle what is remembered."""
    hosts = run(resolver.mx("example.com"))
    hosts.reverse()
    assert run(resolver.mx("example.com"))[0][0] == 10


def test_one_question_for_all(resolver: Resolver, server: Nameserver) -> None:
    """Many who ask for the same name at the same time share one question, and its failure."""

    async def crowd(name: str) -> list[object]:
        return await asyncio.gather(*(resolver.mx(name) for _ in range(100)), return_exceptions=True)

    assert len({str(answer) for answer in run(crowd("example.com"))}) == 1
    assert len(server.asked) == 1
    server.misbehave("*", "servfail")
    assert all(isinstance(answer, DnsTrouble) for answer in run(crowd("old.example.com")))
    assert len(server.asked) == 2


def test_one_who_leaves(resolver: Resolver) -> None:
    """One who does not wait for the answer does not take it from the others."""

    async def scene() -> list[tuple[int, str]]:
        first = asyncio.create_task(resolver.mx("example.com"))
        second = asyncio.create_task(resolver.mx("example.com"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert len(run(scene())) == 2


def test_so_many_at_once(server: Nameserver, clock: Clock) -> None:
    """However many names are looked up at a time, the sockets that it takes are bounded; the others wait their turn."""
    server.misbehave("*", "silent")
    resolver = Resolver([server.address], timeout=5, lifetime=5, clock=clock)

    async def scene() -> None:
        tasks = [asyncio.create_task(resolver.mx(f"d{at}.example")) for at in range(500)]
        while not server.asked:
            await asyncio.sleep(0.01)
        await asyncio.wait(tasks, timeout=0.5)
        for task in tasks:
            task.cancel()

    run(scene())
    assert 0 < len(server.asked) <= 200
    server.behave()
    assert len(run(resolver.mx("example.com"))) == 2


def test_what_is_known_needs_no_task(resolver: Resolver) -> None:
    """A name that is known is answered on the spot, without a turn of the event loop."""
    run(resolver.mx("example.com"))
    asking = resolver.mx("example.com")
    with pytest.raises(StopIteration) as done:
        asking.send(None)
    assert len(done.value.value) == 2


def test_another_event_loop(server: Nameserver, clock: Clock) -> None:
    """It works on uvloop too, over IPv4, also where nobody listens."""
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert len(runner.run(Resolver([server.address], clock=clock).mx("example.com"))) == 2
        for nobody in (HostPort("127.0.0.1", _free_port()), HostPort("::1", _free_port())):
            with pytest.raises(Offline):
                runner.run(Resolver([nobody], clock=clock).mx("example.com"))


def _free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
