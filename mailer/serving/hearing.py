"""What a process hears of changes of mailboxes, as a part of it: the bell of this machine, and the wire of a database that machines share.

Its place is before the mailboxes, which ring for all others, and tell `news` of this process directly. Where the bell cannot be had, which
an alarm says, changes of other processes are seen when a client asks, and no earlier.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.component import Component
from mailer.mail.problem import Problem
from mailer.mailbox.bell import BellListener

from .boxes import News

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.mailbox.wire import WireListener


class HearingComponent(Component):
    """What is heard by the `config`; `news` has it."""

    def __init__(self, config: Config, tell: Callable[[Event], None], clock: Clock) -> None:
        self._config = config
        self._tell = tell
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._bell: BellListener | None = None
        self._wire: WireListener | None = None
        self._again: asyncio.Future[None] | None = None
        self.news = News(self._loop)

    @property
    def own(self) -> str:
        """What the bell is not rung for, of this process."""
        return self._bell.name if self._bell is not None else ""

    async def start(self) -> None:
        """Listen from now on."""
        now = self._clock.now()
        try:
            self._bell = BellListener(self._config.mailboxes_path, self.news.told, self._loop)
        except (OSError, Problem) as error:
            why = getattr(error, "strerror", None) or error
            self._tell(Alarm(now, "mailboxes", f"changes of mailboxes in other processes are not heard: {why}", "bell"))
        else:
            self._tell(Mended(now, "mailboxes", "bell", "they are heard"))
        if self._config.mailboxes.database:
            from mailer.mailbox.wire import listener_of

            self._wire = listener_of(self._config.mailboxes, self.news.told)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Listen elsewhere, if they are elsewhere."""
        yield
        before, self._config = self._config, config
        if (before.mailboxes_path, before.mailboxes) != (config.mailboxes_path, config.mailboxes):
            self._again = asyncio.ensure_future(self._listen_anew())

    async def _listen_anew(self) -> None:
        await self._leave()
        await self.start()

    async def _leave(self) -> None:
        bell, self._bell = self._bell, None
        wire, self._wire = self._wire, None
        if bell is not None:
            bell.close()
        if wire is not None:
            await asyncio.to_thread(wire.close)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - nobody is waited for
        """Listen no more."""
        if self._again is not None:
            await asyncio.wait([self._again])
        await self._leave()
