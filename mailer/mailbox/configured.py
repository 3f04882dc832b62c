"""The mailboxes as the configuration has them: where rows, messages and owners are kept, for the daemon and the command line."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from mailer.config.secret import keeper_of
from mailer.config.values import nowhere
from mailer.spool.files.owner import as_owner_of

from .bodies.files import FileBodies
from .engine.sqlite import SqliteEngine
from .layout import Layout
from .mailboxes import Mailboxes
from .owners.sqlite import SqliteOwners

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config

    from .api import Told
    from .engine.api import Engine
    from .owners.api import Owner


def mailboxes_of(config: Config, *, clock: Callable[[], float] = time.time, tell: Told | None = None) -> Mailboxes:
    """The mailboxes of ``[mailboxes]``; nothing is made or opened before one is asked for.

    Raises `Problem` (bad-config) where there is no place for them.
    """
    section = config.mailboxes
    if not section.path:
        raise nowhere()
    layout = Layout(section.path)
    bodies = FileBodies(layout, partial(as_owner_of, layout.root))

    def engine(owner: Owner) -> Engine:
        with as_owner_of(layout.root):
            layout.have(layout.home(owner.id))
        return SqliteEngine(layout.index(owner.id))

    owners = OwnersBelow(layout, config.spool)
    return Mailboxes(
        owners, engine, bodies, clock=clock, tell=tell, kept=section.deleted_kept, removed_kept=section.removed_kept
    )  # fmt: skip


class OwnersBelow(SqliteOwners):
    """The owners of the mailboxes of `layout`, whose directory is made with the first of them: for whoever has the spool."""

    def __init__(self, layout: Layout, spool: str) -> None:
        super().__init__(layout.owners)
        self._layout = layout
        self._spool = spool

    def make(self, address: str, now: float, store: str = "") -> Owner:
        """The owner of `address`, made if there is none. Raises `Problem`."""
        root = self._layout.root
        if not os.path.isdir(root):
            self._layout.have(root)
            keeper_of(self._spool).give(root)
        return super().make(address, now, store)
