"""A message that somebody sends on as it is: who does so, when, and under which identifier; RFC 5322 §3.6.6.

Its ``Resent-`` fields stand in blocks, the newest above. Whoever writes one must say when, and should name it; where a program did
not, submission does.
"""

from __future__ import annotations

from .message import Change, Message


def resent(message: Message, date: str, message_id: str, changes: list[Change]) -> Message:
    """`message` with `date` and `message_id` in its newest block of ``Resent-`` fields, where it has one that lacks them."""
    fields = list(message.fields())
    start = next((at for at, (name, _) in enumerate(fields) if name.startswith(b"resent-")), len(fields))
    block: set[bytes] = set()
    for name, _ in fields[start:]:
        if not name.startswith(b"resent-") or name in block:  # below it another block begins
            break
        block.add(name)
    made = [("Resent-Date", date), ("Resent-Message-ID", message_id)]
    added = [(name, value) for name, value in made if block and name.lower().encode() not in block]
    changes += [Change("added", name, "", value, "there was none") for name, value in added]
    lines = [f"{name}: {value}\r\n".encode() for name, value in added]
    header = [field for _, field in fields]
    return Message(b"".join([*header[:start], *lines, *header[start:]]), message.rest)
