"""When a message was written, as its Date field says it."""

from __future__ import annotations

import time

import pytest

from mailer.mime.date import written


def moment(value: str) -> str | None:
    found = written(value)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(found.seconds)) if found else None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("31 Dec 2000 16:01:33 -0800", "2001-01-01 00:01:33"),
        ("Sat, 21 Nov 2026 01:02:60 +0000", "2026-11-21 01:03:00"),
        ("Sat, 21 Nov 26 01:02 EST", "2026-11-21 06:02:00"),
        ("Sat, 21 Nov 2026 01:02:03 XYZ", "2026-11-21 01:02:03"),
        ("Sat, 21 Nov 2026 01:02:03 +9999", "2026-11-21 01:02:03"),
        ("Sat, 21 Nov 2026 25:99:00 +0000", "2026-11-21 00:00:00"),
        ("21 Nov 2026", "2026-11-21 00:00:00"),
        ("Sat, 21 Nov 2026 soon", "2026-11-21 00:00:00"),
        ("31 Feb 2026 01:02:03 +0000", None),
        ("31 Feb 2026", None),
        ("21 Nov 20267", None),
        ("soon", None),
        ("", None),
    ],
)
def test_what_cannot_be_of_a_date_does_not_take_the_rest(value: str, said: str | None) -> None:
    """RFC 5256 §2.2: a zone that is none is UTC, a time that is none is midnight, and a day that is none is no date."""
    assert moment(value) == said


def test_the_day_is_that_of_the_writer() -> None:
    """RFC 9051 §6.4.4, SENTON: whatever the time, and the zone."""
    days = {written(f"Sat, 21 Nov 2026 {rest}").day for rest in ("23:30:00 -0800", "00:10:00 +0900", "99:00:00 +0000", "")}  # type: ignore[union-attr]
    assert len(days) == 1
