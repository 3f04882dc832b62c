"""What a user may see of a spool: the whole of it, or what its daemon tells him of his own mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem
from mailer.status import sqlite

if TYPE_CHECKING:
    from mailer.spool.files.store import SpoolDirectory
    from mailer.status.api import MailView


def view_of(spool: SpoolDirectory) -> MailView:
    """What the user of this process may see of `spool`. Raises `Problem` (no-permission)."""
    try:
        return sqlite.view(spool)
    except Problem as problem:
        if problem.kind != "no-permission" or not spool.shared:  # it is no spool for others
            raise
        from .client import RemoteView

        return RemoteView(spool.place)
