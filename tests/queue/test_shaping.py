"""QueueLimits by destination, through the manager: what begins when, and how much at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailer.config.file import config_of
from mailer.shaping.replies import Reactions
from mailer.shaping.sources import Book, Sources
from mailer.shaping.table import TermsTable
from mailer.spool.files.spool import FileSpool
from mailer.spool.files.store import SpoolDirectory
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route

from .post import Post, play


def post(root: Path, text: str, before: Post | None = None) -> Post:
    """A post office with a configuration, where each domain is a destination found by MX."""
    office = before or Post(root)
    reactions = office.context.policy.reactions
    table = TermsTable(config_of("c.toml", text.encode()), reactions.table.measured if reactions else None)
    office.change(reactions=Reactions(table, None, reactions.slowed if reactions else None))
    office.scheduler.terms = table
    office.scheduler.limit(office.scheduler.limits)
    for domain in ("example.net", "example.org", "example.com"):
        office.finder.routes[domain] = f"mx:mx.{domain}"
    return office


async def quiet(office: Post, count: int) -> None:
    """Wait until so many were tried, and give more of them the chance to be."""
    await office.until(f"{count} tried", lambda: len(office.courier.tried) >= count)
    await asyncio.sleep(0.02)
    assert len(office.courier.tried) == count


def test_a_rate_is_kept_and_holds_up_nobody_else(tmp_path: Path) -> None:
    """One every six seconds to that destination; the others, and reports, go at once."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*.example.net"]\nmessage_rate = "10/min"\n')
        limited: list[str] = []
        office.scheduler.limited = lambda destination: limited.append(destination.key)
        async with office.running():
            for nth in range(3):
                office.put(f"{nth}@example.net")
            await quiet(office, 1)
            office.put("a@example.org")
            office.put("b@example.net", sender="")
            await quiet(office, 3)
            office.advance(5.9)
            await quiet(office, 3)
            office.advance(0.2)
            await quiet(office, 4)
            office.advance(6.0)
            await quiet(office, 5)
            await office.until("all are delivered", lambda: not office.places())
        assert limited
        assert set(limited) == {"mx:mx.example.net"}  # who counts how often is told

    play(scenario())


def test_a_message_for_many_counts_for_each(tmp_path: Path) -> None:
    """Three recipients use up the time of three."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*.example.net"]\nmessage_rate = "10/min"\n')
        async with office.running():
            office.put("a@example.net", "b@example.net", "c@example.net")
            await quiet(office, 1)
            office.put("d@example.net")
            office.advance(17.9)
            await quiet(office, 1)
            office.advance(0.2)
            await quiet(office, 2)

    play(scenario())


def test_a_rate_for_all_the_world(tmp_path: Path) -> None:
    """That of [delivery] holds for all destinations together."""

    async def scenario() -> None:
        office = post(tmp_path, '[delivery]\nmessage_rate = "10/min"\n')
        async with office.running():
            office.put("a@example.net")
            await quiet(office, 1)
            office.put("a@example.org")
            office.put("a@example.com")
            await quiet(office, 1)
            office.advance(6.1)
            await quiet(office, 2)
            office.advance(6.1)
            await quiet(office, 3)

    play(scenario())


def test_connections_at_a_time(tmp_path: Path) -> None:
    """As many sessions as a section says, from the first message on; several destinations may have them together."""

    async def scenario() -> None:
        office = post(
            tmp_path,
            '[[shape]]\nmatch = ["*.example.net"]\nmax_connections = 3\ninitial_connections = 3\n'
            '[[shape]]\nmatch = ["*.example.org", "*.example.com"]\nshare = true\nmax_connections = 2\n',
        )
        gate = asyncio.Event()
        office.courier.gates = {f"mx:mx.{domain}": gate for domain in ("example.net", "example.org", "example.com")}
        async with office.running():
            for nth in range(6):
                office.put(f"{nth}@example.net")
            await quiet(office, 3)
            for nth in range(3):
                office.put(f"{nth}@example.org")
                office.put(f"{nth}@example.com")
            await quiet(office, 5)
            gate.set()
            await office.passes(1.1, "all are delivered", lambda: not office.places())
            assert office.courier.most_busy == 5

    play(scenario())


def test_a_rate_of_connections_counts_what_is_opened(tmp_path: Path) -> None:
    """A session that goes on with a connection that waited takes nothing of the rate."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*"]\nconnection_rate = "10/min"\n')
        async with office.running():
            office.put("a@example.net")
            await quiet(office, 1)
            office.put("b@example.net")
            await quiet(office, 1)
            office.courier.dialled = 0
            office.advance(6.1)
            await quiet(office, 2)
            for nth in range(3, 6):
                office.put("c@example.net")
                await quiet(office, nth)

    play(scenario())


def test_a_reload_changes_what_holds(tmp_path: Path) -> None:
    """For what waits already, too; what was measured is not forgotten."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*"]\nmessage_rate = "1/h"\n')
        async with office.running():
            for nth in range(3):
                office.put(f"{nth}@example.net")
            await quiet(office, 1)
            post(tmp_path, '[[shape]]\nmatch = ["*"]\nmessage_rate = "2/h"\n', office)
            office.context.wake()
            await quiet(office, 1)
            post(tmp_path, "", office)
            office.context.wake()
            await quiet(office, 3)

    play(scenario())


def test_what_does_not_begin_takes_nothing_of_the_rate(tmp_path: Path) -> None:
    """A message that has no source today gives back what it took, and a report, and mail that was counted before, are not held up."""

    async def scenario() -> None:
        office = post(tmp_path, RATE_AND_SOURCE)
        reactions = office.context.policy.reactions
        assert reactions is not None
        reactions.sources = Sources(reactions.table, Book(FileSpool(SpoolDirectory(str(tmp_path)))))
        hop = NextHop(Endpoint("mx.example.net", 25, Requirement("none")), ("198.51.100.1",), relay=False)

        async def find(domain: str) -> Route:
            return Route(f"mx:mx.{domain}", (hop,), relay=False)

        office.finder.find = find  # type: ignore[method-assign]
        async with office.running():
            first = office.put("a@example.net")
            await office.settled(first, None)
            for _ in range(5):
                office.advance(6.1)
                await office.settled(office.put("b@example.net"), "deferred")
            throttle = reactions.table(await find("example.net")).throttle
            assert throttle.ready(office.clock.now(), 1) == office.clock.now()

    play(scenario())


RATE_AND_SOURCE = """
[[source]]
name = "new"
addresses = ["192.0.2.1"]
warm_up = [1]
[[shape]]
match = ["*"]
message_rate = "10/min"
"""


def test_one_backlog_does_not_keep_the_others_out(tmp_path: Path) -> None:
    """Of two that share their connections, the one with much mail lets the other one in between."""

    async def scenario() -> None:
        office = post(tmp_path, '[[shape]]\nmatch = ["*.example.net", "*.example.org"]\nshare = true\nmax_connections = 1\n')
        gate = office.courier.gates["mx:mx.example.net"] = asyncio.Event()
        async with office.running():
            many = [office.put(f"{nth}@example.net") for nth in range(20)]
            await quiet(office, 1)
            other = office.put("a@example.org")
            await asyncio.sleep(0.02)
            gate.set()
            await office.passes(1.1, "all are delivered", lambda: not office.places())
            order = [id for id, _ in office.courier.tried]
            assert order.index(other) < 5
            assert sorted(order) == sorted([*many, other])
            assert office.courier.most_busy == 1

    play(scenario())
