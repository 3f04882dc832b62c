"""The suppression list as a part of the daemon: what others put on it is heard of, told, and let go of when its time is over.

Commands, the API and the page with which people unsubscribe are other processes. So the log of the list is followed: the queue hears of
all that is new, and each recipient who unsubscribed is told as an event. How far that has been told is kept beside the log, and noted only
when the journal has it: an event may come twice after a crash, and none is lost.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm, Unsubscribed
from mailer.io.component import Component
from mailer.mail.problem import Problem

from .api import Reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores

    from .api import SuppressionChange, SuppressionList

LOOK = 1.0  # seconds between two looks at the log
SWEEP = 3600.0  # seconds between two looks for what holds no longer
PAGE = 1000  # lines of the log


class SuppressionComponent(Component):
    """Follows the log of `entries`. `heard` is told what is new; `journaled` says whether all that was told is durable.

    `believed` says whether the clock is one by which things may be let go of.
    """

    def __init__(
        self,
        entries: SuppressionList,
        config: Config,
        heard: Callable[[Sequence[SuppressionChange]], Awaitable[None]],
        journaled: Callable[[], bool],
        believed: Callable[[], bool],
        tell: Callable[[Event], None],
        clock: Clock,
        chores: Chores,
        *,
        once: bool = False,
    ) -> None:
        self.entries = entries
        self._keep_log = config.suppress.log_retention
        self._heard = heard
        self._journaled = journaled
        self._believed = believed
        self._tell = tell
        self._clock = clock
        self._chores = chores
        self._once = once
        self._at = -1
        self._noted = 0

    async def start(self) -> None:
        """Begin to follow the log where the daemon before has left it."""
        if not self._once:
            self._chores.every(LOOK, self.look)
            self._chores.every(SWEEP, self.sweep)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Keep the log for as long as another configuration says."""
        yield
        self._keep_log = config.suppress.log_retention

    async def stop(self, _grace: float) -> None:
        """Let go of the list."""
        await self.entries.close()

    async def look(self) -> None:
        """Read what is new in the log. That it cannot be read is told by the queue, whose mail waits for that."""
        try:
            if self._at < 0:
                self._at = self._noted = await self.entries.told()
            elif self._at > self._noted and self._journaled():
                await self.entries.note_told(self._at)
                self._noted = self._at
            elif await self.entries.newest() < self._at:  # an older copy was put back, whose log goes on from there
                self._at = self._noted = await self.entries.told()
            while lines := await self.entries.news(self._at, PAGE):
                await self._heard(lines)
                for line in lines:
                    if line.act == "add" and line.reason == Reason.UNSUBSCRIBE and line.before != line.after:
                        self._tell(Unsubscribed(line.at, line.address, line.scope, line.evidence))
                self._at = lines[-1].serial
        except Problem:
            return

    async def sweep(self) -> None:
        """Let go of what holds no longer."""
        if not self._believed():
            return
        try:
            await self.entries.expire(self._clock.now(), keep_log=self._keep_log)
        except Problem as problem:
            if problem.kind != "try-again":
                self._tell(Alarm(self._clock.now(), "suppression", str(problem)))
