"""``mailer send``: what is asked of a message beyond its delivery: when it is to leave, and which reports are wanted.

Loaded when one of these options was given.
"""

from __future__ import annotations

import time

from mailer.config import values
from mailer.mail.dates import parse_rfc3339, rfc3339

from .options import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Given

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
