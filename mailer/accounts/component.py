"""The residents as a part of the daemon: known before anything is delivered or taken in, and read again when they change.

Doors ask for whom they may take mail, the queue who an address of ours is that our own people write to. Both ask the same `Residents`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.config.sections.accounts import FILE
from mailer.events import Alarm, Mended
from mailer.io.component import Component

from .residents import EVERY, Residents
from .users.configured import users_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores


class ResidentsComponent(Component):
    """The `residents` of `config`; those who are looked after by `chores`, unless it is for one pass (`once`)."""

    def __init__(self, config: Config, tell: Callable[[Event], None], clock: Clock, chores: Chores, *, once: bool = False) -> None:
        self.residents = Residents(config, users_of(config), tell, clock)
        self._tell = tell
        self._clock = clock
        self._accounts = config.accounts
        self._begun: set[asyncio.Future[None]] = set()
        if not once:
            chores.every(EVERY, self._look)

    async def start(self) -> None:
        """Read who lives here."""
        await self._look()

    async def _look(self) -> None:
        """Read what has changed, and say what is wrong with it; users stay as they were."""
        await self.residents.refresh()
        if self._accounts.source != FILE:
            return
        from .users.file import FileUsers

        if isinstance(users := self.residents.users, FileUsers):
            await asyncio.to_thread(users.refresh)
            now = self._clock.now()
            self._tell(Alarm(now, "aliases", users.trouble, "users") if users.trouble else Mended(now, "aliases", "users", "it was read"))

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Go by another configuration; users may be kept elsewhere, and files be others, which are read at once."""
        users = users_of(config) if config.accounts != self._accounts else None
        yield
        if users is not None:
            self._begin(self.residents.users.close())
            self.residents.users, self._accounts = users, config.accounts
        self.residents.take(config)
        self._begin(self._look())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody waits for, but the end."""
        task = asyncio.ensure_future(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - nothing is under way
        """Close where users are kept."""
        await asyncio.gather(*self._begun, self.residents.users.close())
