"""What a client is told of a folder when it opens one, read at one moment: all later news refer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import entries, keywords, ledger
from .api import NoFolder, OpenedFolder

if TYPE_CHECKING:
    from .engine.api import Rows

UNSEEN: Final = "SELECT uid FROM entry WHERE owner = ? AND folder = ? AND uid > 0 AND flags & 1 = 0 ORDER BY uid LIMIT 1"


def opened(rows: Rows, owner: int, name: str, since: int | None = None) -> OpenedFolder:
    """The folder of that name. Raises `NoFolder`."""
    folder = ledger.by_name(rows, owner, name)
    if folder is None:
        raise NoFolder(f"there is no folder {name[:60]!r}")
    uids = entries.uids_of(rows, owner, folder.id)
    words = sorted(keywords.known(rows, owner, folder.id).values())
    first = rows.run(UNSEEN, (owner, folder.id)) if folder.unseen else ()
    news = None if since is None else entries.changes(rows, owner, folder, since)
    return OpenedFolder(folder, uids, words, first[0][0] if first else 0, news)
