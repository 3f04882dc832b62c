"""The list as a part of the daemon: what is let go of, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailer.config import Config
from mailer.events import Event
from mailer.io.component import Chores
from mailer.suppression.api import Reason, SuppressionChange, SuppressionEntry
from mailer.suppression.component import SuppressionComponent
from mailer.suppression.memory import MemorySuppression
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
