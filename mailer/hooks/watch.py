"""What the daemon tells of endpoints: an alarm, ``webhook``, for each that is in trouble, and figures.

The process that posts may have been killed, or never have begun; so the daemon looks at what is kept, and at the journal. An endpoint is in
trouble when it has not had what is older than an hour, when it is switched off, and when it has refused events for good within a day.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.component import Component

from .view import views_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores
    from mailer.journal.api import Journal

    from .api import HookStore
    from .view import EndpointView

EVERY = 30.0  # seconds


class HookWatch(Component):
    """Looks after the endpoints of `config`: what `store` and `journal` have of them. Trouble goes to `tell`."""

    def __init__(
        self, config: Config, journal: Journal, store: HookStore, tell: Callable[[Event], None], clock: Clock, chores: Chores
    ) -> None:
        self.views: Sequence[EndpointView] = ()
        """How they did a moment ago."""
        self._config = config
        self._journal = journal
        self._store = store
        self._tell = tell
        self._clock = clock
        self._chores = chores

    async def start(self) -> None:
        """Look, and look again from time to time; a disk that fails now is told then."""
        with suppress(OSError):
            await self.look()
        self._chores.every(EVERY, self.look)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Look after those of another configuration; one that is there no more is in no trouble."""
        yield
        kept = {hook.name for hook in config.webhooks}
        for hook in self._config.webhooks:
            if hook.name not in kept:
                self._tell(Mended(self._clock.now(), "webhook", hook.name, "there is no such webhook any more"))
        self._config = config
        self.views = [view for view in self.views if view.hook.name in kept]

    async def look(self) -> None:
        """See how they do. Raises `OSError`."""
        if not self._config.webhooks:
            return
        self.views = await views_of(self._config, self._journal, self._store)
        now = self._clock.now()
        for view in self.views:
            name = view.hook.name
            if trouble := view.trouble(now):
                self._tell(Alarm(now, "webhook", f"{name}: {trouble}", name))
            else:
                self._tell(Mended(now, "webhook", name, f"{name} takes events"))
