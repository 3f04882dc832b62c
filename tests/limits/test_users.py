"""The limits of users, written down and read again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailer.limits.store.memory import MemoryLimits
from mailer.limits.table import Happening, LimitRow
from mailer.limits.users import UserLimits
from mailer.mail.problem import Problem

NOW = 1_800_000_000.0
NUMBERS = (2, 5, 2, 2)  # failures a minute and a day, messages and new recipients a day


def test_another_process_knows_what_this_one_did() -> None:
    """Whatever was counted, and nothing more."""

    async def scenario() -> None:
        store, before, after = MemoryLimits(), UserLimits.of(*NUMBERS, secret=b"first"), UserLimits.of(*NUMBERS, secret=b"second")
        for _ in range(2):
            before.failures.failed("192.0.2.1", NOW)
            before.outgoing.sends("ann@example.com", NOW)
        before.familiar.note("ann@example.com", "192.0.2.9", NOW)
        before.outgoing.writes_to("ann@example.com", "a@example.org", NOW)
        await before.keep(store, NOW)
        await after.load(store)
        assert after.secret == b"first"
        assert after.failures.wait("192.0.2.1", NOW) == 60.0
        assert not after.outgoing.may_send("ann@example.com", NOW)
        assert after.familiar.knows("ann@example.com", "192.0.2.9", NOW)
        assert [after.outgoing.writes_to("ann@example.com", f"{who}@example.org", NOW) for who in "abc"] == [True, True, False]

    asyncio.run(scenario())


def test_what_could_not_be_written_is_written_another_time() -> None:
    """A full disk loses nothing, as long as the process lives."""

    class Full(MemoryLimits):
        full = True

        async def keep(self, rows: Sequence[LimitRow]) -> None:
            if self.full:
                raise Problem("the disk is full", "try-again")
            await super().keep(rows)

    async def scenario() -> None:
        store, limits = Full(), UserLimits.of(*NUMBERS)
        limits.outgoing.sends("ann@example.com", NOW)
        with pytest.raises(Problem, match="full"):
            await limits.keep(store, NOW)
        store.full = False
        await limits.keep(store, NOW)
        assert [(row.table, row.key) for row in await store.load()] == [("day", "ann@example.com")]

    asyncio.run(scenario())


def test_what_is_over_is_taken_out_where_it_was_written_down() -> None:
    """Recipients apart, who are known for good."""

    async def scenario() -> None:
        store, limits = MemoryLimits(), UserLimits.of(*NUMBERS)
        limits.failures.failed("192.0.2.1", NOW)
        limits.familiar.note("ann@example.com", "192.0.2.9", NOW)
        limits.outgoing.writes_to("ann@example.com", "a@example.org", NOW)
        await limits.keep(store, NOW)
        assert len(await store.load()) == 5
        await limits.keep(store, NOW + 31 * 86400)
        assert [row.table for row in await store.load()] == ["recipient"]

    asyncio.run(scenario())


def test_other_numbers_hold_at_once() -> None:
    """And what was counted stays counted."""
    limits = UserLimits.of(*NUMBERS)
    for _ in range(2):
        limits.failures.failed("192.0.2.1", NOW)
        limits.outgoing.sends("ann@example.com", NOW)
    limits.change(3, 5, 3, 2)
    assert limits.failures.wait("192.0.2.1", NOW) == 0.0
    assert limits.outgoing.may_send("ann@example.com", NOW)
    limits.outgoing.sends("ann@example.com", NOW)
    assert not limits.outgoing.may_send("ann@example.com", NOW)


def test_processes_count_as_one() -> None:
    """A guesser who goes from one to the other has no more guesses; who has come by one is no stranger at the other."""

    async def scenario() -> None:
        store, one, other = MemoryLimits(), UserLimits.of(*NUMBERS), UserLimits.of(*NUMBERS, sends=False)
        await one.load(store)
        await other.load(store)
        most = NUMBERS[0]
        for turn in range(most):
            (one if turn % 2 else other).failed("192.0.2.1", NOW)
        one.came("ann@example.com", "192.0.2.9", NOW)
        one.came("ann@example.com", "192.0.2.9", NOW)
        for _ in range(2):
            await one.share(store, "one")
            await other.share(store, "other")
        for each in (one, other):
            assert each.failures.wait("192.0.2.1", NOW) > 0
            assert each.familiar.knows("ann@example.com", "192.0.2.9", NOW)
        assert await store.last() == most + 1

    asyncio.run(scenario())


def test_what_could_not_be_said_is_said_later() -> None:
    """A store that is busy for once loses nothing."""

    class Busy(MemoryLimits):
        async def say(self, process: str, happenings: Sequence[Happening]) -> None:
            raise Problem("busy", "try-again")

    async def scenario() -> None:
        limits = UserLimits.of(*NUMBERS)
        limits.failed("192.0.2.1", NOW)
        with pytest.raises(Problem):
            await limits.share(Busy(), "one")
        store = MemoryLimits()
        await limits.share(store, "one")
        assert await store.heard(0, "other") == (1, [Happening("failed", "192.0.2.1", "", NOW)])

    asyncio.run(scenario())


def test_who_sends_nothing_forgets_nothing_of_it() -> None:
    """A process that only reads mail leaves the counts of those who send alone."""

    async def scenario() -> None:
        store, sender = MemoryLimits(), UserLimits.of(*NUMBERS)
        sender.outgoing.sends("ann@example.com", NOW)
        await sender.keep(store, NOW)
        reader = UserLimits.of(*NUMBERS, sends=False)
        await reader.load(store)
        await reader.keep(store, NOW + 2 * 86400)
        assert [row.table for row in await store.load()] == ["day"]

    asyncio.run(scenario())
