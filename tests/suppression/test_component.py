"""The list as a part of the daemon: what is let go of, and when."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from mailer.config import Config
from mailer.events import Event, Unsubscribed
from mailer.io.component import Chores
from mailer.suppression.api import Reason, SuppressionChange, SuppressionEntry
from mailer.suppression.component import SuppressionComponent
from mailer.suppression.memory import MemorySuppression
from mailer.suppression.sqlite import NAME, SqliteSuppression
from tests.fakes.mail import NOW, FakeClock

YEARS = 10 * 365 * 86400.0


async def hears(_: Sequence[SuppressionChange]) -> None:
    """Whoever waits for news has none to act upon."""


def test_a_clock_that_was_set_lets_nobody_go() -> None:
    """A machine that wakes up in another decade has not waited for so long: what has an end stays until the clock is believed."""

    async def main() -> None:
        entries, clock, told = MemorySuppression(), FakeClock(NOW), list[Event]()
        believed = False
        chores = Chores(lambda _: None, lambda _: None)
        component = SuppressionComponent(entries, Config(), hears, lambda: True, lambda: believed, told.append, clock, chores)
        await entries.add([SuppressionEntry("you@example.net", reason=Reason.HARD, at=NOW, until=NOW + 30 * 86400)])
        clock.time += YEARS
        await component.sweep()
        assert (await entries.count(), len(await entries.log())) == (1, 1)
        believed = True
        await component.sweep()
        assert await entries.count() == 0

    asyncio.run(main())


def test_a_copy_that_was_put_back_is_followed_from_where_it_is(tmp_path: Path) -> None:
    """Its log is shorter than the one before, and whoever unsubscribes by now is told of as ever, once."""

    async def main() -> None:
        entries, heard = SqliteSuppression(str(tmp_path)), list[Event]()
        component = SuppressionComponent(
            entries, Config(), hears, lambda: True, lambda: True, heard.append, FakeClock(NOW), Chores(lambda _: None, lambda _: None)
        )

        async def leaves(name: str) -> None:
            other = SqliteSuppression(str(tmp_path))
            await other.add([SuppressionEntry(f"{name}@example.net", "news", Reason.UNSUBSCRIBE, at=NOW)])
            await other.close()

        async def looks() -> list[str]:
            heard.clear()
            for _ in range(3):
                await component.look()
            return [event.address for event in heard if isinstance(event, Unsubscribed)]

        await leaves("first")
        assert await looks() == ["first@example.net"]
        with closing(sqlite3.connect(tmp_path / NAME)) as db:
            db.execute("VACUUM INTO ?", [str(tmp_path / "copy")])
        for name in ("a", "b", "c", "d"):
            await leaves(name)
        assert len(await looks()) == 4
        for each in tmp_path.glob(f"{NAME}-*"):
            each.unlink()
        (tmp_path / "copy").chmod(0o600)
        (tmp_path / "copy").rename(tmp_path / NAME)
        assert await looks() == []
        await leaves("last")
        assert await looks() == ["last@example.net"]
        await entries.close()

    asyncio.run(main())
