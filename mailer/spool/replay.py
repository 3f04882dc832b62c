"""The message that a replay puts in place of one that was given up: whom it goes to, and what of the old one it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.problem import Problem

from . import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .api import Entry

OF_THEN = ("at", "by", "by_return", "by_trace", "hold")
"""Options that named a time which is over."""


def renewed(entry: Entry, recipients: Sequence[str], now: float, *, again: bool) -> Envelope:
    """The envelope of the message that is put in place of that of `entry`, for `recipients`, or for those who have not got it.

    Raises `Problem` (bad-message) where it was replayed before, unless `again`, and where nobody is left to send it to.
    """
    if (before := [note for note in entry.notes if note.what == "replayed"]) and not again:
        raise Problem(f"message {entry.id} was replayed as {before[-1].id}; --again sends it once more", "bad-message")
    old, history = entry.envelope, entry.history
    people = [Recipient(address, behalf=_behalf(old)) for address in recipients]
    people = people or [one for to in history.with_verdict("fail", "expire", "cancel") if (one := old.recipients[to]).outcome is None]
    if not people:
        raise Problem(f"all recipients of message {old.id} have got it; name others with --to", "bad-message")
    options = {name: value for name, value in old.options.items() if name not in OF_THEN}
    return copied(old, new_id(now), rfc3339(now), people, options)


def copied(old: Envelope, id: str, created: str, people: list[Recipient], options: Mapping[str, object]) -> Envelope:
    """The envelope `id` of the message of `old`, `created` then (RFC 3339), for other `people`."""
    return Envelope(
        id,
        created,
        old.sender,
        people,
        message_id=old.message_id,
        subject=old.subject,
        priority=old.priority,
        submitter=old.submitter,
        options=options,
        parent=old.id,
    )


def _behalf(old: Envelope) -> str:
    """The address of ours on whose behalf others get mail of strangers now: the one that it was for. Our own people's needs none."""
    first = old.recipients[0]
    return (first.behalf or first.address) if old.foreign else ""
