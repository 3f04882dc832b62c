"""The people that a message names: who gets it, and who sends it.

Where it was sent on, those of the last time are meant: To, Cc and From say who had it before.
"""

from __future__ import annotations

from .address import listed
from .message import Message


def recipients(message: Message) -> dict[str, str]:
    """Each address text of To, Cc and Bcc, or of Resent-To and so on, with the field that names it first: to, cc or bcc."""
    again = _resent(message, "naming")
    fields, prefix = (again, b"resent-") if again.header else (message, b"")
    named: dict[str, str] = {}
    for type in ("to", "cc", "bcc"):
        for value in fields.values(prefix + type.encode()):
            for text in listed(value):
                named.setdefault(text, type)
    return named


def author(message: Message) -> str:
    """The address text of who sends it, or of who re-sends it where somebody does; empty if nobody is named."""
    again = _resent(message, "newest")
    values = (*again.values(b"resent-sender"), *again.values(b"resent-from")) if again.header else message.values(b"from")
    return next((text for value in values for text in listed(value)), "")


def _resent(message: Message, which: str) -> Message:
    """The fields of who sent it on last, or of the last who named recipients; none where nobody did, and then nothing is imported."""
    if b"resent-" not in message.header.lower():
        return Message(b"", b"")
    from . import resent

    return resent.newest(message) if which == "newest" else resent.naming(message)
