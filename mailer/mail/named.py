"""The people that a message names: who gets it, who sends it, and who sent it on as it is; RFC 5322 §3.6.3, §3.6.6.

Where it was sent on, those of the last time are meant: To, Cc and From say who had it before. ``Resent-`` fields stand in blocks, the
newest above. Whoever writes one must say who does so and when, and should name it; where a program did not, submission does.
"""

from __future__ import annotations

from .message import Change, Message, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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


def resent(message: Message, makers: Mapping[str, Callable[[], str]], changes: list[Change]) -> Message:
    """`message` with each field that its newest block of ``Resent-`` fields lacks and `makers` makes, if it has one.

    `makers` of Date, Message-ID and From are those of a message (`completed`). What was added is added to `changes`.
    """
    block = {name for name, _ in newest(message).fields()}
    if not block:
        return message
    lacking = [name for name in ("Date", "Message-ID", "From") if f"resent-{name}".lower().encode() not in block]
    added = [Change("added", f"Resent-{name}", "", value, "there was none") for name in lacking if (value := makers[name]())]
    changes += added
    lines = [f"{change.what}: {change.after}\r\n".encode() for change in added]
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
