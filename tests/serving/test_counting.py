"""What is counted of users is shared by processes, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailer.config import Config
from mailer.events import Alarm, Event, Mended
from mailer.io.component import Chores
from mailer.limits.store.memory import MemoryLimits
from mailer.limits.table import Happening, LimitRow
from mailer.limits.users import UserLimits
from mailer.mail.problem import Problem
from mailer.serving.counting import KEEP, SHARE, CountedLimits, limits_of

NOW = 1_800_000_000.0


class Frail(MemoryLimits):
    """A store that may be broken."""

    broken = False

    async def keep(self, rows: Sequence[LimitRow]) -> None:
        self._look()
        await super().keep(rows)

    async def heard(self, after: int, process: str) -> tuple[int, Sequence[Happening]]:
        self._look()
        return await super().heard(after, process)

    def _look(self) -> None:
        if self.broken:
            raise Problem("the disk is full", "io-error")


def counted(store: MemoryLimits, name: str, told: list[Event]) -> CountedLimits:
    """What one process counts."""
    limits = UserLimits.of(*limits_of(Config()), secret=name.encode())
    return CountedLimits(limits, store, name, told.append, lambda: NOW, Chores(told.append, told.append))  # type: ignore[arg-type]


def test_what_one_process_counts_the_other_knows() -> None:
    """After one turn of each, which come twice a second; both make salts of one secret."""

    async def run() -> None:
        store, told = MemoryLimits(), list[Event]()
        one, other = counted(store, "one", told), counted(store, "other", told)
        await one.start()
        await other.start()
        assert one.limits.secret == other.limits.secret == b"one"
        for _ in range(Config().accounts.failures_per_minute):
            one.limits.failed("192.0.2.7", NOW)
        assert not other.limits.failures.wait("192.0.2.7", NOW)
        await one.share()
        await other.share()
        assert other.limits.failures.wait("192.0.2.7", NOW)
        assert 2 * SHARE <= 2 < KEEP
        assert told == []

    asyncio.run(run())


def test_a_store_that_fails_is_one_alarm_until_all_goes_again() -> None:
    """What goes well of two things mends nothing while the other does not."""

    async def run() -> None:
        store, told = Frail(), list[Event]()
        one = counted(store, "one", told)
        await one.start()
        store.broken = True
        one.limits.failed("192.0.2.7", NOW)
        await one.share()
        await one.keep()
        assert [type(each) for each in told] == [Alarm, Alarm]
        assert "the disk is full" in told[0].detail  # type: ignore[attr-defined]
        store.broken = False
        await one.share()
        assert len(told) == 2
        await one.keep()
        assert isinstance(told[-1], Mended)
        await one.stop()
        assert len(told) == 3

    asyncio.run(run())


def test_an_end_writes_down_what_is_left() -> None:
    """So that a start after it knows."""

    async def run() -> None:
        store, told = MemoryLimits(), list[Event]()
        one = counted(store, "one", told)
        await one.start()
        one.limits.came("ann@example.com", "192.0.2.9", NOW)
        await one.stop()
        again = counted(store, "one", told)
        await again.start()
        assert again.limits.familiar.knows("ann@example.com", "192.0.2.9", NOW)

    asyncio.run(run())
