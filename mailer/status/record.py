"""What became of one message, and of each of its recipients, as one value: what is printed, and its JSON.

Made from a message of the spool (`of_entry`), or read back by an implementation of `mailer.status.api`. Times are seconds since
the epoch; an absent time is None, an absent text "".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from mailer.mail import document
from mailer.mail.address import domain_of
from mailer.mail.dates import rfc3339
from mailer.mail.history import DONE, RECIPIENT_STATUS, SCHEDULED
from mailer.mail.outcome import foretold, is_ours, reply_line, told

if TYPE_CHECKING:
    from mailer.mail.envelope import Priority, RecipientType
    from mailer.mail.history import RecipientStatus, Status, Word
    from mailer.mail.outcome import Cause, Outcome
    from mailer.spool.api import Entry


class RecipientRecord(NamedTuple):
    """The record of one recipient. `code` 0 is none: nothing was tried, or nobody was reached."""

    address: str
    type: RecipientType
    status: RecipientStatus
    code: int
    enhanced_code: str
    reply: str
    host: str
    updated_at: float
    cause: Cause | None = None
    besides: str = ""

    @property
    def done(self) -> bool:
        """Whether the recipient is done with, as far as delivery goes."""
        return self.status in DONE

    @property
    def domain(self) -> str:
        """The domain of the address, in lower case."""
        return domain_of(self.address)

    @property
    def why(self) -> str:
        """The reply as one line: ``550 5.1.1 no such user``, or ``mailer: 451 4.4.1 …`` where it is ours."""
        return told(reply_line(self.code, self.enhanced_code, self.reply), self.cause)

    @property
    def ours(self) -> bool:
        """Whether the reply is in our words."""
        return is_ours(self.cause)

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


class Record(NamedTuple):
    """The record of what became of one message. `error` is the last reply that was no success."""

    id: str
    message_id: str
    request_id: str
    status: Status
    sender: str
    subject: str
    size: int
    priority: Priority
    queued_at: float
    last_attempt_at: float | None
    next_attempt_at: float | None
    sent_at: float | None
    attempts: int
    error: str
    recipients: list[RecipientRecord]
    submitter: str = ""
    """The text of the principal who handed it in, as far as it is known."""

    stream: str = ""
    """The kind of mail that it belongs to; see `mailer.mail.envelope.Envelope.stream`."""

    @property
    def from_(self) -> str:
        """The `sender`, as JSON and the command line call it: ``from``."""
        return self.sender

    @property
    def done(self) -> bool:
        """Whether the message is done with."""
        return self.status in DONE

    @property
    def scheduled(self) -> bool:
        """Whether the message waits for the moment that its sender chose: nothing was tried, and nothing is wrong."""
        return self.status == "deferred" and not self.attempts and not self.error and self.next_attempt_at is not None

    @property
    def word(self) -> Word:
        """The word that people have for the state of the message, in lists and to choose by: its status, or ``scheduled``."""
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
            stream=self.stream,
            recipients=[recipient.as_json() for recipient in self.recipients],
        )


def _when(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def of_entry(entry: Entry, said: Status | Literal[""] = "", due: float = 0.0) -> Record:
    """The record of a message of the spool; `said` is what the last news of it called it, and `due` when it is tried next."""
    envelope, history = entry.envelope, entry.history
    status = status_of(entry, said)
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
        (due or entry.due or history.due or None) if status == "deferred" else None,
        sent_at(entry) if status == "sent" else None,
        history.attempts,
        trouble_of(entry, status, error),
        [_recipient(entry, at) for at in range(len(envelope.recipients))],
        envelope.principal or "",
        envelope.stream,
    )


def trouble_of(entry: Entry, status: Status, error: Outcome | None) -> str:
    """Why the message is not delivered: the last `error`, or what speaks against one that is held; empty where nothing does."""
    if error is not None:
        return error.told
    return entry.envelope.against if status == "held" else ""


def _recipient(entry: Entry, to: int) -> RecipientRecord:
    recipient, last = entry.envelope.recipients[to], outcome_of(entry, to)
    status = recipient_status(last, entry.state == "held")
    if last is None:
        return RecipientRecord(recipient.address, recipient.type, status, 0, "", "", "", entry.arrived)
    host, cause, besides = last.hop.host, last.cause, last.besides
    return RecipientRecord(recipient.address, recipient.type, status, last.code, last.enhanced, last.text, host, last.at, cause, besides)


def status_of(entry: Entry, said: Status | Literal[""] = "") -> Status:
    """The message's status; `said` is what the last news called it. Complete records win over an event that came before them."""
    if said and said != "sending":
        return said
    if entry.history.done:
        return entry.history.status()
    return said or "queued" if entry.state == "queued" else cast("Status", entry.state)


def last_of(entry: Entry) -> tuple[Outcome | None, Outcome | None]:
    """The last real attempt, and the last outcome that was no success and still stands: of somebody who waits, where somebody does."""
    attempt = waits = error = None
    last = entry.history.last
    for outcome in reversed(entry.history.outcomes):
        if attempt is None and outcome.counts:
            attempt = outcome
        if waits is None and outcome.verdict != "delivered" and last.get(outcome.to) is outcome:
            error = error or outcome
            waits = None if outcome.final else outcome
        if attempt is not None and waits is not None:
            break
    return attempt, waits or error


def sent_at(entry: Entry) -> float:
    """When the last recipient had the message, in seconds since the epoch."""
    return max([last.at for last in list(entry.history.last.values())], default=entry.arrived)


def outcome_of(entry: Entry, to: int) -> Outcome | None:
    """The last outcome of recipient number `to`: as the records say, else as submission said."""
    last = entry.history.last.get(to)
    if last is None and (known := entry.envelope.recipients[to].outcome) is not None:
        return foretold(to, entry.arrived, known)
    return last


def recipient_status(last: Outcome | None, held: bool) -> Status:
    """The status of a recipient by its last outcome; `held` is whether its message is."""
    if last is not None and last.verdict != "defer":
        return RECIPIENT_STATUS[last.verdict]
    if held:
        return "held"
    return "queued" if last is None else "deferred"
