"""Mail of strangers that an address of ours passes on: what is put on top of it right before it leaves. Nothing that is there is changed.

Its signatures are those of whoever wrote it, so it gets none of ours (`mailer.queue.signing` is for our own people's mail): a Delivered-To
field, by which it is known again when it comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.trace import delivered_to

if TYPE_CHECKING:
    from .attempt import Job


def behalf_of(job: Job) -> str:
    """The address of ours that passes the mail of `job` on to its recipients; empty where none does."""
    envelope = job.attempt.entry.envelope
    return envelope.recipients[job.recipients[0]].behalf if envelope.foreign else ""


def passed_on(content: bytes, behalf: str) -> bytes:
    """The message `content` as `behalf`, an address of ours, passes it on."""
    return delivered_to(behalf) + content if behalf.isascii() else content  # others would need SMTPUTF8 for a field of ours
