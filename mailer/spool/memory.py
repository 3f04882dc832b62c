"""A spool in memory: what `api.Spool` asks, and nothing of a disk. For tests, and to show that the interface is one.

It keeps no promise over the end of the process. `now` is the clock by which messages come and go, in seconds since the epoch.
"""

from __future__ import annotations

import time
from asyncio import Event
from math import inf
from typing import TYPE_CHECKING, cast

from mailer.mail.dates import parse_rfc3339
from mailer.mail.envelope_reader import EnvelopeError, from_line
from mailer.mail.history import History
from mailer.mail.outcome import cancelled
from mailer.mail.problem import Conflict, Problem

from .api import (
    Acted,
    ActedOn,
    Busy,
    Changes,
    CorruptMessage,
    Defer,
    Done,
    Drop,
    Due,
    Entry,
    Fail,
    How,
    Lease,
    New,
    NoSuchMessage,
    Note,
    Put,
    Swept,
    Trouble,
    still_boxed,
)
from .replay import renewed
from .suspensions import Suspensions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from mailer.mail.outcome import Outcome
    from mailer.mail.principal import Principal

    from .api import Act, End, Reserve, Retention, State
    from .suspensions import Suspension


class MemoryMessage:
    """A message as it is kept in memory: its state, since when, and a number that grows with each change."""

    def __init__(self, new: New, at: float) -> None:
        self.new = new
        self.state: State = new.state
        self.due = new.due
        self.changed = at
        self.outcomes: list[Outcome] = []
        self.notes: list[Note] = []
        self.version = 0
        self.leased = False


class MemoryEntry(Entry):
    """An entry, and the version of the kept message that it shows."""

    __slots__ = ("version",)

    version: int


class MemoryLease(Lease):
    """A lease of a message that is kept in memory."""

    __slots__ = ("stored",)

    def __init__(self, entry: Entry, stored: MemoryMessage) -> None:
        super().__init__(entry)
        self.stored = stored

    def valid(self) -> bool:
        """Whether the lease holds: until it is settled."""
        return self.stored.leased


class MemorySpool:
    """A spool in memory: `messages` by ID, `corrupt` what was set aside."""

    place = "memory"

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.messages: dict[str, MemoryMessage] = {}
        self.corrupt: dict[str, New] = {}
        self.full = ""
        """What it lacks room for, as a test says."""
        self._requests: dict[tuple[Principal | None, str], tuple[str, str]] = {}
        self._suspensions: dict[str, Suspension] = {}
        self._values: dict[str, bytes] = {}
        self._changes: list[str] = []
        self._rung = Event()

    # In

    async def put(self, batch: Sequence[New]) -> Sequence[Put | Problem]:
        """Keep the messages."""
        return [self._put(new) for new in batch]

    def _put(self, new: New) -> Put | Problem:
        if new.request is not None:
            request, digest = new.request
            id, known = self._requests.setdefault((new.who, request), (new.id, digest))
            if known != digest:
                return Conflict(f"request id {request!r} was used for another message ({id}); nothing was queued")
            if id != new.id:
                return Put(id, known=True)
        if new.id in self.messages:
            return Put(new.id, known=True)
        self.messages[new.id] = MemoryMessage(new, self.now())
        self._ring(new.id)
        return Put(new.id)

    async def room(self, keep: Reserve, size: int = 0) -> str:  # noqa: ARG002
        """What the spool lacks, as a test says."""
        return self.full

    # What is there

    async def listen(self) -> None:
        """Do nothing: every change is noted anyway."""

    async def changes(self) -> Changes:
        """Wait for a change."""
        while not self._changes:
            self._rung.clear()
            await self._rung.wait()
        heard, self._changes = self._changes, []
        return Changes([id for id in heard if id], suspensions="" in heard)

    def _ring(self, id: str) -> None:
        self._changes.append(id)
        self._rung.set()

    async def due(self, known: Callable[[str], bool], *, dated: bool = False) -> AsyncIterator[Sequence[Due | Trouble]]:
        """All messages that wait, in one portion."""
        waiting = [(id, each) for id, each in self.messages.items() if each.state in ("queued", "deferred") and not known(id)]
        yield [Due(id, each.state, self._due(each), each.changed if dated or each.state == "deferred" else 0.0) for id, each in waiting]

    async def find(self, ids: Sequence[str]) -> Sequence[Due | None]:
        """State and time of each message."""
        return [Due(id, each.state, self._due(each)) if (each := self.messages.get(id)) else None for id in ids]

    @staticmethod
    def _due(stored: MemoryMessage) -> float:
        return stored.due if stored.state == "deferred" else 0.0

    async def load(self, ids: Sequence[str], most: float = inf) -> Sequence[Entry | Trouble]:
        """Give the messages that wait."""
        return [self._loaded(id, most) for id in ids]

    def _loaded(self, id: str, most: float) -> Entry | Trouble:
        stored = self.messages.get(id)
        if stored is None or stored.state not in ("queued", "deferred"):
            return Trouble(id, "gone", str(NoSuchMessage(id)))
        if len(stored.new.content) > most:
            return Trouble(id, "large")
        try:
            return self._entry(stored)
        except CorruptMessage as error:
            return Trouble(id, "corrupt", str(error))

    def _entry(self, stored: MemoryMessage) -> MemoryEntry:
        new = stored.new
        try:
            envelope = from_line(new.envelope)
            arrived = parse_rfc3339(envelope.created)
        except (EnvelopeError, ValueError) as error:
            raise CorruptMessage(str(error)) from None
        history = History(len(envelope.recipients), stored.outcomes)
        total = len(new.envelope) + len(new.content) + history.weight
        said = new.id, stored.state, envelope, len(new.content), history, self._due(stored), arrived, total, tuple(stored.notes)
        entry = MemoryEntry(*said)
        entry.version = stored.version
        return entry

    async def content(self, entry: Entry) -> bytes:
        """The content that was put."""
        return self._stored(entry.id).new.content

    def _stored(self, id: str) -> MemoryMessage:
        if (stored := self.messages.get(id)) is None:
            raise NoSuchMessage(id)
        return stored

    def forget(self, entries: Sequence[Entry]) -> None:
        """Do nothing: no content is kept twice."""

    def shrink(self) -> None:
        """Do nothing: no content can be given up."""

    # Ours to change

    async def lease(self, entries: Sequence[Entry]) -> Sequence[Lease | Trouble]:
        """Give a lease of each message that is as it was."""
        return [self._leased(cast("MemoryEntry", entry)) for entry in entries]

    def _leased(self, entry: MemoryEntry) -> Lease | Trouble:
        stored = self.messages.get(entry.id)
        if stored is not None and stored.leased:
            return Trouble(entry.id, "busy", str(Busy(entry.id)))
        if stored is None or stored.version != entry.version:
            return Trouble(entry.id, "gone", str(NoSuchMessage(entry.id)))
        stored.leased = True
        return MemoryLease(entry, stored)

    async def record(self, news: Sequence[tuple[Lease, Sequence[Outcome]]]) -> Sequence[Done | Trouble]:
        """Keep what was learned."""
        return [self._recorded(cast("MemoryLease", lease), outcomes) for lease, outcomes in news]

    def _recorded(self, lease: MemoryLease, outcomes: Sequence[Outcome]) -> Done | Trouble:
        stored = lease.stored
        if self.messages.get(lease.entry.id) is not stored or not stored.leased:
            return Trouble(lease.entry.id, "gone", str(NoSuchMessage(lease.entry.id)))
        stored.outcomes += outcomes
        stored.version += 1
        return Done()

    async def settle(self, ends: Sequence[End]) -> Sequence[Done | Trouble]:
        """Carry out the ends, in the order of a disk."""
        return [self._settled(end, cast("MemoryLease", end.lease)) for end in ends]

    def _settled(self, end: End, lease: MemoryLease) -> Done | Trouble:
        stored, id = lease.stored, lease.entry.id
        if not stored.leased or self.messages.get(id) is not stored:
            return Trouble(id, "gone", str(NoSuchMessage(id)))
        put: list[str] = []
        for report in end.reports:
            done = self._put(report)
            if isinstance(done, Problem):
                return Trouble(id, "report", str(done), tuple(put), done)
            if not done.known:
                put.append(done.id)
        stored.notes += end.notes
        if end.outcomes:
            self._recorded(lease, end.outcomes)
        if isinstance(end.then, Drop):
            del self.messages[id]
        elif isinstance(end.then, Fail):
            self._move(stored, "failed")
        elif isinstance(end.then, Defer):
            stored.due = end.then.due
            self._move(stored, "deferred")
        stored.leased = False
        lease.entry.state, lease.entry.due = stored.state, self._due(stored)
        return Done(tuple(put))

    def _move(self, stored: MemoryMessage, state: State) -> None:
        stored.state = state
        stored.changed = self.now()
        stored.version += 1

    # Operators

    async def act(self, what: Act, ids: Sequence[str], at: float, how: How | None = None, cursor: str = "", *, dry: bool = False) -> Acted:
        """Do an operator's act to all messages at once."""
        start = ids.index(cursor) + 1 if cursor in ids else 0
        return Acted([self._acted(what, id, at, how or How(), dry=dry) for id in ids[start:]])

    def _acted(self, what: Act, id: str, at: float, how: How, *, dry: bool) -> ActedOn:
        stored = self.messages.get(id)
        if stored is None or (what == "replay" and stored.state != "failed"):
            return ActedOn(id, stored.state if stored else "", NoSuchMessage(id))
        was, entry = stored.state, self._entry(stored)
        if was == "failed" and what != "replay":
            return ActedOn(id, was, Problem(f"message {id} is done with ({entry.status})", "bad-message"))
        if was == "deferred" and what == "release":
            return ActedOn(id, was, Problem(f"message {id} is not held (it is {entry.status})", "bad-message"))
        if stored.leased and not dry:
            return ActedOn(id, was, Busy(id))
        if refused := still_boxed(entry, what, how):
            return ActedOn(id, was, refused)
        try:
            made = "" if dry else self._done(what, stored, entry, at, how)
        except Problem as problem:
            return ActedOn(id, was, problem)
        return ActedOn(id, was, None, made)

    def _done(self, what: Act, stored: MemoryMessage, entry: Entry, at: float, how: How) -> str:
        made = ""
        if what == "release" and entry.boxed and how.boxed == "live":
            stored.notes.append(Note("live", at))
        if what == "hold":
            self._move(stored, "held")
        elif what == "release" or (what == "retry" and stored.state == "deferred"):
            self._move(stored, "queued")
        elif what == "cancel":
            stored.outcomes += cancelled(entry.history.pending(), how.why, at)
            self._move(stored, "failed")
        elif what == "replay":
            envelope = renewed(entry, how.recipients, at, again=how.again)
            made = envelope.id
            self._put(New(made, envelope.to_line(), stored.new.content))
            stored.notes.append(Note("replayed", at, made))
        self._ring(made or entry.id)
        return made

    async def suspend(self, suspension: Suspension) -> bool:
        """Keep the suspension."""
        self._suspensions[suspension.target] = suspension
        self._ring("")
        return True

    async def resume(self, target: str, now: float) -> bool:  # noqa: ARG002
        """Forget the suspension of `target`. Raises `Problem` (no-such)."""
        if self._suspensions.pop(target, None) is None:
            raise Problem(f"{target} is not paused; `mailer queue pauses` lists what is", "no-such")
        self._ring("")
        return True

    async def suspensions(self) -> Suspensions:
        """Give all suspensions."""
        return Suspensions(self._suspensions.values())

    async def postpone(self, before: Sequence[Suspension], seconds: float, now: float) -> None:  # noqa: ARG002
        """Let the suspensions that are as they were `before` last longer."""
        for each in before:
            if self._suspensions.get(each.target) == each:
                self._suspensions[each.target] = each._replace(until=each.until + seconds, at=each.at + seconds)

    async def read(self, id: str) -> Entry:
        """Message `id`, in whatever state."""
        return self._entry(self._stored(id))

    async def raw(self, id: str, start: int, end: int) -> bytes:
        """The bytes `start` to `end` of the file that message `id` would be on a disk."""
        from .files.enqueue import head
        from .files.message_file import render_note, render_records

        stored = self._stored(id)
        new = stored.new
        parts = head(new.envelope, new.content), new.envelope, new.content, render_records(stored.outcomes), *map(render_note, stored.notes)
        return b"".join(parts)[start:end]

    async def counts(self) -> Mapping[str, int]:
        """How many messages are in each state."""
        counts: dict[str, int] = dict.fromkeys(("queued", "deferred", "held", "failed"), 0)
        for stored in self.messages.values():
            counts[stored.state] += 1
        return {**counts, "corrupt": len(self.corrupt)}

    # What else is kept

    async def remember(self, values: Mapping[str, bytes]) -> None:
        """Keep the values."""
        self._values.update(values)

    async def recall(self, name: str) -> bytes | None:
        """The value that is kept under `name`."""
        return self._values.get(name)

    async def sweep(self, now: float, keep: Retention) -> Swept:
        """Remove failed messages that are past their time."""
        old = [id for id, each in self.messages.items() if each.state == "failed" and now - each.changed > keep.failed]
        gone = [id for id in old if not self.messages[id].leased and self._entry(self.messages[id]).history.done]
        for id in gone:
            del self.messages[id]
        return Swept(believed=True, removed=len(gone))

    async def set_aside(self, id: str) -> str:
        """Keep message `id` apart."""
        self.corrupt[id] = self._stored(id).new
        del self.messages[id]
        return f"corrupt/{id}"

    async def close(self) -> None:
        """Do nothing: nothing was begun."""
