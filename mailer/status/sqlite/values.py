"""From rows to values: what the columns that `reader` selects say.

A row is not trusted, for anybody may have written into the file: what no version of the program ever wrote makes a function here raise
`BadRow`, and the reader leaves that thing out and says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar, cast, get_args

from mailer.mail.alarm import AlarmKind, OpenAlarm, Severity
from mailer.mail.envelope import PRIORITIES
from mailer.mail.envelope_reader import RECIPIENT_TYPES
from mailer.mail.history import LATER, STATUSES
from mailer.mail.outcome import CAUSES, PHASE_OF, PHASES, BreakerState, Scope, Verdict, WaitKind, reply_line, told
from mailer.spool import is_id

from ..api import PutOff, Undelivered, Waiting
from ..record import RecipientRecord, Record
from ..standing import FOREVER, Standing
from ..story import Attempted, DialogLine, HeardReport, Speaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.mail.history import Status

Word = TypeVar("Word", bound=str)
Value = TypeVar("Value")

END = 253402300800 * 10**6  # the first microsecond of the year 10000
MAX_LINES = 1000  # of a dialog that is read back; none that was written has as many


class BadRow(ValueError):
    """A row that this program did not write."""


def record(email: Sequence[object], recipients: Iterable[Sequence[object]]) -> Record:
    """A message: a row of `emails` and its recipients. Raises `BadRow`."""
    id, message_id, request_id, sender, subject, size, priority, status, queued, last, sent, due, tries, error, stream = email
    return Record(
        id_of(id),
        text_of(message_id),
        text_of(request_id),
        _one_of(status, STATUSES),
        text_of(sender),
        text_of(subject),
        _count(size),
        _one_of(priority, PRIORITIES),
        moment_of(queued),
        _moment_or_none(last),
        _moment_or_none(due),
        _moment_or_none(sent),
        _count(tries),
        text_of(error),
        [recipient(row) for row in recipients],
        stream=text_of(stream),
    )  # fmt: skip


def recipient(row: Sequence[object]) -> RecipientRecord:
    """One recipient of a message. Raises `BadRow`."""
    address, type, status, code, enhanced, reply, host, at, cause, besides = row
    return RecipientRecord(
        text_of(address),
        _one_of(type, RECIPIENT_TYPES),
        _one_of(status, (*STATUSES, *LATER)),
        number_of(code),
        text_of(enhanced),
        text_of(reply),
        text_of(host),
        moment_of(at),
        CAUSES.get(text_of(cause)),
        text_of(besides),
    )


def undelivered(row: Sequence[object]) -> tuple[tuple[int, str, int], Undelivered]:
    """A recipient who did not get a message, and its place in the list of such. Raises `BadRow`."""
    position, id, sender, subject, status, *rest = row
    person = recipient(rest)
    item = Undelivered(id_of(id), str(sender), str(subject or ""), _one_of(status, STATUSES), person)
    return (round(person.updated_at * 1e6), item.id, -number_of(position)), item


def waiting(row: Sequence[object]) -> Waiting:
    """A recipient who waits. Raises `BadRow`."""
    id, queued, domain, host, code, enhanced, text, cause = row
    why = reply_line(number_of(code), text_of(enhanced), text_of(text))
    return Waiting(id_of(id), moment_of(queued), text_of(domain), text_of(host), told(why, CAUSES.get(text_of(cause))))


def unsent(row: Sequence[object]) -> tuple[str, Status]:
    """The ID of a message, and its status. Raises `BadRow`."""
    id, status = row
    return id_of(id), _one_of(status, STATUSES)


def put_off(row: Sequence[object]) -> PutOff:
    """A recipient who waits for a reason that has a name. Raises `BadRow`."""
    id, domain, cause = row
    if cause not in CAUSES:
        raise BadRow("the cause is none")
    return PutOff(id_of(id), text_of(domain), CAUSES[text_of(cause)])


def attempt(row: Sequence[object]) -> Attempted:
    """One attempt at a recipient. Raises `BadRow`."""
    position, at, address, verdict, scope, host, ip, port, wanted, tls, phase, code, enhanced, text, *more = row
    seconds, queue_id, steps, reused, cause, besides = more
    return Attempted(
        number_of(position),
        moment_of(at),
        text_of(address),
        _one_of(verdict, get_args(Verdict)),
        _one_of(scope, get_args(Scope)),
        text_of(host),
        text_of(ip),
        number_of(port),
        text_of(wanted),
        text_of(tls),
        PHASE_OF.get(text_of(phase), ""),
        number_of(code),
        text_of(enhanced),
        text_of(text),
        float(seconds) if isinstance(seconds, int | float) else 0.0,
        text_of(queue_id),
        _steps(steps),
        bool(reused),
        cause=CAUSES.get(text_of(cause)),
        besides=text_of(besides),
    )


def _steps(text: object) -> dict[str, float]:
    """Milliseconds by phase, in the order of the session."""
    if text is None:
        return {}
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRow("the steps of an attempt are none")
    return {phase: float(found[phase]) for phase in PHASES if isinstance(found.get(phase), int | float)}


def dialog(row: Sequence[object]) -> tuple[int, list[DialogLine]]:
    """What the attempt of a dialog is found by, and its lines. Raises `BadRow`."""
    at, text = row
    try:
        lines = json.loads(text) if isinstance(text, str) else None
        if not isinstance(lines, list) or len(lines) > MAX_LINES:
            raise BadRow("a dialog is no list")
        return number_of(at), [_line(*line) for line in lines]
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRow(f"a dialog is none: {error}") from None


def _line(ms: object, who: object, text: object) -> DialogLine:
    if not isinstance(ms, int | float | None):
        raise BadRow("a time in a dialog is none")
    return DialogLine(ms, _one_of(who, get_args(Speaker)), text_of(text))


def standing(row: Sequence[object]) -> Standing:
    """How it stood with a destination. Raises `BadRow`."""
    key, waits, sessions, window, cap, breaker, failures, until, reason, paused, pause, rate, reply, last, wait, detail, end, at = row
    return Standing(
        text_of(key),
        _count(waits),
        _count(sessions),
        _size(window),
        _count(cap),
        _one_of(breaker, get_args(BreakerState)),
        _count(failures),
        _until(until),
        text_of(reason),
        _until(paused),
        text_of(pause),
        _until(rate),
        text_of(reply),
        _until(last),
        _one_of(wait or "", get_args(WaitKind)),
        text_of(detail),
        _until(end),
        _until(at),
    )


ALARMS = "SELECT kind, key, since, last, times, severity, text, remedy, told FROM alarms ORDER BY since, kind, key"
"""What `alarm` reads."""


def alarm(row: Sequence[object]) -> OpenAlarm:
    """An alarm that is open. Raises `BadRow`."""
    kind, key, since, last, times, severity, text, remedy, told = row
    return OpenAlarm(
        _one_of(kind, get_args(AlarmKind)),
        text_of(key),
        moment_of(since),
        moment_of(last),
        _count(times),
        _one_of(severity, get_args(Severity)),
        text_of(text),
        text_of(remedy),
        bool(told),
    )


def heard(row: Sequence[object]) -> HeardReport:
    """What a report said of one recipient. Raises `BadRow`."""
    id, nth, at, source, kind, trust, message, position, recipient, action, status, diagnostic, class_, effect = row
    return HeardReport(
        id_of(id),
        _count(nth),
        moment_of(at),
        text_of(source),
        text_of(kind),
        text_of(trust),
        text_of(message),
        -1 if position is None else _count(position),
        text_of(recipient),
        text_of(action),
        text_of(status),
        text_of(diagnostic),
        text_of(class_),
        text_of(effect),
    )


def good(found: Iterable[Sequence[object]], read: Callable[[Sequence[object]], Value]) -> list[Value]:
    """What `read` makes of each row, those left out of which it makes nothing."""
    values = []
    for row in found:
        try:
            values.append(read(row))
        except BadRow:
            continue
    return values


def id_of(value: object) -> str:
    """`value`, if it is the ID of a message. Raises `BadRow`."""
    if not isinstance(value, str) or not is_id(value):
        raise BadRow("the ID is none")
    return value


def _one_of(value: object, words: Sequence[Word]) -> Word:
    if not isinstance(value, str) or value not in words:
        raise BadRow(f"{str(value)[:40]!r} is none of {', '.join(words)}")
    return cast(Word, value)


def moment_of(value: object) -> float:
    """Microseconds since the epoch, as seconds. Raises `BadRow`."""
    if type(value) is not int or not 0 <= value < END:
        raise BadRow("a time lies outside the years 1970 to 9999")
    return value / 1e6


def _moment_or_none(value: object) -> float | None:
    return None if value is None else moment_of(value)


def _until(value: object) -> float:
    """As `moment_of`; 0.0 is none, and the end of time is `FOREVER`."""
    return min(moment_of(value or 0), FOREVER)


def text_of(value: object) -> str:
    """A text; NULL is an empty one. Raises `BadRow`."""
    if not isinstance(value, str | None):
        raise BadRow("what should be text is none")
    return value or ""


def number_of(value: object) -> int:
    """A whole number; NULL is 0. Raises `BadRow`."""
    return 0 if value is None else _count(value)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise BadRow("a number is negative, or none")
    return value


def _size(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise BadRow("a number is negative, or none")
    return value
