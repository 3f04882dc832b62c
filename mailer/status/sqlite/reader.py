"""Reading the status database: while the daemon runs, while it does not, and while there is none.

A reader never writes (``mode=ro``) and never fails. What it cannot read, it has not: a missing file, one that is
just being made, one that is damaged. `trouble` then says in one line why, and the caller goes on with what the
spool says. Rows that the program did not write are left out and counted in `damaged`.

All statements are constants of this file; whatever comes from outside is bound to them.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar
from urllib.parse import quote

from mailer.mail.dates import rfc3339
from mailer.mail.outcome import CAUSES, Cause, told
from mailer.mail.pattern import fits
from mailer.mail.principal import from_key

from .. import attempts, destinations
from ..record import BadRow, RecipientRecord, Record, id_of, moment, of_rows, one_of, recipient_of_row
from . import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mailer.mail.principal import Principal

    from ..attempts import Attempted, DialogLine
    from ..destinations import Standing
    from ..filter import Filter

T = TypeVar("T")

PATIENCE = 5.0  # seconds to wait while the file is being made or moved

EMAIL = """
SELECT id, message_id, request_id, from_address, subject, size, priority, status, queued_time, last_attempt_time,
    sent_time, next_attempt_time, retry_count, error_message FROM emails WHERE id = ?
"""
RECIPIENTS = """
SELECT recipient_address, recipient_type, status, smtp_response_code, enhanced_code, smtp_response_message, mx_host,
    last_update_time, cause, besides FROM email_recipients WHERE email_id = ? ORDER BY position
"""
NAMED = "SELECT id FROM emails WHERE message_id = :name OR message_id = :bracketed OR request_id = :name ORDER BY id"
SUBMITTER = "SELECT uid FROM submitters WHERE email_id = ?"
SUBMITTED = "SELECT email_id FROM submitters WHERE uid = ? ORDER BY email_id DESC"
ATTEMPTS = """
SELECT position, at, recipient, verdict, scope, host, ip, port, tls_wanted, tls_achieved, phase, code, enhanced_code, text, seconds,
    remote_queue_id, steps, reused, cause, besides FROM attempts WHERE email_id = ? ORDER BY at DESC, position DESC LIMIT ?
"""
DIALOGS = "SELECT at, lines FROM dialogs WHERE email_id = ? ORDER BY at"
WAITING = """
SELECT e.id, e.queued_time, r.domain, r.mx_host, r.smtp_response_code, r.enhanced_code, r.smtp_response_message, r.cause
FROM emails e JOIN email_recipients r ON r.email_id = e.id
WHERE e.status IN ('queued', 'sending', 'deferred') AND r.status IN ('queued', 'sending', 'deferred')
"""
NAMED_OF = """
SELECT e.id FROM submitters s JOIN emails e ON e.id = s.email_id
WHERE s.uid = :uid AND (e.message_id = :name OR e.message_id = :bracketed OR e.request_id = :name) ORDER BY e.id
"""
UNSEEN_OF = """
SELECT email_id FROM submitters WHERE uid = ? AND NOT EXISTS (SELECT 1 FROM emails WHERE id = email_id) ORDER BY email_id
"""
BEGINNING = "SELECT id FROM emails WHERE id >= :start AND id < :end ORDER BY id"
COUNTS = "SELECT status, count(*) FROM emails GROUP BY status"
SCHEDULED = """
SELECT id FROM emails WHERE status = 'deferred' AND retry_count = 0 AND error_message IS NULL AND next_attempt_time IS NOT NULL
"""
PUT_OFF = """
SELECT r.email_id, r.domain, r.cause FROM emails e JOIN email_recipients r ON r.email_id = e.id
    WHERE e.status = 'deferred' AND r.status = 'deferred' AND r.cause IS NOT NULL
"""
REPORTED = """
SELECT email_id FROM email_recipients WHERE last_update_time >= 0
    AND status IN ('failed', 'expired', 'bounced', 'complained') AND status IN ('bounced', 'complained')
"""

# Each list is found by its most telling index, then narrowed by what every list has in common.
_COMMON = """
    AND e.id >= :since_id AND e.id < :before_id
    AND (:from_fits IS NULL OR fits(:from_fits, CAST(e.from_address AS BLOB)))
    AND (:to_fits IS NULL OR EXISTS
        (SELECT 1 FROM email_recipients r WHERE r.email_id = e.id AND fits(:to_fits, CAST(r.recipient_address AS BLOB))))
    AND (:domain_fits IS NULL OR EXISTS
        (SELECT 1 FROM email_recipients r WHERE r.email_id = e.id AND fits(:domain_fits, CAST(r.domain AS BLOB))))
ORDER BY e.id DESC
"""
_SELECT = "SELECT e.id, e.status FROM emails e WHERE "
BY_AGE = _SELECT + "1" + _COMMON
BY_STATUS = _SELECT + "e.status = :status" + _COMMON
BY_SENDER = _SELECT + "e.from_address = :from_is COLLATE NOCASE" + _COMMON
BY_DOMAIN = _SELECT + "e.id IN (SELECT email_id FROM email_recipients WHERE domain = :domain_is)" + _COMMON  # noqa: S608 - constants all
BY_RECIPIENT = (
    _SELECT  # noqa: S608 - constants all
    + "e.id IN (SELECT email_id FROM email_recipients WHERE domain = :to_domain AND recipient_address = :to_is COLLATE NOCASE)"
    + _COMMON
)

UNDELIVERED = """
SELECT r.email_id, e.from_address, e.subject, e.status, r.recipient_address, r.recipient_type, r.status, r.smtp_response_code,
    r.enhanced_code, r.smtp_response_message, r.mx_host, r.last_update_time, r.cause, r.besides
FROM email_recipients r JOIN emails e ON e.id = r.email_id
WHERE r.status IN ('failed', 'expired', 'bounced', 'complained') AND r.last_update_time >= :since
    AND (:from_fits IS NULL OR fits(:from_fits, CAST(e.from_address AS BLOB)))
    AND (:to_fits IS NULL OR fits(:to_fits, CAST(r.recipient_address AS BLOB)))
    AND (:domain_fits IS NULL OR fits(:domain_fits, CAST(r.domain AS BLOB)))
ORDER BY r.last_update_time DESC, r.email_id DESC, r.position
"""


@dataclass(slots=True)
class Undelivered:
    """A recipient that did not get a message, and the message."""

    id: str
    sender: str
    subject: str
    message_status: str
    recipient: RecipientRecord

    def as_json(self) -> dict[str, object]:
        """One line of ``mailer bounces --json``."""
        recipient = self.recipient
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
            "besides": recipient.besides or None,
            "at": rfc3339(recipient.updated_at),
        }


class Waiting(NamedTuple):
    """A recipient whose mail is still to be delivered: `host` is the last one that was tried, `why` what it said."""

    id: str
    queued_at: float
    domain: str
    host: str
    why: str


def _waiting(row: tuple[object, ...]) -> Waiting:
    id, queued, domain, host, code, enhanced, text, cause = row
    why = " ".join(str(part) for part in (code, enhanced, text) if part)
    return Waiting(id_of(id), moment(queued), str(domain), str(host or ""), told(why, CAUSES.get(str(cause))))


class Reader:
    """The database at `path`. `trouble` is why it cannot be read, `damaged` how many of its rows were left out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble = ""
        self.damaged = 0
        self._db: sqlite3.Connection | None = None
        try:
            self._db = _open(path)
        except (sqlite3.Error, schema.Unusable, OSError) as error:
            self.trouble = str(error)

    @property
    def there(self) -> bool:
        """Whether there is a database to read."""
        return self._db is not None

    def close(self) -> None:
        """Let the file go."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def record(self, id: str) -> Record | None:
        """What became of message `id`."""
        for email in self._rows(EMAIL, (id,)):
            try:
                return of_rows(email, self._rows(RECIPIENTS, (id,)))
            except BadRow:
                self.damaged += 1
        return None

    def attempts(self, id: str, most: int = -1) -> list[Attempted]:
        """What is known of each attempt at message `id`, oldest first; with `most`, of so many at the end."""
        return list(self._good(ATTEMPTS, (id, most), attempts.of_row))[::-1]

    def dialogs(self, id: str) -> dict[int, list[DialogLine]]:
        """What was said in the last attempts at message `id` that failed, by `Attempted.key`."""
        return dict(self._good(DIALOGS, (id,), lambda row: (int(str(row[0])), attempts.dialog(row[1]))))

    def standings(self) -> list[Standing]:
        """How it stood with each destination when the daemon last said so."""
        found = [destinations.of_row(row) for row in self._rows(destinations.SELECT, ())]
        self.damaged += found.count(None)
        return [standing for standing in found if standing is not None]

    def waiting(self) -> Iterator[Waiting]:
        """Each recipient that waits for its mail, in no order."""
        return self._good(WAITING, (), _waiting)

    def beginning(self, start: str) -> list[str]:
        """The IDs that begin with `start`, oldest first."""
        return list(self._ids(BEGINNING, {"start": start, "end": start + "~"}))

    def named(self, name: str) -> list[str]:
        """The IDs of messages with this Message-ID (with or without angle brackets) or request id, oldest first."""
        return list(self._ids(NAMED, {"name": name, "bracketed": f"<{name}>"}))

    def named_of(self, who: Principal, name: str) -> list[str]:
        """As `named`, of what `who` handed over; and all of that of which nothing else is known yet."""
        bound = {"uid": who.key, "name": name, "bracketed": f"<{name}>"}
        return [*self._ids(NAMED_OF, bound), *self._ids(UNSEEN_OF, (who.key,))]

    def submitter(self, id: str) -> Principal | None:
        """The principal who handed message `id` over; None where nobody did, or nothing is known of it."""
        return next((from_key(key) for (key,) in self._rows(SUBMITTER, (id,))), None)

    def submitted(self, who: Principal) -> Iterator[str]:
        """The messages that `who` handed over, newest first."""
        return self._ids(SUBMITTED, (who.key,))

    def counts(self) -> dict[str, int]:
        """How many messages have each status."""
        return {str(status): int(str(count)) for status, count in self._rows(COUNTS, ()) if status in schema.STATUSES}

    def unsent(self) -> dict[str, str]:
        """The status of every message that is not recorded as sent, by ID."""
        return {id: str(status) for id, status in self._rows(schema.UNSENT, ()) if isinstance(id, str)}

    def scheduled(self) -> Iterator[str]:
        """The messages that are to leave later and were not tried yet, in no order; `Record.scheduled` says the same of one."""
        return self._ids(SCHEDULED, {})

    def put_off(self) -> Iterator[tuple[str, str, Cause | None]]:
        """Each recipient who waits for a reason that has a name: message, domain and cause, in no order."""
        return self._good(PUT_OFF, {}, lambda row: (id_of(row[0]), str(row[1]), CAUSES.get(str(row[2]))))

    def reported(self) -> Iterator[str]:
        """The messages of which a recipient bounced or complained later, in no order; some twice."""
        return self._ids(REPORTED, {})

    def ids(self, wanted: Filter) -> Iterator[str]:
        """The messages that may be meant, newest first.

        Those that are pending in here are among them whatever their state, for the spool knows better.
        """
        if not wanted.possible:
            return iter(())
        bound = wanted.bound()
        if wanted.to and "*" not in wanted.to:
            return self._ids(BY_RECIPIENT, bound)
        if wanted.domain and "*" not in wanted.domain:
            return self._ids(BY_DOMAIN, bound)
        if wanted.states and wanted.states.isdisjoint(schema.LATER):
            return self._by_status(wanted, bound)
        return self._ids(BY_SENDER if wanted.sender and "*" not in wanted.sender else BY_AGE, bound)

    def _by_status(self, wanted: Filter, bound: Mapping[str, object]) -> Iterator[str]:
        from heapq import merge

        statuses = wanted.states.union(schema.PENDING)
        return merge(*(self._ids(BY_STATUS, {**bound, "status": status}) for status in statuses), reverse=True)

    def undelivered(self, wanted: Filter) -> Iterator[Undelivered]:
        """The recipients that did not get their message, newest first. `since` is when that was known."""
        bound = {**wanted.bound(), "since": round(wanted.since * 1e6)}
        for id, sender, subject, status, *rest in self._rows(UNDELIVERED, bound) if wanted.possible else ():
            try:
                recipient = recipient_of_row(rest)
                yield Undelivered(id_of(id), str(sender), str(subject or ""), one_of(status, schema.STATUSES), recipient)
            except BadRow:
                self.damaged += 1

    def _good(
        self, statement: str, bound: Mapping[str, object] | tuple[object, ...], read: Callable[[tuple[object, ...]], T]
    ) -> Iterator[T]:
        """What `read` makes of each row; those of which it makes nothing are counted."""
        for row in self._rows(statement, bound):
            try:
                yield read(row)
            except ValueError:
                self.damaged += 1

    def _ids(self, statement: str, bound: Mapping[str, object] | tuple[object, ...]) -> Iterator[str]:
        return self._good(statement, bound, lambda row: id_of(row[0]))

    def _rows(self, statement: str, bound: Mapping[str, object] | tuple[object, ...]) -> Iterator[tuple[object, ...]]:
        if self._db is None:
            return
        try:
            yield from self._db.execute(statement, bound)
        except sqlite3.Error as error:
            self.trouble = str(error)
        except UnicodeEncodeError:
            return  # nothing in here has half a surrogate pair


def _open(path: str) -> sqlite3.Connection | None:
    """The database; None if there is none yet. Raises `sqlite3.Error`, `Unusable`, `OSError`."""
    try:
        if not os.stat(path).st_size:
            return None
        return _connect(path, "mode=ro")
    except FileNotFoundError:
        return None
    except sqlite3.OperationalError:
        # No daemon has it open, and we may not make the side files that WAL wants. Then nobody writes, and the
        # file alone is whole, unless a log lies beside it.
        if os.access(os.path.dirname(path), os.W_OK) or os.path.exists(f"{path}-wal"):
            raise
        return _connect(path, "mode=ro&immutable=1")


def _connect(path: str, how: str) -> sqlite3.Connection | None:
    db = sqlite3.connect(f"file:{quote(path)}?{how}", uri=True, timeout=PATIENCE, isolation_level=None)
    db.text_factory = lambda data: data.decode("utf-8", "replace")
    db.create_function("fits", 2, fits, deterministic=True)  # in place of LIKE and GLOB, which try all ways
    try:
        if schema.look_current(db):
            return db
        db.close()
        return None
    except BaseException:
        db.close()
        raise
