"""The line that begins a message of an mbox: ``From ann@example.org Fri Jul  8 12:08:34 2011``, RFC 4155 Appendix A.

Programs write it in many ways: with a zone, without seconds, with blanks in the address. What all have is a date as of asctime(3).
A line of a letter that begins with "From " has none; so the date is what makes it one, and it is read strictly.
"""

from __future__ import annotations

import re
from calendar import timegm
from typing import Final

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LONGEST: Final = 1000

_DATE: Final = re.compile(
    rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}) +"
    rb"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?P<before>(?: +[A-Z]{1,5}| +[+-]\d{4}){0,2}) +(?P<year>\d{4})"
    rb"(?P<behind>(?: +[A-Z]{1,5}| +[+-]\d{4}){0,2})(?: +remote from .{0,100})?\s*$"
)
_ZONE: Final = re.compile(rb"([+-])(\d\d)(\d\d)")


def received(line: bytes) -> float | None:
    """The time that a From_ line tells, in seconds since the epoch; None for a line that is none."""
    if not line.startswith(b"From ") or len(line) > LONGEST:
        return None
    at = max((line.rfind(day) for day in (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")), default=-1)
    found = _DATE.match(line, at) if at > 0 else None
    if found is None or found["month"].decode() not in MONTHS:
        return None
    try:
        seconds = timegm(
            (
                int(found["year"]),
                MONTHS.index(found["month"].decode()) + 1,
                int(found["day"]),
                int(found["hour"]),
                int(found["minute"]),
                int(found["second"] or 0),
            )
        )
    except (ValueError, OverflowError):
        return None
    zone = _ZONE.search(found["before"] + found["behind"])
    offset = 0 if zone is None else (int(zone[2]) * 60 + int(zone[3])) * (-60 if zone[1] == b"-" else 60)
    return float(max(seconds - offset, 0))


def written(sender: str, at: float) -> bytes:
    """A From_ line for a message that came `at` from `sender`, without its end."""
    from time import asctime, gmtime

    address = "".join(letter if "!" <= letter <= "~" else "_" for letter in sender) or "MAILER-DAEMON"
    return f"From {address} {asctime(gmtime(max(at, 0)))}".encode("ascii")
