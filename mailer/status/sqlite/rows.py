"""From events to rows: what a batch of news comes to, one row for each thing however often it was in the news.

A row is made from the message's entry as it is when the batch is written, not from one event's part of it. So
it does not matter how the events of a batch are mixed, nor whether some were heard before; a row is at worst newer than its event, and
the event that makes it so is on its way.

This runs for every message that is delivered, so it is written to cost little: about ten microseconds for a
message that was seen, tried and sent. Some columns get '' or 0 here and have NULL in the database, see the statements of `writer`.
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Literal, NamedTuple

from mailer.events import Changed, Seen, Settled, Tried
from mailer.mail.address import domain_of
from mailer.mail.principal import unix

from ..record import last_of, outcome_of, recipient_status, sent_at, status_of, trouble_of
from ..standing import FOREVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.events import AlarmsOpen, Corrupt, Event, ReportsHeard, Standings
    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.envelope import Envelope
    from mailer.mail.history import Status
    from mailer.mail.outcome import Outcome
    from mailer.mail.principal import Principal
    from mailer.spool.api import Entry

    from ..incoming import Incoming
    from ..standing import Standing
    from ..story import HeardReport

    Other = Corrupt | Standings | AlarmsOpen | ReportsHeard | Incoming
    """Events that are about something else than messages on their way."""

KEPT = 60_000  # rows in arrears: some 20,000 messages that were delivered to one recipient each, and some 50 MB
LIMIT = 2000  # characters of any text: a hostile reply may have 64 KiB, and a person reads the first lines

OWN = unix(os.geteuid())

Row = tuple[object, ...]


SIZES = (512, 128, 32, 8, 2, 1)  # rows that one statement puts, if SQLite takes as many values in one; an attempt has 21

# What a delivered message lacks comes as '' or 0: for each None sqlite3 looks for an adapter, which takes as long as ten texts.
PUT_EMAIL = """
INSERT INTO emails VALUES (?, NULLIF(?, ''), NULLIF(?, ''), ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, NULLIF(?, 0), ?, NULLIF(?, ''),
    NULLIF(?, ''))
ON CONFLICT (id) DO UPDATE SET status = excluded.status, last_attempt_time = excluded.last_attempt_time,
    sent_time = excluded.sent_time, next_attempt_time = excluded.next_attempt_time, retry_count = excluded.retry_count,
    error_message = excluded.error_message
"""

# A report or a complaint that came for a recipient is news that the spool does not have: it stays.
PUT_RECIPIENT = """
INSERT INTO email_recipients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), NULLIF(?, ''))
ON CONFLICT (email_id, position) DO UPDATE SET status = excluded.status, smtp_response_code = excluded.smtp_response_code,
    enhanced_code = excluded.enhanced_code, smtp_response_message = excluded.smtp_response_message,
    mx_host = excluded.mx_host, last_update_time = excluded.last_update_time, cause = excluded.cause, besides = excluded.besides
    WHERE status NOT IN ('bounced', 'complained') OR excluded.last_update_time > last_update_time
"""

PUT_ATTEMPT = """
INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, ?, NULLIF(?, ''), ?, ?, NULLIF(?, ''), NULLIF(?, ''))
ON CONFLICT (email_id, position, at) DO NOTHING
"""


def _of_rows(statement: str, size: int) -> str:
    """`statement`, which puts one row, for `size` of them."""
    row = statement[statement.index("(?") : statement.index("\nON CONFLICT")]
    return statement.replace(row, ", ".join([row] * size), 1)


MANY = {one: {size: _of_rows(one, size) for size in SIZES} for one in (PUT_EMAIL, PUT_RECIPIENT, PUT_ATTEMPT)}
"""The same statements for many rows, by their number."""


class MessageNews:
    """The news that one batch of events has of one message."""

    __slots__ = ("due", "entry", "outcomes", "status", "whole")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.status: Status | Literal[""] = ""  # "" is: as the entry says
        self.due = 0.0
        self.whole = False  # all recipients are written, not only those that were tried
        self.outcomes: dict[int, Outcome] = {}  # by identity: two events share what they were told


def gather(events: Iterable[Event]) -> list[MessageNews]:
    """The news of each message. Events that are not about a message are left out."""
    news: dict[str, MessageNews] = {}
    for event in events:
        if not isinstance(event, (Tried, Settled, Seen, Changed)):
            continue
        entry = event.entry
        item = news.get(entry.id)
        if item is None:
            item = news[entry.id] = MessageNews(entry)
        item.entry = entry
        if isinstance(event, Tried):  # of a thousand recipients, only these have something new
            item.status = "sending"
            _learn(item, event.outcomes)
        elif isinstance(event, Seen):
            item.status = ""
            item.whole = True
            _learn(item, entry.history.outcomes)
        else:  # what the records say now is written whole: that mends what was missed before
            item.status = event.status
            item.due = event.due if isinstance(event, Settled) else 0.0
            item.whole = True
            _learn(item, list(entry.history.last.values()))
    return list(news.values())


def _learn(item: MessageNews, outcomes: Sequence[Outcome]) -> None:
    known = item.outcomes
    for outcome in outcomes:
        if not outcome.moved:
            known[id(outcome)] = outcome


def portions(news: Iterable[MessageNews], most: int) -> Iterator[list[MessageNews]]:
    """The news in order, each time as many messages as have `most` recipients together, or one that has more."""
    portion: list[MessageNews] = []
    weight = 0
    for item in news:
        if portion and weight + item.entry.history.count > most:
            yield portion
            portion, weight = [], 0
        portion.append(item)
        weight += item.entry.history.count
    if portion:
        yield portion


def email(item: MessageNews) -> Row:
    """The row of `emails`."""
    entry = item.entry
    envelope, history = entry.envelope, entry.history
    status = status_of(entry, item.status)
    attempt, error = last_of(entry)
    return (
        entry.id,
        envelope.message_id[:LIMIT],
        envelope.request_id[:LIMIT],
        envelope.sender,
        envelope.subject[:LIMIT],
        entry.size,
        envelope.priority,
        status,
        micros(entry.arrived),
        micros(attempt.at) if attempt else None,
        micros(sent_at(entry)) if status == "sent" else None,
        micros(item.due or history.due or entry.due) if status == "deferred" else 0,
        max(list(history.tries.values()), default=0),
        "" if status == "sent" else trouble_of(entry, status, error)[:LIMIT],
        envelope.stream[:LIMIT],
    )


def stranger(envelope: Envelope) -> Principal | None:
    """The principal who handed the message over; None if it is the spool's owner."""
    who = envelope.principal
    return None if who == OWN else who


def recipients(item: MessageNews) -> Iterator[Row]:
    """The rows of `email_recipients`."""
    entry = item.entry
    id, held = entry.id, entry.state == "held"
    positions = range(entry.history.count) if item.whole else sorted({outcome.to for outcome in item.outcomes.values()})
    for position in positions:
        recipient = entry.envelope.recipients[position]
        outcome = outcome_of(entry, position)
        status = recipient_status(outcome, held)
        address = recipient.address
        domain = domain_of(address)
        if outcome is None:
            yield id, position, address, recipient.type, domain, status, None, None, None, None, micros(entry.arrived), "", ""
        else:
            code, enhanced, text, host = outcome.code or None, outcome.enhanced[:LIMIT], outcome.text[:LIMIT], outcome.hop.host[:LIMIT]
            yield (
                id,
                position,
                address,
                recipient.type,
                domain,
                status,
                code,
                enhanced or None,
                text or None,
                host or None,
                micros(outcome.at),
                outcome.cause or "",
                outcome.besides[:LIMIT],
            )


def attempts(item: MessageNews) -> Iterator[Row]:
    """The rows of `attempts`."""
    id, envelope = item.entry.id, item.entry.envelope
    for outcome in item.outcomes.values():
        to, verdict, scope, code, enhanced, text, phase, hop, at, seconds, _, queue_id, _, trace, _, _, cause, besides, _ = outcome
        host, ip, port, wanted, tls = hop
        yield (
            id,
            to,
            micros(at),
            envelope.recipients[to].address,
            verdict,
            scope,
            host[:LIMIT] or None,
            ip or None,
            port or None,
            wanted or None,
            tls,
            phase or None,
            code or None,
            enhanced[:LIMIT] or None,
            text[:LIMIT] or None,
            seconds,
            queue_id[:LIMIT],
            trace and trace.steps(),
            trace and int(trace.reused),
            cause or "",
            besides[:LIMIT],
        )


def dialogs(item: MessageNews) -> Iterator[Row]:
    """The rows of `dialogs`: one for each transaction that delivered to none, or not to all, of its recipients."""
    failed: dict[int, Outcome] = {}
    for outcome in item.outcomes.values():
        if outcome.trace is not None and outcome.verdict != "delivered":
            first = failed.setdefault(micros(outcome.at), outcome)
            if outcome.to < first.to:
                failed[micros(outcome.at)] = outcome
    for at, outcome in failed.items():
        assert outcome.trace is not None
        yield item.entry.id, at, outcome.to, clean(outcome.trace.dialog())


def standing(value: Standing, at: float) -> Row:
    """The row of `destinations`, written at `at`."""
    key, waiting, sessions, window, cap, breaker, failures, until, reason, paused, pause, rate, reply, last, wait, detail, waits, _ = value
    texts = _short(reason), _short(pause), _short(reply), _short(wait), _short(detail)
    return (
        clean(key[:LIMIT]), value.kind, waiting, sessions, window, cap, breaker, failures, _time(until), texts[0], _time(paused), texts[1],
        _time(rate), texts[2], _time(last), texts[3], texts[4], _time(waits), micros(at),
    )  # fmt: skip


def alarm(value: OpenAlarm, at: float) -> Row:
    """The row of `alarms`, written at `at`."""
    return (
        value.kind, clean(value.key[:LIMIT]), micros(value.since), micros(value.last), value.times, value.severity,
        clean(value.text[:LIMIT]), _short(value.remedy), int(value.told), micros(at),
    )  # fmt: skip


def heard(value: HeardReport) -> Row:
    """The row of `reports`."""
    return (
        value.id, value.nth, micros(value.at), clean(value.source[:LIMIT]), value.kind, value.trust, value.message or None,
        value.position if value.message and value.position >= 0 else None, _short(value.recipient), _short(value.action),
        _short(value.status), _short(value.diagnostic), _short(value.class_), _short(value.effect),
    )  # fmt: skip


def marked(value: HeardReport) -> dict[str, object]:
    """What the row of a recipient of `email_recipients` learns from a report that makes him bounced or complained."""
    code, text = value.reply
    return {
        "id": value.message, "position": value.position, "status": value.makes, "code": code or None, "enhanced": _short(value.status),
        "text": _short(text), "at": micros(value.at),
    }  # fmt: skip


def _short(text: str) -> str | None:
    return clean(text[:LIMIT]) or None


def _time(at: float) -> int | None:
    return micros(min(at, FOREVER)) or None


def insert(db: sqlite3.Connection, statement: str, batch: Sequence[Row]) -> None:
    """Put all rows of `batch` by `statement`, which is one of `MANY`. Raises `sqlite3.Error`."""
    try:
        _insert_all(db, statement, batch)
    except UnicodeEncodeError:  # looked for only when it is there
        _insert_all(db, statement, storable(batch))


def _insert_all(db: sqlite3.Connection, statement: str, batch: Sequence[Row]) -> None:
    """Many rows by one statement: for as long as it runs, the interpreter is free for other threads, and each has to wait for it."""
    at = 0
    most = db.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(batch[0]) if batch else 0
    for size in SIZES:
        while size <= most and at + size <= len(batch):
            db.execute(MANY[statement][size], [*chain.from_iterable(batch[at : at + size])])
            at += size


def micros(seconds: float) -> int:
    """`seconds` since the epoch in whole microseconds."""
    return round(seconds * 1e6)


def storable(rows: Iterable[Row]) -> list[Row]:
    """The rows with clean texts."""
    return [tuple(clean(value) if isinstance(value, str) else value for value in row) for row in rows]


def clean(text: str) -> str:
    """`text` with ``?`` for each half of a surrogate pair, which SQLite does not take."""
    return text.encode("utf-8", "replace").decode()


class NewsBatch(NamedTuple):
    """What is written in one transaction: rows of the tables, and events that are about something else than messages on their way."""

    emails: Sequence[Row]
    recipients: Sequence[Row]
    attempts: Sequence[Row]
    dialogs: Sequence[Row]
    strangers: Sequence[tuple[str, int | str]]
    others: Sequence[Other]

    @classmethod
    def of(cls, news: Sequence[MessageNews], others: Sequence[Other]) -> NewsBatch:
        """The batch of the `news` and of `others`."""
        return cls(
            [email(item) for item in news],
            [row for item in news for row in recipients(item)],
            [row for item in news for row in attempts(item)],
            [row for item in news if item.status != "sent" for row in dialogs(item)],
            [(item.entry.id, who.key) for item in news if (who := stranger(item.entry.envelope)) is not None],
            others,
        )

    @property
    def weight(self) -> int:
        """How many rows it has."""
        return sum(map(len, self))


class Arrears:
    """What the database has not taken yet, while it is locked, has no room or is not there.

    Kept as rows, which hold on to no message. There is a bound: beyond it the oldest goes, which is counted and told; what of it is
    still in the spool is made good from there (`mailer.status.catchup`). The oldest batch comes first;
    `lost` counts the messages that there was no room for."""

    def __init__(self) -> None:
        self._batches: deque[NewsBatch] = deque()
        self._weight = 0
        self.lost = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def messages(self) -> int:
        """How often something became of a message that is not written yet."""
        return sum(len(batch.emails) for batch in self._batches)

    def add(self, batch: NewsBatch) -> None:
        """One more; the oldest make room for it."""
        self._batches.append(batch)
        self._weight += batch.weight
        while self._weight > KEPT and len(self._batches) > 1:
            self.lost += len(self._batches[0].emails)
            self.done()

    def first(self) -> NewsBatch:
        """The oldest."""
        return self._batches[0]

    def done(self) -> None:
        """The oldest is written, or never will be."""
        self._weight -= self._batches.popleft().weight
