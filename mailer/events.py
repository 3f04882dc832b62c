"""What happened, told to everybody who wants to know: status, reports, log, metrics.

An event is told after the spool has the news, and told again after a crash; a listener that hears it
twice must end up where hearing it once leads. A listener never slows delivery down and never stops it:
`Events.tell` reports a listener's exception as a bug and goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mailer.mail.alarm import AlarmKind, OpenAlarm, Severity
    from mailer.mail.arrival import Arrival
    from mailer.mail.history import Status
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.status.standing import Standing
    from mailer.status.story import HeardReport


DaemonNews = Literal[
    "started", "ready", "reloaded", "reload-refused", "stopping", "stopped", "paused", "resumed", "online", "sandbox", "untold", "bug"
]
"""What a daemon tells of itself; paused and resumed are said of a destination, online of the network,
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
class Unsubscribed(Event):
    """Somebody wants no more mail of `stream` at `address`: he followed the link in message `message`, or somebody said so for him."""

    address: str
    stream: str
    message: str = ""


@dataclass(slots=True)
class Corrupt(Event):
    """A file of the spool is no message; it was set aside at `path`."""

    id: str
    reason: str
    path: str = ""


@dataclass(slots=True)
class ReportsHeard(Event):
    """A report of another host was read, matched and acted upon: what it says, recipient by recipient. The status has it by then."""

    reports: Sequence[HeardReport]


@dataclass(slots=True)
class Alarm(Event):
    """Something needs a person: a relay refuses our password, the disk is full.

    Told as often as it is met, by whoever meets it: `Events` has a book, which makes one `AlarmBegun` of that. `key` tells it from others
    of its kind: a destination, a domain. `severity` is that of the kind where it is empty.
    """

    what: AlarmKind
    detail: str
    key: str = ""
    remedy: str = ""
    severity: Severity | Literal[""] = ""

    @classmethod
    def of(cls, at: float, error: BaseException) -> Alarm:
        """The alarm for an error that was not foreseen: a ``bug`` of ours, or that ``memory`` is short."""
        if isinstance(error, MemoryError):
            return cls(at, "memory", "something was given up: this process gets no more memory")
        return cls(at, "bug", f"{type(error).__name__}: {error}", type(error).__name__)


@dataclass(slots=True)
class Mended(Event):
    """What an alarm was about is over, or was not there in the first place: it may be told as often as that is noticed.

    `detail` says how it ended.
    """

    what: AlarmKind
    key: str = ""
    detail: str = ""


@dataclass(slots=True)
class AlarmBegun(Event):
    """An alarm has begun. Told once, however often it is met until it ends."""

    alarm: OpenAlarm


@dataclass(slots=True)
class AlarmOver(Event):
    """An alarm has ended, which was told when it began; `detail` says how."""

    alarm: OpenAlarm
    detail: str


@dataclass(slots=True)
class AlarmsOpen(Event):
    """The alarms that are open now, all of them. Told to the recorder alone."""

    alarms: Sequence[OpenAlarm]


@dataclass(slots=True)
class Daemon(Event):
    """The daemon itself: what it begins, and what it goes on with."""

    what: DaemonNews
    detail: str = ""


@dataclass(slots=True)
class DoorNews(Event):
    """A process beside the daemon, by which mail comes in or news go out, tells of itself: `door` is the command that it is."""

    door: str
    what: DaemonNews
    detail: str = ""


@dataclass(slots=True)
class Requested(Event):
    """A request by HTTP was answered with `status`, after so many `seconds`.

    `path` is without what stands behind ``?``, for that may name people. `key` is the name of the caller's API key. `ref` is what a bug of
    ours is found by, and `reason` why a request was refused that nobody could read; that has no method.
    """

    client: str
    method: str
    path: str
    status: int
    seconds: float
    key: str = ""
    ref: str = ""
    reason: str = ""


@dataclass(slots=True)
class TakenIn(Event):
    """A message was taken at a door: it is in the spool as `id`, with these `recipients`. `verdict` is accept, mark or hold, and `why`
    says what spoke against the message, if anything did. `seconds` passed from its last octet to the answer. `mended`: its line ends had
    to be put right, or it had a NUL."""

    arrival: Arrival
    id: str
    sender: str
    recipients: Sequence[str]
    size: int
    verdict: str = "accept"
    why: str = ""
    seconds: float = 0.0
    mended: bool = False


@dataclass(slots=True)
class TurnedAway(Event):
    """A door refused a client, a sender, a recipient or a message, with `reply` as it was said.

    `phase` is the step of the session, as `Outcome.phase`. `reason` is a word for what stood against it, one of
    `mailer.mail.refusal_reason`. `recipient` is empty where it was not about one, and `why` says more for a person,
    where more is known.
    """

    arrival: Arrival
    phase: str
    reply: str
    reason: str
    sender: str = ""
    recipient: str = ""
    why: str = ""


@dataclass(slots=True)
class LoggedIn(Event):
    """A user has logged in at a door, with his own password, or with that of his program `app`."""

    arrival: Arrival
    mechanism: str
    app: str = ""


@dataclass(slots=True)
class ClientIdentified(Event):
    """A program has said at a door what it is (RFC 2971), `said` field by field: nothing that anybody can rely on."""

    arrival: Arrival
    said: Mapping[str, str]


@dataclass(slots=True)
class MailFetched(Event):
    """A user has fetched messages by POP3, of so many octets, and removed some; told when his session is over, if there were any.

    `failed`: messages that he wanted to be removed are still there.
    """

    arrival: Arrival
    messages: int
    octets: int
    removed: int
    failed: bool = False


NO_ADDRESS = "(no address)"
"""What is shown in place of a name that is no address."""


@dataclass(slots=True)
class LoginFailed(Event):
    """Somebody did not get in as `user`, which is what he called himself, and may be any text; `reason` is for the log, not for him."""

    arrival: Arrival
    user: str
    mechanism: str
    reason: str

    @property
    def shown(self) -> str:
        """What may be written down of `user`: an address. What is none may be a password that was typed in the wrong place."""
        _, at, domain = self.user.rpartition("@")
        return self.user if at and "." in domain else NO_ADDRESS if self.user else ""


@dataclass(slots=True)
class Judged(Event):
    """A user has said by moving it to Junk or out of it, or by a keyword, what the message `mail` of his mailbox is."""

    owner: str
    address: str
    mail: str
    verdict: Literal["spam", "ham"]


@dataclass(slots=True)
class DeadLetter(Event):
    """A message of a broker's `queue` was refused, and is a dead letter there. `message_id` is its property of that name."""

    queue: str
    message_id: str
    reason: str


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


SIFTED = frozenset((Alarm, Mended))  # made once: `tell` is called several times for each message


class Sieve(Protocol):
    """What makes of alarms as they are met those that are told: `mailer.alarms.book.AlarmBook`."""

    def heard(self, event: Alarm | Mended) -> AlarmBegun | AlarmOver | None:
        """What is told instead of `event`; None where that was told before. May be called from any thread."""


class Events:
    """The switchboard: tells each listener in turn. Alarms go through the `sieve` first."""

    def __init__(self, listeners: Sequence[Listener], bug: Callable[[Exception], None], sieve: Sieve) -> None:
        self.listeners = list(listeners)
        self.bug = bug
        self.sieve = sieve

    def tell(self, event: Event) -> None:
        """Tell all listeners. One that fails is reported to `bug`; the others still hear."""
        if type(event) in SIFTED:
            sifted = self.sieve.heard(cast("Alarm | Mended", event))
            if sifted is None:
                return
            event = sifted
        for listener in self.listeners:
            try:
                listener.told(event)
            except Exception as error:
                self.bug(error)
