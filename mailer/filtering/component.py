"""The filters of incoming mail as a part of the daemon: made of the configuration, changed with it, looked after, and let go of."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.io.component import Component
from mailer.net.dns import Resolver

from .greylist.sqlite import SqliteGreylist
from .panel import FilterPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.io.component import Chores

SWEEP = 3600.0  # seconds between two looks for what may be forgotten, and for lists to be tested


class FilterComponent(Component):
    """Has the `panel` that doors ask. Who was put off is remembered beside the spool at `root`."""

    def __init__(self, config: Config, root: str, tell: Callable[[Event], None], clock: Clock, chores: Chores) -> None:
        self.panel = FilterPanel(config, resolver_of(config), tell, clock, SqliteGreylist(root))
        self._chores = chores

    async def start(self) -> None:
        """Begin to look after what may be forgotten."""
        self._chores.every(SWEEP, self.panel.sweep)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Judge by another configuration."""
        yield
        self.panel.use(config)

    async def stop(self, _grace: float) -> None:
        """Let go of what is open."""
        await self.panel.close()


def resolver_of(config: Config) -> Resolver:
    """The resolver that lists and proofs are looked up with."""
    dns = config.dns
    return Resolver(dns.nameservers, dns.timeout, dns.lifetime, dns.cache_size)
