"""``mailer send``: what is asked of a message beyond its delivery: when it leaves, which reports are wanted, whether to wait.

Loaded when one of these options was given. ``--wait`` says as an exit code what became of the message: 0 sent, 75 not yet, 69 given up;
and why. Whoever may read the spool watches the message's file: it is gone when all have it, and elsewhere when something went wrong.
Another user asks the daemon.
"""

from __future__ import annotations

import os
import time

from mailer.config import values
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.problem import Problem

from .options import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailer.status.record import RecipientRecord, Record
    from mailer.submit import Prepared

    from .options import Given

POLL = 0.02  # seconds between looks at the spool
ASK = 0.2  # seconds between questions to the daemon
TELLING = 5  # questions until it must have written the end of a message down
LONGEST = 366 * 86400  # seconds: mail for a later day than that is a slip
REPORTS = {"success": "SUCCESS", "failure": "FAILURE", "delay": "DELAY", "never": "NEVER"}  # RFC 3461 §4.1
PARTS = {"full": "FULL", "headers": "HDRS"}  # RFC 3461 §4.3


def asked(given: Given, now: float) -> dict[str, object]:
    """The envelope's options for what was given; nothing at all if nothing was. Raises `Problem` (usage)."""
    options: dict[str, object] = {}
    at, delay, reports = given.text("--at"), given.text("--delay"), given.text("--dsn")
    if at is not None and delay is not None:
        raise usage("--at and --delay do not go together", "send")
    due = _moment(at, now) if at is not None else _after(delay, now) if delay is not None else 0.0
    if due > now:
        options["at"] = rfc3339(due)
    if reports is not None:
        options |= _reports(reports)
    return options


def _after(delay: str, now: float) -> float:
    try:
        seconds = values.duration(delay)
    except ValueError as error:
        raise usage(f"--delay: {error}", "send") from None
    return _checked(now + seconds, now, f"--delay {delay}")


def _moment(text: str, now: float) -> float:
    try:
        return _checked(parse_rfc3339(text), now, f"--at {text}")
    except ValueError:
        pass
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%H:%M"):
        try:
            found = time.strptime(text, form)
        except ValueError:
            continue
        return _checked(_next(found, now) if form == "%H:%M" else time.mktime(found), now, f"--at {text}")
    raise usage(f"--at takes 2026-11-22T08:00:00Z, '2026-11-22 08:00' or 08:00, not {text!r}", "send")


def _next(clock: time.struct_time, now: float) -> float:
    """When the clock shows that the next time; `mktime` knows how long a day is on which clocks are changed."""
    today = time.localtime(now)
    moments = [time.mktime((*today[:2], today.tm_mday + days, clock.tm_hour, clock.tm_min, 0, 0, 0, -1)) for days in (0, 1)]
    return next(moment for moment in moments if moment > now)


def _checked(due: float, now: float, what: str) -> float:
    if due > now + LONGEST:
        raise usage(f"{what} is more than a year away", "send")
    return due


def _reports(text: str) -> dict[str, object]:
    words = text.lower().split(",")
    wanted = [REPORTS[word] for word in words if word in REPORTS]
    parts = [PARTS[word] for word in words if word in PARTS]
    unknown = [word for word in words if word not in REPORTS and word not in PARTS]
    if unknown or len(parts) > 1 or len(set(wanted)) < len(wanted) or ("NEVER" in wanted and len(wanted) > 1):
        raise usage(f"--dsn takes some of success, failure, delay, or never; and full or headers, not {text!r}", "send")
    options: dict[str, object] = {}
    if wanted:
        options["notify"] = ",".join(wanted)
    if parts:
        options["ret"] = parts[0]
    return options


# Waiting for the outcome


def seconds_of(text: str | None) -> float | None:
    """The seconds to wait that an option says; None: not at all, infinite without a number. Raises `Problem` (usage)."""
    if text is None:
        return None
    if not text:
        return float("inf")
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise usage(f"--wait takes a number of seconds, not {text!r}", "send")
    return seconds


class Ended:
    """How the wait ended: `problem` for every other end than that all have it, and the `record` of the message, if it is known."""

    def __init__(self, problem: Problem | None, record: Record | None) -> None:
        self.problem = problem
        self.record = record

    def as_json(self, queued: dict[str, Any]) -> dict[str, Any]:
        """The message as it is now, in place of what was `queued`."""
        if self.record is not None:
            return queued | self.record.as_json()
        if self.problem:
            return queued
        return queued | {"status": "sent", "recipients": [person | {"status": "sent"} for person in queued["recipients"]]}


def wait(spool: str, done: Prepared, seconds: float, *, told: bool) -> Ended:
    """Wait up to `seconds` for the outcome; `told` is whether the record of mail that was sent is wanted too."""
    id, due = done.envelope.id, done.envelope.due
    if not done.heard and seconds == float("inf"):
        return Ended(Problem(f"{id} is queued, but {_no_daemon(spool)}", "try-again"), None)
    look = _look if os.access(f"{spool}/queued", os.X_OK) else _ask
    pause = POLL if look is _look else ASK
    end = time.monotonic() + seconds
    while (status := look(spool, id, due)) in ("queued", "held") and time.monotonic() < end:
        time.sleep(pause)
    if status == "sent":
        return Ended(None, _record(spool, id, over=True) if told else None)
    nothing = status == "queued" and not told  # has happened that could be told of
    return _put_off(done, status, None if nothing else _record(spool, id, over=status == "failed"), spool, seconds)


def ending(id: str, ended: Ended) -> str:
    """What became of a message that all have, for a person."""
    people = ended.record.recipients if ended.record else ()
    first = next((person for person in people if person.why), None)
    if first is None:
        return f"{id} was sent"
    host = f" by {first.host}" if first.host else ""
    return f"{id} was taken{host}{f' for {len(people)} recipients' if len(people) > 1 else ''}: {first.why}"


def _put_off(done: Prepared, status: str, record: Record | None, spool: str, seconds: float) -> Ended:
    id = done.envelope.id
    if status == "failed":
        word = record.status if record and record.done else "failed"
        return Ended(Problem(f"{id} {'was ' if word == 'cancelled' else ''}{word}{_why(record)}", "unavailable"), record)
    if status == "deferred":
        return Ended(Problem(f"{id} was put off for now{_why(record)}", "try-again"), record)
    if status == "held":
        return Ended(Problem(f"{id} is held; `mailer queue release {id}` lets it go", "try-again"), record)
    waits = f"still queued after {seconds:g} seconds"
    if done.envelope.due > time.time():
        from .show import local

        waits = f"scheduled for {local(done.envelope.due)}"
    absent = "" if done.heard else f"; {_no_daemon(spool)}"
    return Ended(Problem(f"{id} is {waits}{absent}{_why(record)}", "try-again"), record)


def _no_daemon(spool: str) -> str:
    return f"no daemon runs on {spool} to deliver it (`mailer run` starts one)"


def _why(record: Record | None) -> str:
    """The reasons that are known, of the first who waits and of the first who gets nothing, and where more is to be had."""
    if record is None:
        return ""
    waits = [one for one in record.recipients if not one.done]
    lost = [one for one in record.recipients if one.done and one.status != "sent"]
    reasons = [reason for part in (waits, lost) if (reason := _of(part, len(record.recipients)))]
    if not reasons:
        return f": {record.error}" if record.error else ""
    return f"{', and given up'.join(reasons)}; `mailer explain {record.id}` says more"


def _of(part: list[RecipientRecord], all: int) -> str:
    """The reason of the first of them that has one, and for how many it stands."""
    why = next((one for one in part if one.why), None)
    if why is None:
        return ""
    many = f" for {len(part)} of {all} recipients, such as {why.address}" if all > 1 else ""
    return f"{many}: {why.why}"


def _record(spool: str, id: str, *, over: bool = False) -> Record | None:
    """What is known of the message; with `over` its end, which the database hears a moment later than the spool."""
    from mailer.intake.view import view_of
    from mailer.spool.files.store import SpoolDirectory

    for _ in range(TELLING):
        try:
            with view_of(SpoolDirectory(spool)) as view:
                record = view.message(id)
        except Problem:  # it is queued all the same; only what is said of it is less
            return None
        if not over or (record and record.done):
            return record
        time.sleep(ASK)
    return None


def _look(spool: str, id: str, due: float) -> str:
    """Where its file is; one that is to leave later counts as queued. It may be renamed between two looks, so all are made twice."""
    for _ in range(2):
        for state in ("failed", "deferred", "queued", "held"):
            try:
                known = os.stat(f"{spool}/{state}/{id}")
            except FileNotFoundError:
                continue
            return "queued" if state == "deferred" and known.st_mtime <= due + 0.001 else state
    return "sent"


def _ask(spool: str, id: str, due: float) -> str:
    """What the daemon says. What is in ``drop/`` it does not know yet, and waits there."""
    from mailer.intake.client import RemoteView

    try:
        record = RemoteView(spool).message(id)
    except Problem as problem:
        if problem.kind not in ("no-permission", "no-such"):
            raise
        return "queued"
    if record is None or (record.status == "deferred" and (record.next_attempt_at or 0.0) <= due + 0.001):
        return "queued"
    return {"expired": "failed", "cancelled": "failed", "sending": "queued"}.get(record.status, record.status)
