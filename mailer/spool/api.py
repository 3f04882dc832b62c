"""What is asked of a spool, whoever keeps it: files on a disk (`files.spool.FileSpool`), memory (`memory.MemorySpool`), a database.

Nothing that crosses is a path, a descriptor, an inode or a file's time, and what is asked of many messages is asked at once. A daemon
awaits each call; an implementation that need not wait returns at once (`at_once` is for those who have no event loop). The one thing that
is not asked here is how ``mailer send`` puts a message: that is `files.enqueue.put`, a plain function of the file spool.

The life of a message, and the verb of each step::

    put ─► queued ─► load ─► lease ─► (deliver) ─► record ─► settle ─┬─► Defer ─► deferred, due again at a time
              ▲        ▲                                             ├─► Fail ──► failed, kept until `sweep`
              │        └──────────────── due, find ──────────────────┼─► Drop ──► gone
              └── act: hold, release, retry, cancel, replay          └─► GiveBack: still where it was

A message is in exactly one state. It belongs to whoever holds its `Lease`: an operator's act and a daemon's never meet on one. What an
`End` asks for happens in one order: its reports are put, its notes and outcomes are written, then the message moves. A crash in between
leaves a message that is tried again, and reports that are known by their IDs.

For many machines these come later, beside what is here: partitions of destinations (``buckets`` and ``place``), whose they are (``terms``
and a lease's epoch), and a due time by destination.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from mailer.mail.envelope import Envelope
    from mailer.mail.history import History, Status
    from mailer.mail.outcome import Outcome
    from mailer.mail.principal import Principal

    from .suspensions import Suspension, Suspensions

T = TypeVar("T")
State = Literal["queued", "deferred", "held", "failed"]
Kind = Literal["gone", "busy", "corrupt", "newer", "large", "memory", "later", "report", "bug"]
Act = Literal["hold", "release", "retry", "cancel", "replay"]


class NoSuchMessage(Problem):
    """The spool has no message of that ID (no-such)."""

    def __init__(self, id: str) -> None:
        super().__init__(f"no message {id} is in the spool", "no-such")


class Busy(Problem):
    """The message is being delivered, or another command acts on it, at this moment (try-again)."""

    def __init__(self, id: str) -> None:
        super().__init__(f"message {id} is being delivered this moment; try again", "try-again")


class CorruptMessage(Exception):
    """What is stored is no message of ours; `str()` says why."""


class LaterMessage(CorruptMessage):
    """The message was written by a later version of the program: nothing is wrong with it but that we do not understand it."""


# What is put


class New(NamedTuple):
    """A message to put: its ID, its envelope as one line of JSON, its bytes (RFC 5322, CRLF), and when it is to leave.

    `request` is (request id, digest of what was asked): such a request is put once, and `who` made it, where that is not the spool's owner.
    `due` is in seconds since the epoch, 0.0 is at once. One that is `held` has no request, and waits for an operator.
    """

    id: str
    envelope: bytes
    content: bytes
    request: tuple[str, str] | None = None
    due: float = 0.0
    who: Principal | None = None
    held: bool = False

    @property
    def state(self) -> State:
        """Where it is put."""
        return "held" if self.held else "deferred" if self.due else "queued"


class Put(NamedTuple):
    """A message that is durable under `id`; `known`: it was put before, under that ID or by that request."""

    id: str
    known: bool = False


# What is there


class Due(NamedTuple):
    """A message, its state, and when it is due: seconds since the epoch, 0.0 for now and for what waits for no time.

    `changed` is when it came there, by the clock of then; 0.0 for what is queued where nobody asked.
    """

    id: str
    state: State
    due: float = 0.0
    changed: float = 0.0


class Note(NamedTuple):
    """A note, of what is remembered of a message besides outcomes, `at` (seconds since the epoch); `id` is the new message of a replay.

    ``warned``: the sender was told that it is late; ``replayed``: it was put again; ``released``: by an operator, with a damaged record;
    ``live``: it may leave, though a sandbox held when it was submitted.
    """

    what: str
    at: float
    id: str = ""


class Entry:
    """One message as it was read: its state, what it is, what happened to it so far.

    `size` is that of its content, in bytes, `total` that of all that is stored of it; `arrived` is when it was put, `due` when it is to be
    tried (0.0: now), both in seconds since the epoch. `damaged`: one of its records is, so that nobody knows who has it.
    """

    __slots__ = ("arrived", "damaged", "due", "envelope", "history", "id", "notes", "size", "state", "total")

    def __init__(
        self,
        id: str,
        state: str,
        envelope: Envelope,
        size: int,
        history: History,
        due: float,
        arrived: float,
        total: int = 0,
        notes: Sequence[Note] = (),
        *,
        damaged: bool = False,
    ) -> None:
        self.id = id
        self.state = state
        self.envelope = envelope
        self.size = size
        self.history = history
        self.due = due
        self.arrived = arrived
        self.total = total
        self.notes = notes
        self.damaged = damaged

    @property
    def appointed(self) -> float:
        """The time at which its sender wants it to leave, in seconds since the epoch; 0.0 for none, and once it was tried."""
        return 0.0 if self.history.last else self.envelope.due

    @property
    def status(self) -> Status:
        """The message's status in the words of ``mailer status``, as far as the spool knows it."""
        if self.state == "held":
            return "held"
        return self.history.status()

    @property
    def boxed(self) -> bool:
        """Whether a sandbox held when it was submitted, and nobody has said since that it may leave all the same."""
        return bool(self.envelope.options.get("sandbox")) and not any(note.what == "live" for note in self.notes)

    @property
    def ready(self) -> bool:
        """Whether its content can be had at once, so that nobody waits for it."""
        return True


class Trouble(NamedTuple):
    """Why something could not be done with message `id`, in words for people.

    ==========  ==================================================================================================
    ``gone``    it is not there any more, or not as it was read: somebody else has it, or had it
    ``busy``    somebody else holds its lease
    ``corrupt`` it is no message; `Spool.set_aside` takes it out of the way
    ``newer``   a later version of the program wrote it
    ``large``   it is larger than whoever asked can wait for
    ``memory``  this process has not enough for it now
    ``later``   the disk, or whatever stores it, does not do it now
    ``report``  a report does not go into the spool now
    ``bug``     a mistake of ours
    ==========  ==================================================================================================

    `reports` are the IDs of those that were put all the same. `error` is what was raised, for a log. `place` is where something is that was
    set aside.
    """

    id: str
    kind: Kind
    why: str = ""
    reports: tuple[str, ...] = ()
    error: Exception | None = None
    place: str = ""


def trouble_of(id: str, error: BaseException) -> Trouble:
    """What an error of message `id` says to somebody who asked for many."""
    kind: Kind = next((kind for kinds, kind in _KINDS if isinstance(error, kinds)), "bug")
    why = getattr(error, "strerror", "") or str(error) or "there is not enough memory"
    return Trouble(id, kind, why, error=error if isinstance(error, Exception) else None)


_KINDS: tuple[tuple[type[BaseException], Kind], ...] = (
    (NoSuchMessage, "gone"),
    (Busy, "busy"),
    (LaterMessage, "newer"),
    (CorruptMessage, "corrupt"),
    (MemoryError, "memory"),
    (OSError, "later"),
    (Problem, "report"),
)


class Changes(NamedTuple):
    """Hints of what is new: `ids`, all of it (`everything`), the `suspensions`, or `reports`. Some may be lost, and some come twice."""

    ids: Sequence[str] = ()
    everything: bool = False
    suspensions: bool = False
    reports: bool = False


# What is ours to change


class Lease:
    """A message that is ours to deliver or to move, until the `End` that gives it away is settled."""

    __slots__ = ("entry",)

    def __init__(self, entry: Entry) -> None:
        self.entry = entry

    def valid(self) -> bool:
        """Whether the message still is ours. Where a lease can run out, that is asked before MAIL and before the final dot."""
        raise NotImplementedError


class Defer(NamedTuple):
    """An end by which the message is put off until `due`, in seconds since the epoch."""

    due: float


class Fail(NamedTuple):
    """An end by which the message is given up, and kept for a while."""


class Drop(NamedTuple):
    """An end by which the message leaves the spool: every recipient has it. Its status was written before."""


class GiveBack(NamedTuple):
    """An end by which the message stays where it is."""


class End(NamedTuple):
    """How a lease ends: what was learned, what becomes of the message, the reports that are put before, and what is noted of them."""

    lease: Lease
    outcomes: Sequence[Outcome]
    then: Defer | Fail | Drop | GiveBack
    reports: Sequence[New] = ()
    notes: Sequence[Note] = ()


class Done(NamedTuple):
    """The step is done, and durable as far as the step promises that; `reports` are the IDs of those that were put now."""

    reports: tuple[str, ...] = ()


# What operators do


class ActedOn(NamedTuple):
    """One message of an act: done, unless a `problem` says why not; as it was before, and `made`, the ID of the one that a replay put."""

    id: str
    was: str = ""
    problem: Problem | CorruptMessage | None = None
    made: str = ""


class Acted(NamedTuple):
    """The messages that an act was done to; where `cursor` is not empty, the same call with it goes on."""

    messages: Sequence[ActedOn]
    cursor: str = ""


class How(NamedTuple):
    """What an operator says besides: `why` is in the records of a cancelled message; `recipients` and `again` are for a replay.

    `boxed` is for the release of what was submitted in a sandbox: it stays where it is (``stay``), may leave (``live``), or
    is a matter of the sandbox that holds now (``box``).
    """

    why: str = "cancelled by an operator"
    recipients: Sequence[str] = ()
    again: bool = False
    boxed: Literal["stay", "live", "box"] = "stay"


PLAINLY = How()
"""Nothing is said besides."""


def still_boxed(entry: Entry, what: Act, how: How) -> Problem | None:
    """Why a message of a sandbox is not released, if it is not."""
    if what != "release" or how.boxed != "stay" or not entry.boxed:
        return None
    return Problem(f"message {entry.id} was submitted in a sandbox, and none holds now: --yes lets it go to whom it names", "bad-message")


class Swept(NamedTuple):
    """A sweep: how many files were `removed`, and whether the clock was `believed`: by one that may be wrong, nothing is."""

    believed: bool
    removed: int = 0


class Retention(NamedTuple):
    """For how many seconds failed messages are kept, and request ids known."""

    failed: float
    requests: float


class Reserve(NamedTuple):
    """What is to stay free for the daemon's own work: bytes, and files."""

    space: int
    files: int


def no_room(spool: Spool, lack: str) -> Problem:
    """What to say where `spool` has no room: it has `lack`."""
    return Problem(f"the disk of the spool {spool.place} has {lack}; nothing was queued, try again later", "try-again")


class Spool(Protocol):
    """A spool. Unless it says otherwise, a method raises nothing but bugs: what can go wrong with one message is a value."""

    @property
    def place(self) -> str:
        """Where the spool is, for people."""

    # In

    async def put(self, batch: Sequence[New]) -> Sequence[Put | Problem]:
        """Make messages durable; idempotent by ID and by request. A `Problem` says as `files.enqueue.put` does why one is not."""

    async def room(self, keep: Reserve, size: int = 0) -> str:
        """What the spool lacks if `size` more bytes are to leave `keep` free; empty if nothing."""

    # What is there

    async def listen(self) -> None:
        """Note from now on what changes. Raises `OSError`: then the look at all that is `due` finds out."""

    async def changes(self) -> Changes:
        """Wait for hints of what others have changed; after `listen`."""

    def due(self, known: Callable[[str], bool], *, dated: bool = False) -> AsyncIterator[Sequence[Due | Trouble]]:
        """All that waits to be delivered and is not `known`, in portions after each of which others may work; `dated` with `Due.changed`.

        What lies there and is no message is set aside, and told as ``corrupt``. Raises `OSError`.
        """

    async def find(self, ids: Sequence[str]) -> Sequence[Due | None]:
        """State and time of each message; None where there is none."""

    async def load(self, ids: Sequence[str], most: float = inf) -> Sequence[Entry | Trouble]:
        """Messages that are to be delivered. One of more than `most` bytes is ``large``, and not read."""

    async def content(self, entry: Entry) -> bytes:
        """The bytes of a message that was loaded. Raises `NoSuchMessage`, `CorruptMessage`, `OSError`, `MemoryError`."""

    def forget(self, entries: Sequence[Entry]) -> None:
        """Let go of what is kept in memory for `entries`, which are not going to be leased soon, or not any more."""

    def shrink(self) -> None:
        """Let go of the content of what waits, as memory is short: it is read again when its turn comes."""

    # Ours to change

    async def lease(self, entries: Sequence[Entry]) -> Sequence[Lease | Trouble]:
        """Take messages that were loaded; ``gone`` if one is not as it was then. The lease has the entry itself. It never waits."""

    async def record(self, news: Sequence[tuple[Lease, Sequence[Outcome]]]) -> Sequence[Done | Trouble]:
        """Write down what was learned, durably, while the attempt goes on."""

    async def settle(self, ends: Sequence[End]) -> Sequence[Done | Trouble]:
        """Carry out the ends. After ``gone``, nothing was changed and the lease is over.

        After ``later``, ``report`` and ``bug`` it is held on, and the same end is to be settled again, but for the reports that were put.
        """

    # Operators

    async def act(self, what: Act, ids: Sequence[str], at: float, how: How | None = None, cursor: str = "", *, dry: bool = False) -> Acted:
        """Do an operator's act to each message; safe beside deliveries. `at` is now. `dry`: only say what would happen.

        Raises `Problem` where the disk, or whatever stores them, has trouble; what was done by then is done.
        """

    async def suspend(self, suspension: Suspension) -> bool:
        """Let mail for a target wait; whether a daemon heard of it. Raises `Problem`."""

    async def resume(self, target: str, now: float) -> bool:
        """Let mail for a target go on; whether a daemon heard of it. Raises `Problem` (no-such) if it does not wait."""

    async def suspensions(self) -> Suspensions:
        """All suspensions, those that are over too. Raises `Problem` (bad-message), `OSError`."""

    async def postpone(self, before: Sequence[Suspension], seconds: float, now: float) -> None:
        """Let what was suspended `before` the clock was set by so many seconds last as long as it was to. Raises `Problem`."""

    async def read(self, id: str) -> Entry:
        """Message `id`, in whatever state. Raises `NoSuchMessage`, `CorruptMessage`, `OSError`."""

    async def raw(self, id: str, start: int, end: int) -> bytes:
        """A part of any message as `mailer-spool(5)` writes it, of `Entry.total` bytes in all. Raises as `read` does."""

    async def counts(self) -> Mapping[str, int]:
        """How many messages are in each state, and ``corrupt``."""

    # What else is kept

    async def remember(self, values: Mapping[str, bytes]) -> None:
        """Keep small values by name, each whole or as it was. Raises `OSError`."""

    async def recall(self, name: str) -> bytes | None:
        """The value of that name, if there is one. Raises `OSError`."""

    async def sweep(self, now: float, keep: Retention) -> Swept:
        """Remove what is past its time; never what is still to be delivered. Raises `OSError`."""

    async def set_aside(self, id: str) -> str:
        """Take what cannot be read out of the way, where nothing is ever deleted; returns where that is. Raises `OSError`."""

    async def close(self) -> None:
        """End what was begun for this spool in this process."""


def at_once(call: Coroutine[object, object, T]) -> T:
    """What a call returns that need not wait, for those who have no event loop. Raises what it raises, and `RuntimeError` if it waits."""
    try:
        call.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    call.close()
    raise RuntimeError("the call would wait")
