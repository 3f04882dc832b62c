"""The JSON of a message and of its recipients, as every door gives it away: the one place where its members are named.

Times are RFC 3339 in UTC. What is absent (empty, 0, None) is null.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .envelope import Envelope, Recipient


def message(
    id: str,
    message_id: str,
    request_id: str,
    status: str,
    sender: str,
    subject: str,
    size: int,
    priority: str,
    *,
    queued_at: str,
    recipients: Sequence[dict[str, object]],
    last_attempt_at: str | None = None,
    next_attempt_at: str | None = None,
    sent_at: str | None = None,
    attempts: int = 0,
    stream: str = "",
) -> dict[str, object]:
    """A message; `size` is in bytes."""
    return {
        "id": id,
        "message_id": message_id or None,
        "request_id": request_id or None,
        "status": status,
        "from": sender,
        "subject": subject or None,
        "size": size,
        "priority": priority,
        "queued_at": queued_at,
        "last_attempt_at": last_attempt_at,
        "next_attempt_at": next_attempt_at,
        "sent_at": sent_at,
        "attempts": attempts,
        "recipients": recipients,
        "stream": stream or None,
    }


def recipient(
    address: str,
    type: str,
    status: str,
    *,
    updated_at: str,
    code: object = None,
    enhanced_code: object = None,
    reply: object = None,
    host: object = None,
    ours: bool = False,
    cause: object = None,
    besides: object = None,
) -> dict[str, object]:
    """One recipient of a message; `ours` is whether the reply is in our words, `besides` what else is known."""
    return {
        "address": address,
        "type": type,
        "status": status,
        "code": code or None,
        "enhanced_code": enhanced_code or None,
        "reply": reply or None,
        "host": host or None,
        "ours": ours,
        "cause": cause,
        "besides": besides or None,
        "updated_at": updated_at,
    }


def queued(envelope: Envelope, size: int) -> dict[str, object]:
    """A message of `size` bytes with what is known of it when it is queued."""
    at = envelope.options.get("at")
    return message(
        envelope.id,
        envelope.message_id,
        envelope.request_id,
        "deferred" if envelope.due else "queued",
        envelope.sender,
        envelope.subject,
        size,
        envelope.priority,
        queued_at=envelope.created,
        next_attempt_at=str(at) if at else None,
        stream=envelope.stream,
        recipients=[queued_recipient(recipient, envelope.created) for recipient in envelope.recipients],
    )


def queued_recipient(one: Recipient, at: str) -> dict[str, object]:
    """A recipient of a message that was queued `at` a time, with what is known of it then."""
    if (outcome := one.outcome) is None:
        return recipient(one.address, one.type, "queued", updated_at=at)
    return recipient(
        one.address,
        one.type,
        "failed" if outcome["verdict"] == "fail" else "sent",
        code=outcome["code"],
        enhanced_code=outcome["enhanced"],
        reply=outcome["text"],
        ours=outcome["cause"] is not None,
        cause=outcome["cause"],
        updated_at=at,
    )
