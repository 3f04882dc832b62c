"""The people that a message names: who gets it, who sends it, and who sent it on as it is; RFC 5322 §3.6.3, §3.6.6.

Where it was sent on, those of the last time are meant: To, Cc and From say who had it before. ``Resent-`` fields stand in blocks, the
newest above. Whoever writes one must say who does so and when, and should name it; where a program did not, submission does.
"""

from __future__ import annotations

from .message import Change, Message, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONCE = frozenset({b"resent-from", b"resent-sender", b"resent-date", b"resent-message-id"})
"""What each block has once: where it stands again, another block has begun."""

PEOPLE = (b"resent-to", b"resent-cc", b"resent-bcc")

TRACE = frozenset({b"received", b"return-path"})
"""What hosts put before a message: the block that stands below is older. RFC 5322 §3.6.7"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .envelope import RecipientType

TYPES: tuple[RecipientType, ...] = ("to", "cc", "bcc")


def recipients(message: Message) -> dict[str, RecipientType]:
    """Each address text of To, Cc and Bcc, or of Resent-To and so on, with the field that names it first: to, cc or bcc."""
    again = naming(message)
    fields, prefix = (again, b"resent-") if again.header else (message, b"")
    named: dict[str, RecipientType] = {}
    for type in TYPES:
        for value in fields.values(prefix + type.encode()):
            for text in listed(value):
                named.setdefault(text, type)
    return named


def author(message: Message) -> str:
    """The address text of who sends it, or of who re-sends it where somebody does; empty if nobody is named."""
    again = newest(message)
    values = (*again.values(b"resent-sender"), *again.values(b"resent-from")) if again.header else message.values(b"from")
    return next((text for value in values for text in listed(value)), "")


def resent(message: Message, author: Callable[[], str], date: str, message_id: str, changes: list[Change]) -> Message:
    """`message` with what its newest block of ``Resent-`` fields lacks, where it has one; `author` says who we are."""
    block = {name for name, _ in newest(message).fields()}
    if not block:
        return message
    made = [("Resent-Date", date), ("Resent-Message-ID", message_id)]
    added = [(name, value) for name, value in made if name.lower().encode() not in block]
    if b"resent-from" not in block and (who := author()):
        added.append(("Resent-From", who))
    changes += [Change("added", name, "", value, "there was none") for name, value in added]
    lines = [f"{name}: {value}\r\n".encode() for name, value in added]
    fields = list(message.fields())
    start = next((at for at, (name, _) in enumerate(fields) if name.startswith(b"resent-")), len(fields))
    header = [field for _, field in fields]
    return Message(b"".join([*header[:start], *lines, *header[start:]]), message.rest)


def newest(message: Message) -> Message:
    """The newest block, as a header; an empty one where nobody sent the message on."""
    return next(_blocks(message), Message(b"", b""))


def naming(message: Message) -> Message:
    """The newest block that names recipients, as a header: those above it say only who. An empty one where there is none."""
    return next((block for block in _blocks(message) if any(map(block.value, PEOPLE))), Message(b"", b""))


def _blocks(message: Message) -> Iterator[Message]:
    """The blocks that no host has put a line between, the newest first."""
    if b"resent-" not in message.header.lower():
        return
    block: list[bytes] = []
    seen: set[bytes] = set()
    for name, field in message.fields():
        if block and name in TRACE:
            break
        if name in seen and name in ONCE:
            yield Message(b"".join(block), b"")
            block, seen = [], set()
        if name.startswith(b"resent-"):
            seen.add(name)
            block.append(field)
    if block:
        yield Message(b"".join(block), b"")
