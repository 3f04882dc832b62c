"""What a failure means, in a word: the class of what became of a recipient, or of one attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.dsn.classes import class_of, classify, named

if TYPE_CHECKING:
    from mailer.dsn.classes import Class

    from .record import RecipientRecord
    from .story import Attempted


def judged_recipient(recipient: RecipientRecord, reported: str = "") -> Class:
    """As it was `reported`, else by our cause, else by what the host said; a complaint is one, whatever it says."""
    if recipient.status == "complained":
        return class_of("complaint")
    if recipient.status == "bounced" and named(reported):
        return class_of(reported, temporary=recipient.enhanced_code.startswith("4."))
    return classify(recipient.code, recipient.enhanced_code, recipient.reply, recipient.cause or "")


def judged_attempt(attempt: Attempted) -> Class:
    """By our cause, else by what the host said. What is tried again is not for good."""
    temporary = True if attempt.verdict == "defer" else None
    return classify(attempt.code, attempt.enhanced_code, attempt.text, attempt.cause or "", temporary=temporary)
