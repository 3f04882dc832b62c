"""Moments as text: RFC 3339 for spool, status and JSON, RFC 5322 for Date fields and reports.

A moment is a float, seconds since the epoch in UTC, everywhere in the program; it becomes text only
here. Nothing is imported, because `datetime` or `time` with `email.utils` would cost every
``mailer send`` more than the arithmetic does. The calendar is the Gregorian one from 1970 to 9999;
leap seconds do not exist in it, as they do not in POSIX time.
"""

from __future__ import annotations

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BEFORE = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365)  # days of the common year before each month
_END = 253402300800  # the first second of the year 10000
_DAY = 86400


def rfc3339(seconds: float) -> str:
    """`seconds` in UTC, as ``2026-11-21T02:15:29Z`` or, where it is not whole, with microseconds.

    Raises `ValueError` outside the years 1970 to 9999.
    """
    whole, micros = _whole(seconds)
    text = _seconds.get(whole)
    if text is None:
        year, month, day = _date(whole // _DAY)
        text = f"{year:04d}-{month:02d}-{day:02d}T{_clock(whole)}"
        _seconds.clear()  # another thread may be here too: nothing is read back
        _seconds[whole] = text
    return f"{text}.{micros:06d}Z" if micros else f"{text}Z"


_seconds: dict[int, str] = {}  # nearly always, the second asked for last


def rfc5322(seconds: float, offset_minutes: int = 0) -> str:
    """`seconds` as the value of a Date field, ``Sat, 21 Nov 2026 02:15:29 +0000``.

    `offset_minutes` is the zone to write it in, east of Greenwich positive. Raises `ValueError`
    outside the years 1970 to 9999.
    """
    local = _whole(seconds)[0] + 60 * offset_minutes
    days = _inside(local) // _DAY
    year, month, day = _date(days)
    hours, minutes = divmod(abs(offset_minutes), 60)
    zone = f"{'-' if offset_minutes < 0 else '+'}{hours:02d}{minutes:02d}"
    # the epoch was a Thursday
    return f"{_DAYS[(days + 3) % 7]}, {day} {_MONTHS[month - 1]} {year:04d} {_clock(local)} {zone}"  # RFC 5322 §3.3


def parse_rfc3339(text: str) -> float:
    """The seconds that `text` writes, with ``Z`` or an offset; digits past the microsecond are dropped.

    A leap second is the second after it (RFC 3339 §5.6 lets it be written). Raises `ValueError` for
    anything that is no such moment between 1970 and 9999.
    """
    try:
        micros, zone = _fraction(text[19:])
        whole = _whole_second(text[:19])
        if zone not in ("Z", "z"):
            whole = _inside(whole - _offset(zone))
        return whole + micros / 1e6
    except (ValueError, IndexError):
        raise ValueError(f"{text[:40]!r} is no RFC 3339 time between 1970 and 9999 (2026-11-21T02:15:29Z)") from None


def _whole_second(text: str) -> int:
    """The seconds of ``2026-11-21T02:15:29``; nearly always the one asked for last."""
    known = _written.get(text)
    if known is None:
        known = _inside(_days(text[:10]) * _DAY + _seconds_of_day(text))
        _written.clear()  # another thread may be here too: nothing is read back
        _written[text] = known
    return known


_written: dict[str, int] = {}


def _seconds_of_day(text: str) -> int:
    hour, minute, second = _number(text[11:13], 2), _number(text[14:16], 2), _number(text[17:19], 2)
    if text[13] + text[16] != "::" or text[10] not in "Tt ":
        raise ValueError
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError
    return hour * 3600 + minute * 60 + second


def _days(text: str) -> int:
    """The days from 1 January 1970 to ``2026-11-21``."""
    year, month, day = _number(text[:4], 4), _number(text[5:7], 2), _number(text[8:10], 2)
    if text[4] + text[7] != "--" or not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= _length(year, month)):
        raise ValueError
    return _before_year(year) + _BEFORE[month - 1] + (month > 2 and _leap(year)) + day - 1


def _fraction(rest: str) -> tuple[int, str]:
    """The microseconds that `rest` begins with, and what follows them."""
    if not rest.startswith("."):
        return 0, rest
    digits = rest[1:].rstrip("Zz").partition("+")[0].partition("-")[0]
    return _number(digits, len(digits) or 1) * 10**6 // 10 ** len(digits), rest[1 + len(digits) :]


def _offset(zone: str) -> int:
    """The seconds that `zone` is ahead of UTC."""
    hours, minutes = _number(zone[1:3], 2), _number(zone[4:], 2)
    if zone[0] not in "+-" or zone[3] != ":" or hours > 23 or minutes > 59:
        raise ValueError
    return (hours * 60 + minutes) * (-60 if zone[0] == "-" else 60)


def _number(digits: str, length: int) -> int:
    if len(digits) != length or not digits.isascii() or not digits.isdigit():
        raise ValueError
    return int(digits)


def _whole(seconds: float) -> tuple[int, int]:
    """`seconds` rounded to the microsecond: whole ones, and the rest in microseconds."""
    if not -1 < seconds < _END:  # NaN compares false too
        raise ValueError(f"{seconds!r} seconds is no time between 1970 and 9999")
    whole, micros = divmod(round(seconds * 1e6), 10**6)
    return (whole, micros) if 0 <= whole < _END else (_inside(whole), micros)


def _inside(seconds: int) -> int:
    if not 0 <= seconds < _END:
        raise ValueError(f"{seconds!r} seconds is no time between 1970 and 9999")
    return seconds


def _clock(seconds: int) -> str:
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day of the day that is `days` after 1 January 1970; nearly always the one asked for last."""
    known = _known.get(days)
    if known is None:
        known = _calendar(days)
        _known.clear()  # another thread may be here too: nothing is read back
        _known[days] = known
    return known


_known: dict[int, tuple[int, int, int]] = {}


def _calendar(days: int) -> tuple[int, int, int]:
    year = 1970 + days // 365  # never too early, and at most six years too late: the leap days until 9999
    while _before_year(year) > days:
        year -= 1
    rest = days - _before_year(year)
    month = 1
    while rest >= _length(year, month):
        rest -= _length(year, month)
        month += 1
    return year, month, rest + 1


def _before_year(year: int) -> int:
    """The days from 1 January 1970 to 1 January of `year`."""
    past = year - 1
    return 365 * (year - 1970) + past // 4 - past // 100 + past // 400 - 477  # 477 leap days up to 1969


def _length(year: int, month: int) -> int:
    return _BEFORE[month] - _BEFORE[month - 1] + (month == 2 and _leap(year))


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
