"""The subscribers of the journal, and how far behind each of them is: what ``mailer status`` says of it in a line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.journal import NAME
from mailer.spool.files.store import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config


class JournalSubscriber(NamedTuple):
    """A reader of the journal by the name of its cursor: how many events it has not had, and how many seconds ago the oldest happened."""

    name: str
    events: int
    seconds: float

    def as_json(self) -> dict[str, object]:
        """As ``mailer status --json`` has it."""
        return {"name": self.name, "behind": self.events, "behind_seconds": round(self.seconds, 1)}


def is_written(spool: str) -> bool:
    """Whether the spool has a journal at all."""
    return os.path.isdir(SpoolDirectory(spool).beside(NAME))


async def subscribers(spool: str, config: Config) -> Sequence[JournalSubscriber]:
    """The subscribers that `config` names; none where the journal cannot be read by this user."""
    from mailer.journal.files import journal_of  # asyncio, which who asks for a status needs where there is a journal

    journal = journal_of(SpoolDirectory(spool))
    try:
        return [JournalSubscriber(name, *await journal.behind(name)) for name in config.readers]
    except OSError:
        return ()
