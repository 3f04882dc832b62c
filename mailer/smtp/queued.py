"""The next hop's own name for a message, read from its last reply.

Nothing standardises it, but nearly everybody says it, and it is what one asks the other side's
postmaster about: ``250 2.0.0 Ok: queued as 4XyZ1``, ``250 OK id=1tXyZ-0001``.
"""

from __future__ import annotations

import re

_PATTERNS = (
    re.compile(r"\bqueued as ([\w.:-]{4,64})", re.IGNORECASE),  # Postfix, Haraka, mailer
    re.compile(r"\bid=([\w.-]{4,64})"),  # Exim
    re.compile(r"\b(?:ok|accepted|queued),?:? +(?:id )?<?([\w.-]*\d[\w.-]{5,63})>?(?: |$)", re.IGNORECASE),  # SES, Gmail, others
)


def queue_id(text: str) -> str:
    """The queue ID in a reply's text, ``""`` if it names none."""
    for pattern in _PATTERNS:
        if match := pattern.search(text):
            return match[1].rstrip(".")
    return ""
