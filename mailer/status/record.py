"""What became of one message, and of each of its recipients, as one value: what is printed, and its JSON.

Made from a message of the spool (`of_entry`) or from rows of the database (`of_rows`). Times are seconds since
the epoch; an absent time is None, an absent text "".

A row is not trusted, for anybody may have written into the file: what no version of the program ever wrote makes
`of_rows` raise `BadRow`, and the reader leaves that message out and says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mailer.mail import document
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import PRIORITIES
from mailer.mail.envelope_reader import RECIPIENT_TYPES
from mailer.mail.outcome import CAUSES, reply_line, told
from mailer.spool.files.layout import is_id

from .sqlite.rows import last_of, outcome_of, recipient_status, sent_at, status_of
from .sqlite.schema import LATER, SCHEDULED, STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailer.mail.outcome import Cause
    from mailer.spool.api import Entry

Word = TypeVar("Word", bound=str)

END = 253402300800 * 10**6  # the first microsecond of the year 10000


class BadRow(ValueError):
    """A row that this program did not write."""


@dataclass(slots=True)
class RecipientRecord:
    """The record of one recipient. `code` 0 is none: nothing was tried, or nobody was reached."""

    address: str
    type: str
    status: str
    code: int
    enhanced_code: str
    reply: str
    host: str
    updated_at: float
    cause: Cause | None = None
    besides: str = ""

    @property
    def why(self) -> str:
        """The reply as one line: ``550 5.1.1 no such user``, or ``mailer: 451 4.4.1 …`` where it is ours."""
        return told(reply_line(self.code, self.enhanced_code, self.reply), self.cause)

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return self.cause is not None and self.cause.ours

    def as_json(self) -> dict[str, object]:
        """One element of ``recipients`` in the JSON of a message."""
        return document.recipient(
            self.address,
            self.type,
            self.status,
            code=self.code,
            enhanced_code=self.enhanced_code,
            reply=self.reply,
            host=self.host,
            ours=self.ours,
            cause=self.cause,
            besides=self.besides,
            updated_at=rfc3339(self.updated_at),
        )


@dataclass(slots=True)
class Record:
    """The record of what became of one message. `error` is the last reply that was no success."""

    id: str
    message_id: str
    request_id: str
    status: str
    sender: str
    subject: str
    size: int
    priority: str
    queued_at: float
    last_attempt_at: float | None
    next_attempt_at: float | None
    sent_at: float | None
    attempts: int
    error: str
    recipients: list[RecipientRecord]

    @property
    def scheduled(self) -> bool:
        """Whether the message waits for the moment that its sender chose: nothing was tried, and nothing is wrong."""
        return self.status == "deferred" and not self.attempts and not self.error and self.next_attempt_at is not None

    @property
    def word(self) -> str:
        """The word that people have for its state, in lists and to choose by: its status, or ``scheduled``."""
        return SCHEDULED if self.scheduled else self.status

    def as_json(self) -> dict[str, object]:
        """The JSON of a message, as ``mailer status --json`` prints it."""
        return document.message(
            self.id,
            self.message_id,
            self.request_id,
            self.status,
            self.sender,
            self.subject,
            self.size,
            self.priority,
            queued_at=rfc3339(self.queued_at),
            last_attempt_at=_when(self.last_attempt_at),
            next_attempt_at=_when(self.next_attempt_at),
            sent_at=_when(self.sent_at),
            attempts=self.attempts,
            recipients=[recipient.as_json() for recipient in self.recipients],
        )


def _when(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def of_entry(entry: Entry, *, sending: bool = False) -> Record:
    """The record of a message of the spool; `sending` is whether the daemon is at it this moment."""
    envelope, history = entry.envelope, entry.history
    status = status_of(entry, "sending" if sending else "")
    attempt, error = last_of(entry)
    return Record(
        entry.id,
        envelope.message_id,
        envelope.request_id,
        status,
        envelope.sender,
        envelope.subject,
        entry.size,
        envelope.priority,
        entry.arrived,
        attempt.at if attempt else None,
        (entry.due or history.due or None) if status == "deferred" else None,
        sent_at(entry) if status == "sent" else None,
        history.attempts,
        error.told if error else "",
        [_recipient(entry, at) for at in range(len(envelope.recipients))],
    )


def _recipient(entry: Entry, to: int) -> RecipientRecord:
    recipient, last = entry.envelope.recipients[to], outcome_of(entry, to)
    status = recipient_status(last, entry.state == "held")
    if last is None:
        return RecipientRecord(recipient.address, recipient.type, status, 0, "", "", "", entry.arrived)
    host, cause, besides = last.hop.host, last.cause, last.besides
    return RecipientRecord(recipient.address, recipient.type, status, last.code, last.enhanced, last.text, host, last.at, cause, besides)


def of_rows(email: Sequence[object], recipients: Iterable[Sequence[object]]) -> Record:
    """The record of a message of the database: a row of `emails` and its recipients. Raises `BadRow`."""
    id, message_id, request_id, sender, subject, size, priority, status, queued, last, sent, due, tries, error = email
    return Record(
        id_of(id),
        _text(message_id),
        _text(request_id),
        one_of(status, STATUSES),
        _text(sender),
        _text(subject),
        _count(size),
        one_of(priority, PRIORITIES),
        moment(queued),
        _moment_or_none(last),
        _moment_or_none(due),
        _moment_or_none(sent),
        _count(tries),
        _text(error),
        [recipient_of_row(row) for row in recipients],
    )  # fmt: skip


def recipient_of_row(row: Sequence[object]) -> RecipientRecord:
    """One recipient, from the columns that the reader's statements select. Raises `BadRow`."""
    address, type, status, code, enhanced, reply, host, at, cause, besides = row
    return RecipientRecord(
        _text(address),
        one_of(type, RECIPIENT_TYPES),
        one_of(status, (*STATUSES, *LATER)),
        _count(code or 0),
        _text(enhanced),
        _text(reply),
        _text(host),
        moment(at),
        CAUSES.get(_text(cause)),
        _text(besides),
    )


def id_of(value: object) -> str:
    """`value`, if it is the ID of a message. Raises `BadRow`."""
    if not isinstance(value, str) or not is_id(value):
        raise BadRow("the ID is none")
    return value


def one_of(value: object, words: Sequence[Word]) -> Word:
    """`value`, if it is one of `words`. Raises `BadRow`."""
    if not isinstance(value, str) or value not in words:
        raise BadRow(f"{str(value)[:40]!r} is none of {', '.join(words)}")
    return words[words.index(value)]


def moment(value: object) -> float:
    """Microseconds since the epoch, as seconds. Raises `BadRow`."""
    if type(value) is not int or not 0 <= value < END:
        raise BadRow("a time lies outside the years 1970 to 9999")
    return value / 1e6


def _moment_or_none(value: object) -> float | None:
    return None if value is None else moment(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRow("what should be text is none")
    return value


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise BadRow("a number is negative, or none")
    return value
