"""What is asked of the status of mail and what is told to it: interfaces, and the values that cross them.

A `StatusRecorder` takes the news of the daemon; a `MailView` answers whoever asks, with spool and status together. Neither has a path, a
file or an exception of a database in it. What a recorder has kept is read by its `StatusReader`, which a view asks. Recorders are
`mailer.status.sqlite` and `mailer.status.memory`; views are `mailer.status.view.View` on either of them, and
`mailer.intake.client.RemoteView`, which asks the daemon for the mail of one user.

Every list is a `Page`: so many items, and where the next page begins. Whoever wants all says so, with `every`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from mailer.mail.dates import rfc3339
from mailer.mail.history import LATER
from mailer.mail.pattern import fits
from mailer.spool import first_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mailer.aggregate.summary import AggregateReport, DmarcSource, TlsResult
    from mailer.dsn.classes import Class
    from mailer.events import Event
    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.history import Status, Word
    from mailer.mail.outcome import Cause
    from mailer.mail.principal import Principal
    from mailer.spool.api import Act, Acted, Entry, How, Reserve
    from mailer.spool.suspensions import Suspensions

    from .received import ReceivedFilter, ReceivedRecord
    from .record import RecipientRecord, Record
    from .standing import Standing
    from .story import Attempted, DialogLine, HeardReport, Story

T = TypeVar("T")

Place = tuple[int, str, int]
"""Where a recipient stands in the list of those who got nothing: microseconds since the epoch, ID, number in the envelope, negative."""

PAGE = 500
"""Items of a page, unless somebody says otherwise."""

PEOPLE = 20_000
"""Recipients of the messages of a page: it ends with the message that has one more. A message may have thousands."""


class StatusError(Exception):
    """An error: the status of mail cannot be written or asked for this moment; `str()` says why, `what` which status it is.

    Mail never waits for that.
    """

    def __init__(self, why: str, what: str = "the status") -> None:
        super().__init__(why)
        self.what = what


class Page(NamedTuple, Generic[T]):
    """A part of a list, in its order. `cursor` is where the next part begins, "" after the last one.

    `partial` names what did not answer, so that its part of the list is missing.
    """

    items: Sequence[T]
    cursor: str = ""
    partial: Sequence[str] = ()


def every(ask: Callable[[str, int], Page[T]], most: int | None = None) -> Iterator[T]:
    """All items of a list that `ask` gives by cursor and limit, or the first `most`, however many pages that takes."""
    cursor, left = "", most
    while left is None or left > 0:
        page = ask(cursor, PAGE if left is None else min(left, PAGE))
        yield from page.items
        cursor = page.cursor
        if not cursor:
            return
        left = None if left is None else left - len(page.items)


class Filter(NamedTuple):
    """What a message must be like; an empty member selects everything.

    `sender` ``<>`` is the null reverse-path. `states` are what people call the state of the message, or statuses of any of its recipients
    for those that only a recipient has. `since` and `before` bound the moment when the message was queued, in seconds since the epoch,
    `least` and `most` its size in bytes. `submitter` is the text of a principal. What an address, a domain, a `stream` or a `subject` with
    ``*`` means, `mailer.mail.pattern` says.
    """

    to: str = ""
    sender: str = ""
    domain: str = ""
    states: frozenset[Word] = frozenset()
    since: float = 0.0
    before: float = 0.0
    subject: str = ""
    submitter: str = ""
    least: int = 0
    most: int = 0
    stream: str = ""

    @property
    def possible(self) -> bool:
        """Whether anything can match: no address has a control character, half a surrogate pair, or a thousand letters."""
        return all(text.isprintable() and len(text) <= 1000 for text in self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is said in words."""
        return self.to, self.sender, self.domain, self.subject, self.submitter, self.stream

    def matches(self, record: Record) -> bool:
        """Whether the filter means the message of `record`."""
        if record.id < first_id(self.since) or (self.before and record.id >= first_id(self.before)):
            return False
        if (
            self.states
            and record.word not in self.states
            and self.states.isdisjoint(r.status for r in record.recipients if r.status in LATER)
        ):
            return False
        if record.size < self.least or (self.most and record.size > self.most) or (self.subject and not fits(self.subject, record.subject)):
            return False
        if (self.submitter and record.submitter != self.submitter) or (self.stream and not fits(self.stream, record.stream)):
            return False
        return self._from(record) and any(map(self._to, record.recipients)) and any(map(self._in_domain, record.recipients))

    def means(self, record: Record, recipient: RecipientRecord) -> bool:
        """Whether the filter means this recipient of the message, whatever the state and time."""
        return self._from(record) and self._to(recipient) and self._in_domain(recipient)

    def _from(self, record: Record) -> bool:
        return not self.sender or fits(self.reverse_path, record.sender)

    def _to(self, recipient: RecipientRecord) -> bool:
        return not self.to or fits(self.to, recipient.address)

    def _in_domain(self, recipient: RecipientRecord) -> bool:
        return not self.domain or fits(self.domain, recipient.domain)

    @property
    def reverse_path(self) -> str:
        """The sender as an envelope has it."""
        return "" if self.sender == "<>" else self.sender


EVERYTHING = Filter()


class Undelivered(NamedTuple):
    """A recipient that did not get a message, and the message. `reported` is the class of what came back, where that was read."""

    id: str
    sender: str
    subject: str
    message_status: Status
    recipient: RecipientRecord
    reported: str = ""

    @property
    def judged(self) -> Class:
        """The class of the failure."""
        from .judged import judged_recipient  # whoever lists needs it, and who counts messages does not

        return judged_recipient(self.recipient, self.reported)

    def as_json(self) -> dict[str, object]:
        """One line of ``mailer bounces --json``."""
        recipient, judged = self.recipient, self.judged
        return {
            "id": self.id,
            "from": self.sender,
            "subject": self.subject or None,
            "message_status": self.message_status,
            "address": recipient.address,
            "status": recipient.status,
            "code": recipient.code or None,
            "enhanced_code": recipient.enhanced_code or None,
            "reply": recipient.reply or None,
            "host": recipient.host or None,
            "ours": recipient.ours,
            "cause": recipient.cause,
            "class": judged.name,
            "hard": judged.hard,
            "besides": recipient.besides or None,
            "updated_at": rfc3339(recipient.updated_at),
            "at": rfc3339(recipient.updated_at),  # what it was called first
        }


class Waiting(NamedTuple):
    """A recipient whose mail is still to be delivered: `host` is the last one that was tried, `why` what it said."""

    id: str
    queued_at: float
    domain: str
    host: str
    why: str


class PutOff(NamedTuple):
    """A recipient in `domain` who waits for a reason that has a name."""

    id: str
    domain: str
    cause: Cause


class DmarcSum(NamedTuple):
    """How many messages others have seen on a `day` (whole days since the epoch), alike in `what`; `domain` publishes the policy."""

    day: int
    domain: str
    reporter: str
    what: DmarcSource
    messages: int


class TlsSum(NamedTuple):
    """How many sessions with hosts of ours others report of a `day`, alike in `what`."""

    day: int
    reporter: str
    what: TlsResult
    sessions: int


class SumReport(NamedTuple):
    """An aggregate report that was counted: `kind` is dmarc or tlsrpt; times are in seconds since the epoch. The rest: `DmarcReport`.

    `ours` is whether it was about a domain of ours when it came.
    """

    kind: str
    reporter: str
    report_id: str
    domain: str
    begin: float
    end: float
    received: float
    policy: str
    bad: int
    trouble: str
    ours: bool


Counted = Literal["new", "known", "full"]
"""What became of an aggregate report that was to be counted: it was; it had been before; there is no room for more."""


class DaemonState(NamedTuple):
    """Whether a daemon is `running`; `pid` 0 is unknown; `sending` are the IDs of what is delivered this moment."""

    running: bool
    pid: int
    sending: frozenset[str]


class Summary(NamedTuple):
    """The whole spool at a glance. `counts` go by the words that people use, so what is scheduled is not deferred.

    `oldest` is when the oldest message of a state was put, `next_attempt_at` when the first that is deferred is due, and `leaves_at`
    when the first that is scheduled is. `handed_in` are files that other users have left in ``drop/`` and no daemon has taken yet;
    `whole` is whether the database could be read, which knows what has left the spool.
    """

    spool: str
    daemon: DaemonState
    counts: dict[str, int]
    oldest: dict[str, float]
    next_attempt_at: float | None
    leaves_at: float | None
    corrupt: int
    failures: Sequence[Undelivered] = ()
    handed_in: int = 0
    whole: bool = True


class StatusRecorder(Protocol):
    """A recorder of what became of mail. Idempotent by message, recipient and the time of the attempt: told twice, nothing changes.

    What cannot be written now is kept, within a bound, and tried again with whatever comes next and by `maintain`. Methods may be
    called from any thread. Only one recorder may be at work on a status at a time: the daemon has it.
    """

    @property
    def incomplete(self) -> bool:
        """Whether something was begun anew, or lost, that the spool may still know: `mailer.status.catchup` makes that good."""

    @incomplete.setter
    def incomplete(self, value: bool) -> None:
        """False when that has begun."""

    async def write(self, events: Sequence[Event]) -> None:
        """Write down a batch, all of it or nothing. Raises `StatusError`."""

    async def unsent(self) -> Mapping[str, Status]:
        """The status of every message that is not recorded as sent, by ID. Raises `StatusError`."""

    async def left(self, ids: Sequence[str]) -> None:
        """Write down that pending messages have left the spool: all recipients had them, and no more is known. Raises `StatusError`."""

    async def cancelled(self, ids: Sequence[str]) -> int:
        """How many of these messages an operator has cancelled, as far as that is known; none, if it cannot be read."""

    async def alarms(self) -> Sequence[OpenAlarm]:
        """The alarms that were open when a daemon last said so; none, if that cannot be read."""

    async def put_off(self, cursor: str = "", limit: int = PAGE) -> Page[PutOff]:
        """Each recipient who waits for a reason that has a name, by message; a page may be longer by a message's recipients.

        What cannot be read is left out.
        """

    async def count(self, reports: Sequence[AggregateReport], at: float, ours: Callable[[str], bool]) -> Sequence[Counted]:
        """Add the sums of what others report, each report once, however often it comes; returns what became of each. Raises `StatusError`.

        A report is known by its reporter, ID, domain and beginning. `at` is when it came, and `ours` says whether a domain is: others,
        which anybody may report on, have less room.
        """

    async def forget(self, before: float) -> int:
        """Delete all that is known of messages that were done with before then (seconds since the epoch); returns how many.

        The one rule of retention. What is pending stays, and so does whatever was heard of since. Sums of days before then go, too.
        """

    async def forget_received(self, before: float) -> None:
        """Delete what is known of what came by the doors, and was taken or refused, before then. What cannot be now is next time."""

    async def maintain(self) -> None:
        """Do what is to be done every second or so, and by no writer: what could not be written before is. Raises nothing."""

    async def close(self) -> None:
        """Write what is left, and let go. What cannot be written now is lost, and told."""

    # For the threads in which mail of other users is taken in

    def adopted(self, id: str, who: Principal) -> None:
        """Message `id` came from `who`, who may ask for it from now on. Raises `StatusError`."""

    def submitter(self, id: str) -> tuple[bool, Principal | None]:
        """Whether anything is known of message `id`, and who handed it over, if somebody else than we did. Raises `StatusError`."""

    def knows(self, id: str) -> bool:
        """Whether anything is known of message `id`; not, if that cannot be asked."""


class StatusReader(Protocol):
    """What a recorder has kept, for `View`; never raises. What cannot be read is not there, and `trouble` says why in one line.

    Lists are read as far as somebody goes on, and no further.
    """

    trouble: str
    damaged: int
    """How many things were left out because this program did not write them."""

    @property
    def there(self) -> bool:
        """Whether there is anything to read."""

    def close(self) -> None:
        """Nothing is asked any more."""

    def record(self, id: str) -> Record | None:
        """What became of message `id`."""

    def attempts(self, id: str, most: int = -1) -> list[Attempted]:
        """What is known of each attempt at message `id`, oldest first; with `most`, of so many at the end."""

    def dialogs(self, id: str) -> dict[int, list[DialogLine]]:
        """What was said in the last attempts at message `id` that failed, by `Attempted.key`."""

    def heard(self, id: str, most: int) -> list[HeardReport]:
        """What reports of others said about message `id`, oldest first, the first `most`."""

    def standings(self, after: str = "") -> Iterator[Standing]:
        """How it stood with each destination when the daemon last said so, by key, those behind the key `after`."""

    def alarms(self) -> list[OpenAlarm]:
        """The alarms that were open when the daemon last said so, the oldest first."""

    def waiting(self, after: str = "") -> Iterator[Waiting]:
        """Each recipient that waits for its mail, by message, of those behind the ID `after`."""

    def beginning(self, start: str) -> list[str]:
        """The IDs that begin with `start`, oldest first."""

    def named(self, name: str) -> list[str]:
        """The IDs of messages with this Message-ID (with or without angle brackets) or request id, oldest first."""

    def named_of(self, who: Principal, name: str) -> list[str]:
        """As `named`, of what `who` handed over; and all of that of which nothing else is known yet."""

    def submitter(self, id: str) -> Principal | None:
        """The principal who handed message `id` over; None where nobody did, or nothing is known of it."""

    def submitted(self, who: Principal, before: str = "") -> Iterator[str]:
        """The messages that `who` handed over, newest first, those before the ID `before`."""

    def counts(self) -> Mapping[Status, int]:
        """How many messages have each status."""

    def unsent(self) -> Mapping[str, Status]:
        """The status of every message that is not recorded as sent, by ID."""

    def scheduled(self) -> Iterator[str]:
        """The messages that are to leave later and were not tried yet, in no order; `Record.scheduled` says the same of one."""

    def reported(self) -> Iterator[str]:
        """The messages of which a recipient bounced or complained later, in no order; some twice."""

    def ids(self, wanted: Filter, before: str = "") -> Iterator[str]:
        """The messages that may be meant, newest first, those before the ID `before`; what is pending in here whatever its state."""

    def undelivered(self, wanted: Filter, before: Place | None = None) -> Iterator[tuple[Place, Undelivered]]:
        """The recipients that did not get their message, newest first, with their places. `since` is when that was known."""

    def dmarc_sums(self, day: int) -> Iterator[DmarcSum]:
        """What others have counted of mail in a domain's name, on this day and later, by day; of whatever domain."""

    def tls_sums(self, day: int) -> Iterator[TlsSum]:
        """What others have counted of sessions with the hosts of a domain, on this day and later, by day; of whatever domain."""

    def aggregate_reports(self, since: float) -> Iterator[SumReport]:
        """The reports that were counted and end then or later, newest first."""

    def received(self, wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """What came by the doors and is meant, newest first."""

    def incoming(self, since: float) -> Mapping[str, int]:
        """How much came by the doors since then, by verdict; refusals by when they came last."""

    def arrival(self, id: str) -> ReceivedRecord | None:
        """How message `id` came by a door; None where it did not, or that is not known any more."""


class QueueActs(Protocol):
    """The part of a `mailer.spool.api.Spool` that is about single messages, as operators and users have it."""

    @property
    def place(self) -> str:
        """Where the spool is, for people."""

    async def read(self, id: str) -> Entry:
        """The envelope and the outcomes of message `id`. Raises `NoSuchMessage`, `CorruptMessage`, `OSError`, `Problem`."""

    async def content(self, entry: Entry) -> bytes:
        """The message of `entry` as RFC 5322 bytes. Raises as `read` does."""

    async def act(self, what: Act, ids: Sequence[str], at: float, how: How | None = None, cursor: str = "", *, dry: bool = False) -> Acted:
        """Do an operator's act to each message. Raises `Problem`."""

    async def suspensions(self) -> Suspensions:
        """The suspensions: where no mail goes, because an operator said so. Raises `Problem`, `OSError`."""

    async def room(self, keep: Reserve, size: int = 0) -> str:
        """What the spool lacks if `size` more bytes are to leave `keep` free; empty if nothing."""


class MailView(Protocol):
    """Spool and status together, as they are this moment, or one user's part of them; a context manager. Every method raises `Problem`.

    A list that concerns more than the user's own mail is refused as no-permission where only that is seen.
    """

    @property
    def notes(self) -> Sequence[str]:
        """What could not be read, a line each."""

    @property
    def spool(self) -> QueueActs:
        """The acts on the messages that are seen."""

    @property
    def daemon(self) -> DaemonState:
        """Whether a daemon runs, and what it has in hand."""

    def __enter__(self) -> Self:
        """The view, open."""

    def __exit__(self, *_: object) -> None:
        """Nothing is asked any more."""

    def message(self, id: str) -> Record | None:
        """What became of message `id`."""

    def find(self, name: str) -> list[Record]:
        """The messages that `name` means: an ID, else a Message-ID or a request id; oldest first."""

    def story(self, record: Record, most: int = -1) -> Story:
        """The message of `record` with its attempts, all or the last `most`, its dialogs, and the reports about it."""

    def messages(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The messages that are meant, newest first."""

    def queue(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Record]:
        """The messages of the spool that are meant, oldest first."""

    def undelivered(self, wanted: Filter, cursor: str = "", limit: int = PAGE) -> Page[Undelivered]:
        """The recipients that did not get their message, newest first."""

    def backlog(self, cursor: str = "", limit: int = PAGE) -> Page[Waiting]:
        """Each recipient who waits for his mail, by message; not those whose mail is held. A page ends with a message."""

    def destinations(self, cursor: str = "", limit: int = PAGE) -> Page[Standing]:
        """What the daemon says of its destinations, by key; nothing where only the user's own mail is seen."""

    def alarms(self) -> Sequence[OpenAlarm]:
        """The alarms that are open, as the daemon says, or the last one said, the oldest first; nothing where only the user's own mail
        is seen."""

    def dmarc_sums(self, day: int) -> Iterator[DmarcSum]:
        """What others have counted of mail in a domain's name, on this day and later; refused where only the user's own mail is seen."""

    def tls_sums(self, day: int) -> Iterator[TlsSum]:
        """What others have counted of sessions with the hosts of a domain, on this day and later; refused as `dmarc_sums` is."""

    def aggregate_reports(self, since: float) -> Iterator[SumReport]:
        """The reports that were counted and end then or later, newest first; refused as `dmarc_sums` is."""

    def received(self, wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """What came by the doors and is meant, taken and refused, newest first; refused as `dmarc_sums` is."""

    def incoming(self, since: float) -> Mapping[str, int]:
        """How much came by the doors since then, by verdict; nothing where only the user's own mail is seen."""

    def summary(self, failures: int = 5) -> Summary:
        """The spool at a glance, with the last `failures`."""
