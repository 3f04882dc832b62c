"""Events of the journal, chosen and in order: what ``mailer events`` prints."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from mailer.journal.api import PAGE
from mailer.mail.pattern import fits
from mailer.mail.problem import Problem
from mailer.spool import first_id, put_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.config import Config
    from mailer.journal.api import Journal, JournalEvent

WINDOWS = (60.0, 600.0, 7200.0, 86400.0)
"""Seconds before the newest event, in which the last few are looked for; then everywhere."""


class EventFilter(NamedTuple):
    """What an event must be like; an empty member selects everything. `to` is a pattern, `message` an ID, `key` the name of an API key."""

    types: frozenset[str] = frozenset()
    to: str = ""
    message: str = ""
    key: str = ""
    stream: str = ""

    def means(self, event: JournalEvent) -> bool:
        """Whether the event is meant. An alarm is about nobody's mail."""
        if self.types and event.type not in self.types:
            return False
        if self.to and (event.type == "alarm" or not fits(self.to, event.to)):
            return False
        if self.message and event.message != self.message:
            return False
        return (not self.key or event.key == self.key) and (not self.stream or event.stream == self.stream)


async def after(journal: Journal, wanted: EventFilter, id: str = "", limit: int = 0) -> AsyncIterator[JournalEvent]:
    """The first `limit` events after the ID `id`, or all, oldest first. Raises `OSError`."""
    left = limit or -1
    while page := await journal.read(id, PAGE):
        for event in page:
            if wanted.means(event):
                yield event
                left -= 1
                if not left:
                    return
        id = page[-1].id


async def newest(journal: Journal, wanted: EventFilter, limit: int) -> list[JournalEvent]:
    """The last `limit` events that are wanted, oldest first. Raises `OSError`."""
    last = await journal.last()
    for seconds in WINDOWS if last else ():
        found = deque([event async for event in after(journal, wanted, first_id(put_at(last) - seconds))], limit)
        if len(found) == limit:
            return [*found]
    found = deque(maxlen=limit)
    async for event in after(journal, wanted):
        found.append(event)
    return [*found]


async def follow(journal: Journal, wanted: EventFilter, id: str) -> AsyncIterator[JournalEvent]:
    """What comes after the ID `id`, as it comes, without an end. Raises `OSError`."""
    while True:
        await journal.wait(id)
        while page := await journal.read(id, PAGE):
            for event in page:
                if wanted.means(event):
                    yield event
            id = page[-1].id


def check_written(config: Config) -> None:
    """Make sure that a journal, in which there is nothing, is written. Raises `Problem` (bad-config)."""
    if not config.journaled:
        where = config.path or "the configuration"
        raise Problem(f"no journal is written: nobody subscribes to events; write keep = true below [journal] in {where}", "bad-config")
