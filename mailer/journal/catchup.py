"""What the journal missed is made good from the spool, after a crash, and after it could not be written for long.

An event is told when the spool has it, and is written some milliseconds later, so a crash may come between. What was learned is in
the records of the message, whose file is still there: an event is durable before that is gone. So it is enough to compare what has changed
in the spool since the journal was written last with the end of the journal:

==========================================  ==============================================================================
a message in                                is looked at
==========================================  ==============================================================================
queued                                      when its turn comes, before it is tried: by the loader
deferred, held, failed, changed lately      beside the mail, by `missed`
==========================================  ==============================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.spool import first_id, is_id, put_at
from mailer.spool.api import CorruptMessage, NoSuchMessage

from .api import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.spool.api import Entry, State
    from mailer.spool.files.store import SpoolDirectory

    from .api import Journal, JournalEvent

MARGIN = 600.0  # seconds before the last event from which on what is in the spool is compared; a batch waits for milliseconds
MOST = 50_000  # events that are compared at least, where there are more, and twice as many at most
LEFT: tuple[State, ...] = ("deferred", "held", "failed")


class Recalled(NamedTuple):
    """The end of the journal: its events `known` of messages that are in the spool, complete from `since` on (seconds since the epoch)."""

    known: list[JournalEvent]
    since: float


async def recall(journal: Journal, spool: SpoolDirectory) -> Recalled:
    """Read the end of `journal`. Raises `OSError`."""
    last = await journal.last()
    if not last:
        return Recalled([], (await journal.held()).since)
    since = middle = put_at(last) - MARGIN
    after = first_id(since)
    older: list[JournalEvent] = []
    newer: list[JournalEvent] = []
    while page := await journal.read(after, PAGE):
        newer += page
        after = page[-1].id
        if len(newer) > MOST:  # of ten minutes as busy as that, the last are enough
            older, newer, since, middle = newer, [], middle, put_at(after)
    found = {event.message for events in (older, newer) for event in events}
    there = {id for state in ("queued", *LEFT) for id in spool.names(state) if id in found}
    known = [event for events in (older, newer) for event in events if event.message in there]
    return Recalled(known, max(since, (await journal.held()).since))


def missed(spool: SpoolDirectory, since: float) -> Iterator[Entry | None]:
    """The messages that are put off, held or given up, and came there, or were put, after `since` (seconds since the epoch).

    None stands for one that did not, so that whoever has other things to do may do them.
    """
    for state in LEFT:
        for id in spool.names(state):
            found = spool.dated(state, id) if is_id(id) else None
            if found is None or found.changed < since:
                yield None
                continue
            try:
                yield spool.read(id, state)
            except (NoSuchMessage, CorruptMessage, OSError, MemoryError):  # the daemon reports it when it comes to it
                yield None
