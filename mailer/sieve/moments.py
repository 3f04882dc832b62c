"""Dates as ``date`` and ``currentdate`` compare them: the parts of a moment in a zone, as text. RFC 5260 §4.2"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.dates import rfc3339, rfc5322
from mailer.mime.date import written

if TYPE_CHECKING:
    from collections.abc import Callable


_DAY: Final = 86_400
_LAST: Final = 253_402_300_800 - _DAY  # there is no year beyond 9999 in any zone
_EPOCH: Final = 40_587  # the Modified Julian Day of 1 January 1970


class Moment(NamedTuple):
    """A moment in seconds since the epoch, and the zone that it was written in, in minutes east of Greenwich."""

    seconds: float
    zone: int = 0


def moment(value: str) -> Moment | None:
    """The moment that the value of a field says, that behind its last semicolon, as Received has it; None where it says none."""
    found = written(value.rpartition(";")[2].strip())
    if found is None or not _DAY <= found.seconds < _LAST:
        return None
    return Moment(found.seconds, found.zone // 60)


def part_of(seconds: float, zone: int, part: str) -> str:
    """A part of the moment `seconds` as it is in `zone`, minutes east of Greenwich."""
    local = int(seconds) + 60 * zone
    return rfc3339(local)[_PLACES[part]] if part in _PLACES else _REST[part](local, zone)


def _zone(minutes: int, colon: str = "") -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}{colon}{rest:02d}"


def _std11(local: int, zone: int) -> str:
    """As a Date field has it, the day always with two digits."""
    text = rfc5322(local - 60 * zone, zone)
    return text if text[6] != " " else f"{text[:5]}0{text[5:]}"


_PLACES: Final = {
    "year": slice(0, 4),
    "month": slice(5, 7),
    "day": slice(8, 10),
    "date": slice(0, 10),
    "hour": slice(11, 13),
    "minute": slice(14, 16),
    "second": slice(17, 19),
    "time": slice(11, 19),
}
"""Where each part is in a moment of RFC 3339."""

_REST: Final[dict[str, Callable[[int, int], str]]] = {
    "julian": lambda local, _: str(local // _DAY + _EPOCH),
    "iso8601": lambda local, zone: rfc3339(local)[:19] + (_zone(zone, ":") if zone else "Z"),
    "std11": _std11,
    "zone": lambda _, zone: _zone(zone),
    "weekday": lambda local, _: str((local // _DAY + 4) % 7),  # the epoch was a Thursday, and 0 is Sunday
}
