"""The mailboxes as the configuration has them: where rows, messages and owners are kept, for the daemon and the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .mailboxes import Mailboxes
from .stores import MailboxStores

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config

    from .api import Told
    from .box import Verdict


def mailboxes_of(
    config: Config,
    *,
    clock: Callable[[], float] = time.time,
    tell: Told | None = None,
    judged: Callable[[str, str, Verdict], None] | None = None,
) -> Mailboxes:
    """The mailboxes of ``[mailboxes]``; nothing is made or opened before one is asked for.

    `clock`, `tell` and `judged` are as `Mailboxes` has them. Raises `Problem` (bad-config) where there is no place for them.
    """
    section, stores = config.mailboxes, MailboxStores(config)
    return Mailboxes(
        stores.owners,
        stores.open,
        stores.named("").bodies,
        bodies_of=stores.bodies_of,
        left=stores.sweep,
        closing=stores.close,
        opener=stores.keyring.sealing,
        ready=stores.keyring.ready,
        clock=clock,
        tell=tell,
        judged=judged,
        kept=section.deleted_kept,
        removed_kept=section.removed_kept,
    )
