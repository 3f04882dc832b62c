"""The entrance: the doors by which mail comes in, from the moment that the configuration asks for one.

What they stand on (filters, proofs, logins) is not loaded by a daemon that only sends. A reload that asks for the first door makes all of
it; it stays until the end, also where no door is asked for any more.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.io.component import Chores, Component
from mailer.mail.arrival import DOORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.config import Config
    from mailer.filtering.component import FilterComponent
    from mailer.serving.component import ServedDoors

    Make = Callable[[Config, Chores], tuple[FilterComponent, ServedDoors]]

KINDS = ("reports", *DOORS)
"""The kinds of doors by which mail comes in."""


class MailEntrance(Component):
    """The doors that `make` makes of a configuration, with what they stand on.

    What these do from time to time ends the daemon where it ends by itself, as all `chores` do; `inner` are theirs.
    """

    def __init__(self, config: Config, make: Make, chores: Chores, inner: Chores) -> None:
        self._config = config
        self._make = make
        self._chores = chores
        self._inner = inner
        self._parts: tuple[FilterComponent, ServedDoors] | None = None
        self._made = asyncio.Event()
        self._beginning: asyncio.Future[None] | None = None

    def sessions(self) -> Mapping[str, int]:
        """How many clients there are now, by the kind of the door."""
        return self._parts[1].sessions() if self._parts is not None else dict.fromkeys(KINDS, 0)

    async def start(self) -> None:
        """Open the doors, if there are any. Raises `Problem` as they do."""
        self._chores.run(self._mind)
        if self._config.mail_doors:
            self._parts = self._make(self._config, self._inner)
            await self._begin()

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Have the doors go by another configuration, or make them for it. Raises `Problem` as they do."""
        if self._parts is not None:
            filters, doors = self._parts
            with filters.reload(config), doors.reload(config):
                yield
        elif config.mail_doors:
            parts = self._make(config, self._inner)
            parts[1].check(config, KINDS)
            yield
            self._parts = parts
            self._beginning = asyncio.ensure_future(self._begin())
        else:
            yield

    async def stop(self, grace: float) -> None:
        """Close them, as they do."""
        if self._beginning is not None:
            await asyncio.wait([self._beginning])
        if self._parts is not None:
            filters, doors = self._parts
            await doors.stop(grace)
            await filters.stop(grace)
        await self._inner.stop(grace)

    async def _begin(self) -> None:
        assert self._parts is not None
        for part in self._parts:
            await part.start()
        self._inner.begin()
        self._made.set()

    async def _mind(self) -> None:
        """End when one of theirs has ended."""
        await self._made.wait()
        await self._inner.until(asyncio.Event())
