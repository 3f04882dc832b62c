"""What the status missed is made good from the spool, when a daemon starts, and when a new one had to be begun.

It was deleted, or could not be written, or the power failed before the last commits were on disk. The spool
knows everything about what is still in it, so that is written again. Of a message that has left the spool, two
cases are left, because its status is written before its file is unlinked:

==============================  ============================================================================
the status says                 what it was
==============================  ============================================================================
nothing                         history that was deleted; it stays lost
queued, sending, deferred,      the news was lost with the power. A file of a pending message leaves the spool
held                            in one way only: every recipient has it. So it was sent, and no more is known
==============================  ============================================================================

Messages in ``queued/`` that were never tried are left out: whoever asks finds them in the spool, and the first
attempt writes them down.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mailer.events import Seen
from mailer.mail.history import DONE, PENDING
from mailer.spool import is_id
from mailer.spool.api import CorruptMessage, NoSuchMessage

from .api import StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.mail.history import Status
    from mailer.spool.files.store import SpoolDirectory

    from .api import StatusRecorder

BATCH = 200  # messages that are told of together


async def catch_up(recorder: StatusRecorder, spool: SpoolDirectory, report: Callable[[str], None]) -> None:
    """Bring the status up to what the spool says. Call it before anything is delivered.

    What cannot be written is told to `report`; the next start makes up for it.
    """
    known = await settle_left(recorder, spool, report)
    events = (event for event in missed(spool, known or {}) if event is not None) if known is not None else iter(())
    try:
        while batch := list(islice(events, BATCH)):
            await recorder.write(batch)
    except StatusError as error:
        report(f"{error.what} cannot be brought up to date: {error}")


async def settle_left(recorder: StatusRecorder, spool: SpoolDirectory, report: Callable[[str], None]) -> Mapping[str, Status] | None:
    """The first part, which has to come before anything is delivered: what has left the spool.

    Returns the status of every message that is not recorded as sent, for `missed`; None if that cannot be asked, which is told.
    """
    try:
        known = await recorder.unsent()
        await recorder.left([id for id, status in known.items() if status in PENDING and spool.find(id) is None])
    except StatusError as error:
        report(f"{error.what} cannot be brought up to date: {error}")
        return None
    return known


def missed(spool: SpoolDirectory, known: Mapping[str, Status]) -> Iterator[Seen | None]:
    """The second part, which may take its time: the messages of the spool that are not `known` to be where they are.

    None stands for one that is, so that whoever has other things to do may do them.
    """
    for state in ("deferred", "held", "failed"):
        for id in spool.names(state):
            status = known.get(id)
            if not is_id(id) or status == state or (state == "failed" and status in DONE):
                yield None
                continue
            try:
                entry = spool.read(id, state)
            except (NoSuchMessage, CorruptMessage, OSError, MemoryError):  # the daemon reports it when it comes to it
                continue
            yield Seen(entry.arrived, entry)
