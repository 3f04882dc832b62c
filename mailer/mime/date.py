"""When a message was written: the value of its Date field, as mail has it.

RFC 5322 §3.3 with the obsolete forms of §4.3, and what else is read in practice. A zone that there is not is UTC, a time that there is not
is midnight, and the day counts all the same (RFC 5256 §2.2).
"""

from __future__ import annotations

import re
from email.utils import parsedate_tz
from typing import NamedTuple

from mailer.mail.dates import parse_rfc3339

LONGEST = 100  # characters of the field that are read
_DAY = 86400
_FARTHEST = 86400  # seconds from Greenwich, which no zone reaches
_DATE = re.compile(r"\s{0,9}(?:[a-z]{3,9},)?\s{0,9}\d{1,2}\s{1,9}[a-z]{3,9}\s{1,9}\d{2,4}(?=\s|$)", re.IGNORECASE)  # RFC 5322 §3.3
_END = 253402300800  # the first second of the year 10000


class DateWritten(NamedTuple):
    """A moment in seconds since the epoch; the day that its writer's calendar had, in days since the epoch (RFC 9051 §6.4.4, SENTON); and
    his zone, in seconds east of Greenwich."""

    seconds: float
    day: int
    zone: int


def written(value: str) -> DateWritten | None:
    """When a Date field says that it was; None where it does not say."""
    try:
        read = parsedate_tz(value[:LONGEST])
        if read is None and (found := _DATE.match(value[:LONGEST])):  # a day, and no time that can be read
            read = parsedate_tz(f"{found[0]} 00:00:00 +0000")
        if read is None:
            return None
        year, month, day, hour, minute, second = read[:6]
        midnight = parse_rfc3339(f"{year:04d}-{month:02d}-{day:02d}T00:00:00Z")
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    zone = read[9] or 0
    if abs(zone) >= _FARTHEST:
        zone = 0
    clock = hour * 3600 + minute * 60 + second if hour < 24 and minute < 60 and second <= 60 else 0  # 60 is a leap second
    seconds = midnight + clock - zone
    return DateWritten(seconds, int(midnight) // _DAY, zone) if 0 <= seconds < _END else None
