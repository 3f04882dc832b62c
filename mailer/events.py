"""What happened, told to everybody who wants to know: status, reports, log, metrics.

An event is told after the spool has the news, and told again after a crash; a listener that hears it
twice must end up where hearing it once leads. A listener never slows delivery down and never stops it:
`Events.tell` reports a listener's exception as a bug and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.mail.history import Status
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.status.standing import Standing


AlarmKind = Literal[
    "bug", "clock", "config", "damaged", "descriptors", "disk", "dkim", "doorbell", "drop", "intake", "invariant", "later",
    "login", "memory", "metrics", "pauses", "refused", "report", "reports", "sandbox", "spool", "status", "stuck", "traces", "warmup",
]  # fmt: skip
"""What an alarm is about, in a word that does not change: what a monitoring system goes by."""

DaemonNews = Literal[
    "started", "ready", "reloaded", "reload-refused", "stopping", "stopped", "paused", "resumed", "online", "room", "sandbox"
]
"""What a daemon tells of itself; paused and resumed are said of a destination, online of the network, room of the disk,
sandbox of whose mail does not get to whom it names."""


@dataclass(slots=True)
class Event:
    """An event: something happened at `at` (seconds since the epoch)."""

    at: float


@dataclass(slots=True)
class Seen(Event):
    """The daemon has found this message in the spool: it was just put, or was there at the start."""

    entry: Entry


@dataclass(slots=True)
class Tried(Event):
    """An attempt taught these outcomes; the entry's history has them already."""

    entry: Entry
    outcomes: Sequence[Outcome]


@dataclass(slots=True)
class Settled(Event):
    """The attempt is over.

    `status` is sent, deferred, failed, expired or cancelled; `due` is the next try (seconds since the epoch) or 0.0.
    """

    entry: Entry
    status: Status
    due: float = 0.0


@dataclass(slots=True)
class Changed(Event):
    """An operator moved the message: `status` is queued, held or cancelled."""

    entry: Entry
    status: Status


@dataclass(slots=True)
class Corrupt(Event):
    """A file of the spool is no message; it was set aside at `path`."""

    id: str
    reason: str
    path: str = ""


@dataclass(slots=True)
class Alarm(Event):
    """Something needs a person: a relay refuses our password, the disk is full."""

    what: AlarmKind
    detail: str

    @classmethod
    def of(cls, at: float, error: BaseException) -> Alarm:
        """The alarm for an error that was not foreseen: a ``bug`` of ours, or that ``memory`` is short."""
        if isinstance(error, MemoryError):
            return cls(at, "memory", "something was given up: this process gets no more memory")
        return cls(at, "bug", f"{type(error).__name__}: {error}")


@dataclass(slots=True)
class Daemon(Event):
    """The daemon itself: what it begins, and what it goes on with."""

    what: DaemonNews
    detail: str = ""


@dataclass(slots=True)
class Standings(Event):
    """How it stands with the destinations: those where something `changed`, and the keys of those that are `gone`.

    `first`: these are all there are, and what was known of others is out of date. Told to the recorder alone.
    """

    changed: Sequence[Standing]
    gone: Sequence[str] = ()
    first: bool = False


class Listener(Protocol):
    """One that is told of every event."""

    def told(self, event: Event) -> None:
        """Take note of `event`; must be quick and must bear being told twice."""


class Events:
    """The switchboard: tells each listener in turn."""

    def __init__(self, listeners: Sequence[Listener], bug: Callable[[Exception], None]) -> None:
        self.listeners = list(listeners)
        self.bug = bug

    def tell(self, event: Event) -> None:
        """Tell all listeners. One that fails is reported to `bug`; the others still hear."""
        for listener in self.listeners:
            try:
                listener.told(event)
            except Exception as error:
                self.bug(error)
