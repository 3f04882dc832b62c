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

from mailer.spool.api import Note
from mailer.spool.replay import renewed

from .enqueue import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.mail.envelope import Envelope

    from .store import SpoolDirectory


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
