"""Replay: a message that was given up is put again, as a new one.

The old file stays as it is until its retention is over, and gets a note; the new message names it as its ``parent``.

=====================================  ==================================================================
step                                   what a crash right after it leaves
=====================================  ==================================================================
put the new message                    it is delivered; whoever replays the old one again sends it again
append the note, fdatasync             the whole
=====================================  ==================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.problem import Problem
from mailer.spool import new_id
from mailer.spool.api import Note

from .enqueue import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.spool.api import Entry

    from .store import SpoolDirectory

OF_THEN = ("at", "by", "by_return", "by_trace", "hold")
"""Options that named a time which is over."""


def replay(spool: SpoolDirectory, id: str, recipients: Sequence[str], now: float, *, again: bool = False) -> Envelope:
    """Put message `id` of ``failed/`` again, for those who have not got it, or for `recipients`; returns the new envelope.

    One that was replayed before is put once more only `again`. Raises `Problem` (bad-message) for that, and where nobody is left to send it
    to; `NoSuchMessage`, `Busy`, `CorruptMessage`, and as `put` does.
    """
    with spool.claim(id, "failed") as claim:
        envelope = renewed(claim.entry, recipients, now, again=again)
        put(spool.root, envelope.id, envelope.to_line(), claim.content)
        spool.note(claim, [Note("replayed", now, envelope.id)])
        return envelope


def renewed(entry: Entry, recipients: Sequence[str], now: float, *, again: bool) -> Envelope:
    """The envelope of the message that is put in place of that of `entry`. Raises `Problem` (bad-message) as `replay` does."""
    if (before := [note for note in entry.notes if note.what == "replayed"]) and not again:
        raise Problem(f"message {entry.id} was replayed as {before[-1].id}; --again sends it once more", "bad-message")
    old, history = entry.envelope, entry.history
    people = [Recipient(address) for address in recipients]
    people = people or [one for to in history.with_verdict("fail", "expire", "cancel") if (one := old.recipients[to]).outcome is None]
    if not people:
        raise Problem(f"all recipients of message {old.id} have got it; name others with --to", "bad-message")
    return Envelope(
        new_id(now),
        rfc3339(now),
        old.sender,
        people,
        message_id=old.message_id,
        subject=old.subject,
        priority=old.priority,
        submitter=old.submitter,
        options={name: value for name, value in old.options.items() if name not in OF_THEN},
        parent=old.id,
    )
