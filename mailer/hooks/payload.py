"""What is posted of an event. Pure.

``standard`` is the event as `mailer events` prints it, below its type and time, as Standard Webhooks has it. ``listmonk`` is what that
takes at ``/webhooks/bounce``: a bounce, hard or soft, or a complaint; of other events it is told nothing.

Neither has a subject, a header or a body in it: the journal knows none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339

if TYPE_CHECKING:
    from mailer.journal.api import JournalEvent

HARD = frozenset(("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"))
"""Codes that are about a mailbox which is not there, or not used any more (RFC 3463 §3.2, §3.3, RFC 7505 §5). All else may be about us, or
pass: whoever removes a subscriber because of it removes a person who reads."""

HARD_CLASSES = frozenset(("unknown-user", "bad-domain", "moved", "inactive"))
"""What a report of another host means (`mailer.dsn.classes`) that is about such a mailbox, whatever code it has."""

SOURCE = "mailer"

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def payload(event: JournalEvent, format: str) -> bytes | None:
    """The body of the post about `event`; None where this format has none."""
    found = _listmonk(event) if format == "listmonk" else _standard(event)
    return _encode(found).encode("ascii") if found else None


def _standard(event: JournalEvent) -> dict[str, object]:
    return {"type": event.type, "timestamp": rfc3339(event.at), "data": event.as_json()}


def _listmonk(event: JournalEvent) -> dict[str, object] | None:
    if event.type not in ("failed", "expired", "bounced", "complained") or not event.to:
        return None
    meta = {"id": event.id, "message": event.message, "code": event.code or None, "reply": event.reply or None}
    return {"email": event.to, "source": SOURCE, "type": _kind(event), "meta": _encode(meta)}


def _kind(event: JournalEvent) -> str:
    if event.type == "complained":
        return "complaint"
    if event.type == "bounced" and event.class_ in HARD_CLASSES:
        return "hard"
    return "hard" if event.type != "expired" and event.enhanced in HARD else "soft"
