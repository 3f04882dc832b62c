"""IPv4 and IPv6."""

from __future__ import annotations

import asyncio

import pytest

from mailer.config.forms import HostPort
from mailer.net.dead import LONGEST, MEMORY, MOST, Dead
from mailer.net.dns import DnsTrouble, Resolver
from mailer.net.family import FAMILIES, arranged, source
from tests.fakes.nameserver import Nameserver

BOTH = ["192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2"]


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        ("any", BOTH),
        ("prefer4", ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]),
        ("prefer6", ["2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"]),
        ("only4", ["192.0.2.1", "192.0.2.2"]),
        ("only6", ["2001:db8::1", "2001:db8::2"]),
    ],
)
def test_arranged(family: str, wanted: list[str]) -> None:
    """A family may come first or be the only one; within it the order stays."""
    assert family in FAMILIES
    assert arranged(BOTH, family) == wanted


def test_source() -> None:
    """A host is called from our address of its family; where there is none, the system chooses."""
    assert source(("192.0.2.9", "2001:db8::9"), "2001:db8::1") == "2001:db8::9"
    assert source(("192.0.2.9", ""), "192.0.2.1") == "192.0.2.9"
    assert source(("192.0.2.9", ""), "2001:db8::1") == ""


def test_dead_addresses() -> None:
    """What could not be reached comes last for a minute, unless it answers before."""
    now = [0.0]
    dead = Dead(lambda: now[0])
    dead.add("a", 25)
    assert dead.last(["a", "b"], 25) == ["b", "a"]
    assert dead.last(["a", "b"], 587) == ["a", "b"]
    dead.add("b", 25)
    assert dead.last(["a", "b"], 25) == ["a", "b"]
    dead.discard("a", 25)
    assert dead.last(["b", "a"], 25) == ["a", "b"]
    now[0] = MEMORY
    assert dead.last(["b", "a"], 25) == ["b", "a"]


def test_dead_for_longer_and_longer() -> None:
    """Twice as long each time, up to a quarter of an hour; what fails meanwhile says nothing new, and a good while makes it good."""
    now = [0.0]
    dead = Dead(lambda: now[0])

    def fails() -> float:
        """How long the address is dead for."""
        dead.add("a", 25)
        begun = now[0]
        while dead.all(["a"], 25):
            now[0] += 1
            if now[0] - begun < MEMORY:
                dead.add("a", 25)
        return now[0] - begun

    assert [fails() for _ in range(6)] == [60, 120, 240, 480, 900, 900]
    now[0] += LONGEST
    assert fails() == MEMORY
    dead.discard("a", 25)
    assert not dead
    assert fails() == MEMORY


def test_a_host_is_dead_when_all_its_addresses_are() -> None:
    """One that is left makes it as good as any."""
    dead = Dead(lambda: 0.0)
    dead.add("a", 25)
    assert dead.all(["a"], 25)
    assert not dead.all(["a", "b"], 25)
    assert not dead.all(["a"], 587)


def test_only_so_many_are_remembered() -> None:
    """However many addresses die, memory is bounded, and the last ones are known."""
    dead = Dead(lambda: 0.0)
    for number in range(MOST + 1):
        dead.add(str(number), 25)
    assert dead.last(["0", "x"], 25) == ["0", "x"]
    assert dead.last([str(MOST), "x"], 25) == ["x", str(MOST)]


def test_a_host_that_has_only_the_other_family() -> None:
    """A family that we do not use is no reason to give mail up: the host is trouble of ours, not absent."""

    async def run(address: HostPort) -> None:
        resolver = Resolver([address], family="only4")
        assert await resolver.addresses("v4.example.com") == ["192.0.2.1"]
        with pytest.raises(DnsTrouble, match="only4"):
            await resolver.addresses("v6.example.com")

    with Nameserver("v6.example.com. 60 IN AAAA 2001:db8::1\nv4.example.com. 60 IN A 192.0.2.1") as server:
        asyncio.run(run(server.address))
