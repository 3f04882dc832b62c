"""The mailboxes as the configuration has them: where rows, messages and owners are kept, for the daemon and the command line.

Whoever changes one by these rings the bell, so that everybody hears of it who looks into it, in whatever process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .bell import Bell
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
    own: str = "",
) -> Mailboxes:
    """The mailboxes of ``[mailboxes]``; nothing is made or opened before one is asked for.

    `clock`, `tell` and `judged` are as `Mailboxes` has them; `own` is what this process has of the bell, which is not rung for it. Raises
    `Problem` (bad-config) where there is no place for them.
    """
    section, stores = config.mailboxes, MailboxStores(config)
    bell = Bell(config.mailboxes_path, own)
    told = [each for each in (tell, bell.ring, stores.call) if each is not None]

    def ring(owner: str, folder: int, modseq: int) -> None:
        for each in told:
            each(owner, folder, modseq)

    def close() -> None:
        bell.close()
        stores.close()

    return Mailboxes(
        stores.owners,
        stores.open,
        stores.named("").bodies,
        bodies_of=stores.bodies_of,
        left=stores.sweep,
        closing=close,
        opener=stores.keyring.sealing,
        ready=stores.keyring.ready,
        clock=clock,
        tell=ring,
        judged=judged,
        kept=section.deleted_kept,
        removed_kept=section.removed_kept,
    )
