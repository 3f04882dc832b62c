"""What the resolver remembers, for how long, and how many questions it asks for many who ask."""

from __future__ import annotations

import asyncio
from socket import SOCK_DGRAM

import pytest

from mailer.config.kinds import HostPort
from mailer.net import turns
from mailer.net.dns import DnsTrouble, NotFound, Offline, Resolver
from tests.fakes.nameserver import Nameserver
from tests.fakes.sockets import closed_port
from tests.net.questions import Clock, absent, run, trouble


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


@pytest.mark.slow
def test_so_many_at_once(server: Nameserver, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names are looked up at a time, the sockets that it takes are bounded; the others wait their turn."""
    monkeypatch.setattr(turns, "PATIENCE", 600.0)  # nobody makes room for others while we look
    server.misbehave("*", "silent")
    resolver = Resolver([server.address], timeout=600, lifetime=600, clock=clock)

    async def scene() -> None:
        tasks = [asyncio.create_task(resolver.mx(f"d{at}.example")) for at in range(500)]
        while not server.asked:
            await asyncio.sleep(0.01)
        await asyncio.wait(tasks, timeout=0.5)
        assert 0 < len(server.asked) <= 200  # those whose turn comes while the others are called off are none of them
        for task in tasks:
            task.cancel()

    run(scene())
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
        for nobody in (HostPort("127.0.0.1", closed_port(SOCK_DGRAM)), HostPort("::1", closed_port(SOCK_DGRAM))):
            with pytest.raises(Offline):
                runner.run(Resolver([nobody], clock=clock).mx("example.com"))
