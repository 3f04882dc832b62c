"""The limits of users, written down and read again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailer.limits.store.memory import MemoryLimits
from mailer.limits.table import LimitRow
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
