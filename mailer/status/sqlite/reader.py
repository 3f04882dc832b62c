"""Reading the status database: while the daemon runs, while it does not, and while there is none.

A reader never writes (``mode=ro``) and never fails. What it cannot read, it has not: a missing file, one that is
just being made, one that is damaged. `trouble` then says in one line why, and the caller goes on with what the
spool says. Rows that the program did not write are left out and counted in `damaged`.

All statements are constants of this file; whatever comes from outside is bound to them.
"""

from __future__ import annotations

import sqlite3
from heapq import merge
from typing import TYPE_CHECKING, TypeVar

from mailer.mail.history import LATER, PENDING, STATUSES
from mailer.mail.principal import from_key
from mailer.spool import first_id

from . import file, schema, values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from mailer.mail.alarm import OpenAlarm
    from mailer.mail.history import Status
    from mailer.mail.principal import Principal

    from ..api import DmarcSum, Filter, Place, SumReport, TlsSum, Undelivered, Waiting
    from ..received import ReceivedFilter, ReceivedRecord
    from ..record import Record
    from ..standing import Standing
    from ..story import Attempted, DialogLine, HeardReport

T = TypeVar("T")

EMAIL = """
SELECT id, message_id, request_id, from_address, subject, size, priority, status, queued_time, last_attempt_time,
    sent_time, next_attempt_time, retry_count, error_message, stream FROM emails WHERE id = ?
"""
RECIPIENTS = """
SELECT recipient_address, recipient_type, status, smtp_response_code, enhanced_code, smtp_response_message, mx_host,
    last_update_time, cause, besides FROM email_recipients WHERE email_id = ? ORDER BY position
"""
NAMED = "SELECT id FROM emails WHERE message_id = :name OR message_id = :bracketed OR request_id = :name ORDER BY id"
SUBMITTER = "SELECT uid FROM submitters WHERE email_id = ?"
SUBMITTED = "SELECT email_id FROM submitters WHERE uid = ? AND email_id < ? ORDER BY email_id DESC"
ATTEMPTS = """
SELECT position, at, recipient, verdict, scope, host, ip, port, tls_wanted, tls_achieved, phase, code, enhanced_code, text, seconds,
    remote_queue_id, steps, reused, cause, besides FROM attempts WHERE email_id = ? ORDER BY at DESC, position DESC LIMIT ?
"""
DIALOGS = "SELECT at, lines FROM dialogs WHERE email_id = ? ORDER BY at"
HEARD = """
SELECT id, nth, at, source, kind, trust, email_id, position, recipient, action, status, diagnostic, class, effect
FROM reports WHERE email_id = ? ORDER BY at, id, nth LIMIT ?
"""
WAITING = """
SELECT e.id, e.queued_time, r.domain, r.mx_host, r.smtp_response_code, r.enhanced_code, r.smtp_response_message, r.cause
FROM emails e JOIN email_recipients r ON r.email_id = e.id
WHERE e.status = :status AND e.id > :after AND r.status IN ('queued', 'sending', 'deferred') ORDER BY e.id
"""
STANDINGS = """
SELECT key, waiting, sessions, window, window_cap, breaker, failures, open_until, breaker_reason, paused_until, pause_reason,
    rate_until, last_reply, last_at, wait, wait_detail, wait_until, updated_at FROM destinations WHERE key > ? ORDER BY key
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
INCOMING = """
SELECT verdict, count(*) FROM arrivals WHERE time >= :since GROUP BY verdict
UNION ALL SELECT 'refuse', sum(times) FROM refusals WHERE last_time >= :since GROUP BY 1
"""
SCHEDULED = """
SELECT id FROM emails WHERE status = 'deferred' AND retry_count = 0 AND error_message IS NULL AND next_attempt_time IS NOT NULL
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
SELECT r.position, r.email_id, e.from_address, e.subject, e.status, r.recipient_address, r.recipient_type, r.status, r.smtp_response_code,
    r.enhanced_code, r.smtp_response_message, r.mx_host, r.last_update_time, r.cause, r.besides
FROM email_recipients r JOIN emails e ON e.id = r.email_id
WHERE r.status IN ('failed', 'expired', 'bounced', 'complained') AND r.last_update_time >= :since
    AND r.last_update_time <= :at AND (r.last_update_time < :at OR r.email_id < :id OR (r.email_id = :id AND r.position > :position))
    AND (:from_fits IS NULL OR fits(:from_fits, CAST(e.from_address AS BLOB)))
    AND (:to_fits IS NULL OR fits(:to_fits, CAST(r.recipient_address AS BLOB)))
    AND (:domain_fits IS NULL OR fits(:domain_fits, CAST(r.domain AS BLOB)))
ORDER BY r.last_update_time DESC, r.email_id DESC, r.position
"""


class Reader:
    """The database at `path`. `trouble` is why it cannot be read, `damaged` how many of its rows were left out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble = ""
        self.damaged = 0
        self._db: sqlite3.Connection | None = None
        try:
            self._db = file.open_to_read(path)
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
                return values.record(email, self._rows(RECIPIENTS, (id,)))
            except values.BadRow:
                self.damaged += 1
        return None

    def attempts(self, id: str, most: int = -1) -> list[Attempted]:
        """What is known of each attempt at message `id`, oldest first; with `most`, of so many at the end."""
        return list(self._good(ATTEMPTS, (id, most), values.attempt))[::-1]

    def dialogs(self, id: str) -> dict[int, list[DialogLine]]:
        """What was said in the last attempts at message `id` that failed, by `Attempted.key`."""
        return dict(self._good(DIALOGS, (id,), values.dialog))

    def heard(self, id: str, most: int) -> list[HeardReport]:
        """What reports of others said about message `id`, oldest first, the first `most`."""
        return list(self._good(HEARD, (id, most), values.heard))

    def standings(self, after: str = "") -> Iterator[Standing]:
        """How it stood with each destination when the daemon last said so, by key, those behind the key `after`."""
        return self._good(STANDINGS, (after,), values.standing)

    def alarms(self) -> list[OpenAlarm]:
        """The alarms that were open when the daemon last said so, the oldest first."""
        return list(self._good(values.ALARMS, (), values.alarm))

    def waiting(self, after: str = "") -> Iterator[Waiting]:
        """Each recipient that waits for its mail, by message, of those behind the ID `after`."""
        found = (self._good(WAITING, {"status": status, "after": after}, values.waiting) for status in PENDING[:3])
        return merge(*found, key=lambda each: each.id)

    def beginning(self, start: str) -> list[str]:
        """The IDs that begin with `start`, oldest first."""
        return list(self._ids(BEGINNING, {"start": start, "end": start + "~"}))

    def named(self, name: str) -> list[str]:
        """The IDs of messages with this Message-ID (with or without angle brackets) or request id, oldest first."""
        return list(self._ids(NAMED, {"name": name, "bracketed": f"<{name}>"})) if name else []

    def named_of(self, who: Principal, name: str) -> list[str]:
        """As `named`, of what `who` handed over; and all of that of which nothing else is known yet."""
        bound = {"uid": who.key, "name": name, "bracketed": f"<{name}>"}
        return [*self._ids(NAMED_OF, bound), *self._ids(UNSEEN_OF, (who.key,))]

    def submitter(self, id: str) -> Principal | None:
        """The principal who handed message `id` over; None where nobody did, or nothing is known of it."""
        return next((from_key(key) for (key,) in self._rows(SUBMITTER, (id,))), None)

    def submitted(self, who: Principal, before: str = "") -> Iterator[str]:
        """The messages that `who` handed over, newest first, those before the ID `before`."""
        return self._ids(SUBMITTED, (who.key, before or "~"))

    def counts(self) -> dict[Status, int]:
        """How many messages have each status."""
        known = {str(status): int(str(count)) for status, count in self._rows(COUNTS, ())}
        return {status: known[status] for status in STATUSES if status in known}

    def unsent(self) -> dict[str, Status]:
        """The status of every message that is not recorded as sent, by ID."""
        return dict(self._good(schema.UNSENT, (), values.unsent))

    def scheduled(self) -> Iterator[str]:
        """The messages that are to leave later and were not tried yet, in no order; `Record.scheduled` says the same of one."""
        return self._ids(SCHEDULED, {})

    def reported(self) -> Iterator[str]:
        """The messages of which a recipient bounced or complained later, in no order; some twice."""
        return self._ids(REPORTED, {})

    def ids(self, wanted: Filter, before: str = "") -> Iterator[str]:
        """The messages that may be meant, newest first, those before the ID `before`; what is pending in here whatever its state."""
        if not wanted.possible:
            return iter(())
        bound = bound_of(wanted)
        bound["before_id"] = min(str(bound["before_id"]), before or "~")
        if wanted.to and "*" not in wanted.to:
            return self._ids(BY_RECIPIENT, bound)
        if wanted.domain and "*" not in wanted.domain:
            return self._ids(BY_DOMAIN, bound)
        if wanted.states and wanted.states.isdisjoint(LATER):
            some = (self._ids(BY_STATUS, {**bound, "status": status}) for status in wanted.states.union(PENDING))
            return merge(*some, reverse=True)
        return self._ids(BY_SENDER if wanted.sender and "*" not in wanted.sender else BY_AGE, bound)

    def undelivered(self, wanted: Filter, before: Place | None = None) -> Iterator[tuple[Place, Undelivered]]:
        """The recipients that did not get their message, newest first, with their places. `since` is when that was known."""
        if not wanted.possible:
            return iter(())
        at, id, position = before or (1 << 62, "~", 0)
        bound = {**bound_of(wanted), "since": round(wanted.since * 1e6), "at": at, "id": id, "position": -position}
        return self._good(UNDELIVERED, bound, values.undelivered)

    def dmarc_sums(self, day: int) -> Iterator[DmarcSum]:
        """What others have counted of mail in a domain's name, on this day and later, by day; of whatever domain."""
        from . import sums

        return self._good(sums.DMARC_SUMS, (day,), sums.dmarc_sum)

    def tls_sums(self, day: int) -> Iterator[TlsSum]:
        """What others have counted of sessions with the hosts of a domain, on this day and later, by day; of whatever domain."""
        from . import sums

        return self._good(sums.TLS_SUMS, (day,), sums.tls_sum)

    def aggregate_reports(self, since: float) -> Iterator[SumReport]:
        """The reports that were counted and end then or later, newest first."""
        from . import sums

        return self._good(sums.REPORTS, (round(since * 1e6),), sums.report)

    def received(self, wanted: ReceivedFilter) -> Iterator[ReceivedRecord]:
        """What came by the doors and is meant, newest first."""
        from . import received

        since = (round(wanted.since * 1e6),)
        found = []
        if wanted.taken is not False:
            found.append(self._good(received.ARRIVALS, since, received.arrival))
        if wanted.taken is not True:
            found.append(self._good(received.REFUSALS, since, received.refusal))
        return filter(wanted.means, merge(*found, key=lambda each: each.at, reverse=True))

    def incoming(self, since: float) -> dict[str, int]:
        """How much came by the doors since then, by verdict; refusals by when they came last."""
        return {str(verdict): int(str(count)) for verdict, count in self._rows(INCOMING, {"since": round(since * 1e6)})}

    def arrival(self, id: str) -> ReceivedRecord | None:
        """How message `id` came by a door; None where it did not, or that is not known any more."""
        from . import received

        return next(self._good(received.ARRIVAL, (id,), received.arrival), None)

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
        return self._good(statement, bound, lambda row: values.id_of(row[0]))

    def _rows(self, statement: str, bound: Mapping[str, object] | tuple[object, ...]) -> Iterator[tuple[object, ...]]:
        if self._db is None:
            return
        try:
            yield from self._db.execute(statement, bound)
        except sqlite3.Error as error:
            self.trouble = str(error)
        except UnicodeEncodeError:
            return  # nothing in here has half a surrogate pair


def bound_of(wanted: Filter) -> dict[str, object]:
    """What is wanted, as the statements name it. NULL selects everything."""
    return {
        "to_fits": wanted.to or None,
        "from_fits": wanted.reverse_path if wanted.sender else None,
        "domain_fits": wanted.domain or None,
        "to_is": wanted.to,
        "to_domain": wanted.to.rpartition("@")[2].lower(),
        "from_is": wanted.reverse_path,
        "domain_is": wanted.domain.lower(),
        "since_id": first_id(wanted.since),
        "before_id": first_id(wanted.before) if wanted.before else "~",
    }
