"""What is asked of a journal and what is written to it: the interface, and the value that crosses it.

There is one writer, the daemon, and any number of readers, which may be other processes: `mailer events`, the senders of webhooks, the
publisher of a message queue, event streams. Each reader that has to go on where it was has a cursor, a name and the ID of the last event
that it is done with. It has neither a path nor a descriptor in it: implementations are `mailer.journal.files` and `mailer.journal.memory`.

Every reader hears each event at least once. After a crash it may be there twice, under two IDs, and with one `JournalEvent.same`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

from mailer.mail.dates import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

EventType = Literal[
    "accepted", "delivered", "deferred", "failed", "expired", "cancelled", "bounced", "complained", "unsubscribed", "suppressed", "alarm"
]
"""What happened: to a recipient of a message, or, of an ``alarm``, here."""

TYPES: tuple[EventType, ...] = get_args(EventType)

TYPE_OF: dict[str, EventType] = {type: type for type in TYPES}
"""By the word in a line; a word of a later version is none."""

FINAL: frozenset[EventType] = frozenset(("delivered", "failed", "expired", "cancelled", "suppressed"))
"""Of these a recipient has one, after which no attempt is made."""

LONGEST_REPLY = 2000  # characters of a reply that are kept: a line has a bound
PAGE = 500
"""Events that are read at once, unless somebody says otherwise."""


class JournalEvent(NamedTuple):
    """An event: one line of the journal. What it does not have is empty, or 0.

    `id` is given by the journal when it is written. `at` is when it happened and `next` when the message is tried again, in seconds since
    the epoch. `message` is its ID in the spool, `to` the recipient; `key` and `stream` say who submitted it. `code`, `enhanced` and
    `reply` are what the host said (RFC 5321 §4.2, RFC 3463), or we did in its place; `tls` is what was achieved. `class_` is the cause
    (`mailer.mail.outcome.Cause`), of a bounce its class, and of an alarm its kind; `attempt` counts the tries at the recipient so far.
    An alarm has its key in `host`, its words in `reply`, and in `to` whether it has ``begun`` or is ``over``.
    """

    id: str
    at: float
    type: EventType
    message: str = ""
    request_id: str = ""
    key: str = ""
    stream: str = ""
    to: str = ""
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    host: str = ""
    tls: str = ""
    class_: str = ""
    attempt: int = 0
    next: float = 0.0

    @property
    def same(self) -> tuple[str, str, str, str]:
        """What two events share that are one, told again after a crash: message, recipient, and what came of it.

        A recipient is done with once, whenever that was, and put off once at a moment: as files write it, for it may come from there.
        """
        if self.type in FINAL:
            return self.message, self.to, "final", ""
        return self.message, self.to, self.type, "" if self.type == "accepted" else rfc3339(self.at)

    def as_json(self) -> dict[str, object]:
        """The event as everybody is told it; what is absent is null."""
        return {
            "id": self.id,
            "at": rfc3339(self.at),
            "type": self.type,
            "message": self.message or None,
            "request_id": self.request_id or None,
            "key": self.key or None,
            "stream": self.stream or None,
            "to": self.to or None,
            "code": self.code or None,
            "enhanced": self.enhanced or None,
            "reply": self.reply or None,
            "host": self.host or None,
            "tls": self.tls or None,
            "class": self.class_ or None,
            "attempt": self.attempt or None,
            "next": rfc3339(self.next) if self.next else None,
        }

    def as_line(self) -> bytes:
        """The line of the journal, with its end: `as_json`, put together by hand, which takes a quarter of the time.

        `id` comes first, which is how a line is found.
        """
        id, at, type, message, request_id, key, stream, to, code, enhanced, reply, host, tls, class_, attempt, next = self
        return (
            f'{{"id":"{id}","at":"{rfc3339(at)}","type":"{type}","message":{_quoted(message) if message else "null"},'
            f'"request_id":{_quoted(request_id) if request_id else "null"},"key":{_quoted(key) if key else "null"},'
            f'"stream":{_quoted(stream) if stream else "null"},"to":{_quoted(to) if to else "null"},"code":{code or "null"},'
            f'"enhanced":{_quoted(enhanced) if enhanced else "null"},"reply":{_quoted(reply) if reply else "null"},'
            f'"host":{_quoted(host) if host else "null"},"tls":{_quoted(tls) if tls else "null"},'
            f'"class":{_quoted(class_) if class_ else "null"},"attempt":{attempt or "null"},'
            f'"next":{_quoted(rfc3339(next)) if next else "null"}}}\n'
        ).encode("ascii")


_quoted = json.encoder.encode_basestring_ascii


def from_line(line: bytes) -> JournalEvent | None:
    """The event of a line; None for one that a crash or somebody's hand has damaged, or of a type that only a later version knows."""
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or (type := TYPE_OF.get(_text(found, "type"))) is None:
            return None
        again = _text(found, "next")
        return JournalEvent(
            _text(found, "id"),
            parse_rfc3339(_text(found, "at")),
            type,
            _text(found, "message"),
            _text(found, "request_id"),
            _text(found, "key"),
            _text(found, "stream"),
            _text(found, "to"),
            _count(found, "code"),
            _text(found, "enhanced"),
            _text(found, "reply"),
            _text(found, "host"),
            _text(found, "tls"),
            _text(found, "class"),
            _count(found, "attempt"),
            parse_rfc3339(again) if again else 0.0,
        )
    except (ValueError, RecursionError):
        return None


def _text(found: Mapping[str, object], name: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name!r} is no text")
    return value


def _count(found: Mapping[str, object], name: str) -> int:
    value = found.get(name)
    if value is None:
        return 0
    if type(value) is not int:
        raise ValueError(f"{name!r} is no number")
    return value


class Behind(NamedTuple):
    """How far a reader is behind: how many `events` it has not had, and how many `seconds` ago the oldest of them happened."""

    events: int
    seconds: float


class Held(NamedTuple):
    """What there is of a journal: so many `events`, of so many `bytes`, and `since` when nothing is missing (seconds since the epoch)."""

    events: int
    bytes: int
    since: float


class Journal(Protocol):
    """A journal. Methods raise `OSError` where its disk, or whatever keeps it, has trouble, and `ValueError` for a name of no cursor."""

    # The daemon alone

    async def append(self, events: Sequence[JournalEvent]) -> Sequence[JournalEvent]:
        """Write events down, in this order, all of them or none; returns them with their IDs once they are durable.

        IDs ascend, whatever the clock does, and beyond whatever cursor there is. An `id` that is given is not looked at.
        """

    async def keep(self, seconds: float, size: int, living: Collection[str]) -> Mapping[str, int]:
        """Delete what is older than so many `seconds`, and what makes the journal larger than `size` bytes.

        What the cursors named `living` still need is deleted for its size only: how many events each of them has lost now is returned, and
        counted by `lost`. What is there to be written to is begun, if that was not done before.
        """

    async def close(self) -> None:
        """End what was begun for this journal in this process."""

    # Whoever reads

    async def read(self, after: str = "", limit: int = PAGE) -> Sequence[JournalEvent]:
        """At most `limit` events that come after the ID `after`, in order; after "" and after what was deleted, from the oldest on.

        None where there are no more; a page may be shorter than its limit, and has at least one event where there are some.
        """

    async def wait(self, after: str = "") -> None:
        """Wait until there is an event after that ID, also one that another process writes."""

    async def first(self) -> str:
        """The ID of the oldest event; "" if there is none."""

    async def last(self) -> str:
        """The ID of the newest event; "" if there is none. Who reads after it hears what happens from now on."""

    async def held(self) -> Held:
        """How much there is."""

    # Cursors

    async def cursor(self, name: str) -> str:
        """Where that reader is: the ID of the last event that it is done with; "" if it has never said so."""

    async def move(self, name: str, to: str) -> None:
        """Note, durably, that the reader `name` is done with everything up to the ID `to`. One process at a time moves a cursor."""

    async def cursors(self) -> Mapping[str, str]:
        """All cursors by their names."""

    async def forget(self, name: str) -> None:
        """Delete a cursor, and what is counted of it."""

    async def behind(self, name: str) -> Behind:
        """How much there is after the cursor."""

    async def lost(self, name: str) -> int:
        """How many events were deleted before that reader had them, in all."""
