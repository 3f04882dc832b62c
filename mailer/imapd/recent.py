"""What is recent in the folder that is open: a session is told of messages, and knows whether it is the first. RFC 3501 §2.3.2.

The mailbox is asked in the thread that has just read what is there, and written only where there is something that nobody was told of. A
session that may not write, or at a moment when the mailbox may not be written, sees what is recent and leaves it so (RFC 3501 §6.3.2).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.mailbox.api import Frozen

if TYPE_CHECKING:
    from mailer.imap.view import FolderView
    from mailer.mailbox.api import Folder, Mailbox


def look(mailbox: Mailbox, view: FolderView, folder: Folder, last: int) -> None:
    """Let a view know what is recent of messages up to the UID `last`, where `folder` was read with them. Raises `NoFolder`, `Problem`."""
    first = folder.recent
    if last < first:
        return
    if not view.readonly:
        with suppress(Frozen):
            first = mailbox.claim(folder.id, last + 1)
    view.recent.add(first, last + 1)
