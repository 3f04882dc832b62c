"""The book of alarms as a part of the daemon: it goes on with the book of the daemon before, ends what nobody meets any more, and has
what is open written down, so that commands can say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.io.component import Component

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.status.api import StatusRecorder

    from .book import AlarmBook

POST = 1.0  # seconds between two looks at what has changed


class AlarmComponent(Component):
    """Keeps `book`, which `status` has known since the daemon before. What ends by itself is told to `tell`, what is open to `record`."""

    def __init__(
        self,
        book: AlarmBook,
        status: StatusRecorder,
        tell: Callable[[Event], None],
        record: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
    ) -> None:
        self._book = book
        self._status = status
        self._tell = tell
        self._record = record
        self._clock = clock
        self._chores = chores

    async def start(self) -> None:
        """Go on with what was open."""
        self._book.inherit(await self._status.alarms(), self._clock.now())
        self._chores.every(POST, self.look)

    async def stop(self, _grace: float) -> None:
        """Have written what is open at the end."""
        self._post()

    def look(self) -> None:
        """End what was not met for long enough, and have written what has changed."""
        for over in self._book.lapse(self._clock.now()):
            self._tell(over)
        self._post()

    def _post(self) -> None:
        if (news := self._book.news(self._clock.now())) is not None:
            self._record(news)
