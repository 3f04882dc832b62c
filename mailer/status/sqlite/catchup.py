"""What the database missed is made good from the spool, when a daemon starts, and when it has to begin a new one.

It was deleted, or could not be written, or the power failed before the last commits were on disk. The spool
knows everything about what is still in it, so that is written again. Of a message that has left the spool, two
cases are left, because its status is committed before its file is unlinked:

==============================  ============================================================================
the database says               what it was
==============================  ============================================================================
nothing                         history that was deleted; it stays lost
queued, sending, deferred,      the commit was lost with the power. A file of a pending message leaves the spool
held                            in one way only: every recipient has it. So it was sent, and no more is known
==============================  ============================================================================

Messages in ``queued/`` that were never tried are left out: whoever asks finds them in the spool, and the first
attempt writes them down.
"""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING

from mailer.events import Seen
from mailer.spool.api import CorruptMessage, NoSuchMessage
from mailer.spool.files.layout import is_id

from .schema import FINAL, PENDING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.spool.files.store import SpoolDirectory

    from .writer import StatusWriter

BATCH = 200  # messages in one transaction

LEFT = """
UPDATE emails SET status = 'sent', next_attempt_time = NULL,
    error_message = 'it has left the spool; the record of its last attempt was lost'
    WHERE id = ? AND status IN ('queued', 'sending', 'deferred', 'held')
"""
LEFT_RECIPIENTS = """
UPDATE email_recipients SET status = 'sent', smtp_response_code = NULL, enhanced_code = NULL, smtp_response_message = NULL,
    cause = NULL, besides = NULL
    WHERE email_id = ? AND status IN ('queued', 'sending', 'deferred', 'held')
"""


def catch_up(writer: StatusWriter, spool: SpoolDirectory) -> None:
    """Bring the database up to what the spool says. Call it before anything is delivered.

    A database that cannot be written is reported; the next start makes up for it.
    """
    known = settle_left(writer, spool)
    if known is None:
        return
    events = missed(spool, known)
    try:
        while batch := list(islice(events, BATCH)):
            writer.write([event for event in batch if event is not None])
    except (sqlite3.Error, OSError) as error:
        writer.report(f"the status database {writer.path} cannot be brought up to date: {error}")


def settle_left(writer: StatusWriter, spool: SpoolDirectory) -> dict[str, str] | None:
    """The first part, which has to come before anything is delivered: what has left the spool.

    Returns the status of every message that the database does not know to be sent, for `missed`; None if there is no database to ask,
    which is reported.
    """
    try:
        known = writer.unsent()
        _left(writer, [(id,) for id, status in known.items() if status in PENDING and spool.find(id) is None])
    except (sqlite3.Error, OSError) as error:
        writer.report(f"the status database {writer.path} cannot be brought up to date: {error}")
        return None
    return known


def known_now(writer: StatusWriter) -> dict[str, str] | None:
    """For `missed`, while mail is delivered: the status of every message that is not recorded as sent; None if it cannot be read."""
    try:
        return writer.unsent()
    except (sqlite3.Error, OSError) as error:
        writer.report(f"the status database {writer.path} cannot be brought up to date: {error}")
        return None


def missed(spool: SpoolDirectory, known: Mapping[str, str]) -> Iterator[Seen | None]:
    """The second part, which may take its time: the messages of the spool that the database does not know to be where they are.

    None stands for one that it knows, so that whoever has other things to do may do them.
    """
    for state in ("deferred", "held", "failed"):
        for id in spool.names(state):
            status = known.get(id)
            if not is_id(id) or status == state or (state == "failed" and status in FINAL):
                yield None
                continue
            try:
                entry = spool.read(id, state)
            except (NoSuchMessage, CorruptMessage, OSError, MemoryError):  # the daemon reports it when it comes to it
                continue
            yield Seen(entry.arrived, entry)


def _left(writer: StatusWriter, ids: Sequence[tuple[str]]) -> None:
    with writer.transaction() as db:
        db.executemany(LEFT, ids)
        db.executemany(LEFT_RECIPIENTS, ids)
