"""What is kept of endpoints: one contract, for files and for memory; and what a crash leaves in files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from mailer.hooks.api import DeadEvent, HookStore, HookWish
from mailer.hooks.endpoint import EndpointState
from mailer.hooks.files import FileHookStore
from mailer.hooks.memory import MemoryHookStore
from tests.hooks.endpoints import START, event

MOST = 20_000
IDS = [f"01JDZ3N4T0000000000000{number:04d}" for number in range(1000)]


def dead(number: int) -> DeadEvent:
    return DeadEvent(event(number)._replace(id=IDS[number]), START + number, f"it answered {400 + number % 99}")


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> HookStore:
    return FileHookStore(str(tmp_path), MOST) if request.param == "files" else MemoryHookStore(MOST)


def test_a_state_is_kept(store: HookStore) -> None:
    """Of each endpoint its own; one that was never noted is new."""

    async def test() -> None:
        state = EndpointState(3, START, START + 1, START + 60.5, 'it said "no"', "it answered 410", START, 9, 3, 1, 1, START, START)
        await store.note("a.b", state)
        assert await store.state("a.b") == state
        assert await store.state("a") == EndpointState()
        await store.note("a.b", EndpointState())
        assert await store.state("a.b") == EndpointState()

    asyncio.run(test())


def test_dead_events_are_kept_in_their_order(store: HookStore) -> None:
    """With what the endpoint said."""

    async def test() -> None:
        assert not await store.dead("a")
        await store.bury("a", [dead(0)])
        await store.bury("a", [dead(1), dead(2)])
        await store.bury("b", [dead(3)])
        assert [*await store.dead("a")] == [dead(0), dead(1), dead(2)]

    asyncio.run(test())


def test_there_is_a_bound_for_dead_events(store: HookStore) -> None:
    """The oldest go first, and some are always left."""

    async def test() -> None:
        for number in range(400):
            await store.bury("a", [dead(number)])
        kept = [each.event.id for each in await store.dead("a")]
        assert kept == IDS[400 - len(kept) : 400]
        assert MOST / 500 < len(kept) < 3 * MOST / 200

    asyncio.run(test())


def test_what_is_exhumed_stays_until_it_is_settled(store: HookStore) -> None:
    """A crash meanwhile costs none; what dies again meanwhile is not lost with it."""

    async def test() -> None:
        await store.bury("a", [dead(0), dead(1)])
        assert [*await store.exhume("a")] == [dead(0), dead(1)]
        await store.bury("a", [dead(2)])
        assert [*await store.exhume("a", new=False)] == [dead(0), dead(1)]
        assert [*await store.dead("a")] == [dead(0), dead(1), dead(2)]
        assert [*await store.exhume("a")] == [dead(0), dead(1), dead(2)]
        await store.bury("a", [dead(1)])
        await store.settled("a")
        assert [*await store.dead("a")] == [dead(1)]
        assert not await store.exhume("a", new=False)

    asyncio.run(test())


def test_a_wish_waits_until_it_is_granted(store: HookStore) -> None:
    """Of two about the same the later holds; granting the earlier one does not forget it."""

    async def test() -> None:
        await store.wish("a", HookWish("off", "by hand"))
        await store.wish("a", HookWish("since", IDS[3]))
        assert {*await store.wishes("a")} == {HookWish("off", "by hand"), HookWish("since", IDS[3])}
        assert not await store.wishes("b")
        await store.wish("a", HookWish("on"))
        await store.granted("a", HookWish("off", "by hand"))
        assert {*await store.wishes("a")} == {HookWish("on"), HookWish("since", IDS[3])}
        await store.granted("a", HookWish("on"))
        await store.granted("a", HookWish("since", IDS[3]))
        assert not await store.wishes("a")

    asyncio.run(test())


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """They have addresses in them."""

    async def test() -> None:
        store = FileHookStore(str(tmp_path))
        await store.note("a", EndpointState())
        await store.bury("a", [dead(0)])
        await store.wish("a", HookWish("on"))

    os.umask(0)
    try:
        asyncio.run(test())
    finally:
        os.umask(0o022)
    assert (tmp_path / "hooks").stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "hooks").iterdir()} == dict.fromkeys(
        ["a.state", "a.dead", "a.switch"], 0o600
    )


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b"[" * 70_000, b"\xff\xfe", b'{"failures": "many", "until": null, "posted": 7}'])
def test_a_file_in_disorder_is_a_new_endpoint(tmp_path: Path, octets: bytes) -> None:
    """What can be read of it counts; it stops nobody."""

    async def test() -> None:
        store = FileHookStore(str(tmp_path))
        for kind in ("state", "switch", "dead"):
            (tmp_path / "hooks" / f"a.{kind}").write_bytes(octets)
        assert await store.state("a") == EndpointState(posted=7 if b"posted" in octets else 0)
        assert not await store.wishes("a")
        assert not await store.dead("a")

    (tmp_path / "hooks").mkdir()
    asyncio.run(test())


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    """A crash has left half an event: it is posted anew, and what comes after it stands on a line of its own."""

    async def test() -> None:
        store = FileHookStore(str(tmp_path))
        await store.bury("a", [dead(0), dead(1)])
        path = tmp_path / "hooks" / "a.dead"
        path.write_bytes(path.read_bytes()[:-40])
        await store.bury("a", [dead(2)])
        assert [*await store.dead("a")] == [dead(0), dead(2)]

    asyncio.run(test())
