"""Moments as text, against the standard library's calendar."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.mail.dates import parse_rfc3339, rfc3339, rfc5322

LAST = 253402300799  # 9999-12-31T23:59:59Z
seconds = st.integers(0, LAST)
micros = st.integers(0, 4_000_000_000 * 10**6)  # up to 2096, where a float still holds microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(seconds)
@example(0)
@example(LAST)
@example(951782400)  # 29 February 2000
def test_whole_seconds_are_written_as_the_calendar_says(at: int) -> None:
    """Every second from 1970 to 9999 is written as `datetime` writes it, and read back as itself."""
    text = rfc3339(at)
    assert text == (EPOCH + timedelta(seconds=at)).isoformat().replace("+00:00", "Z")
    assert parse_rfc3339(text) == at


@pytest.mark.slow
def test_every_new_year_is_a_new_year() -> None:
    """The first second of each year falls into it, the one before into the year before."""
    for year in range(1971, 10000):
        first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
        assert rfc3339(first) == f"{year}-01-01T00:00:00Z"
        assert rfc3339(first - 1) == f"{year - 1}-12-31T23:59:59Z"


@given(micros)
@example(1)
@example(999_999)
def test_fractions_are_written_to_the_microsecond(at: int) -> None:
    """A moment that is not whole has six digits after the point, and comes back within a microsecond."""
    text = rfc3339(at / 1e6)
    assert ("." in text) == bool(at % 10**6)
    assert text == (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
    assert parse_rfc3339(text) == pytest.approx(at / 1e6, abs=1e-6)


def test_a_fraction_that_rounds_up_carries() -> None:
    """0.9999999 seconds before the minute is the minute."""
    assert rfc3339(59.9999999) == "1970-01-01T00:01:00Z"


@given(st.integers(86400, LAST - 86400), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_a_date_field_is_what_the_email_package_writes(at: int, offset: int) -> None:
    """RFC 5322 dates agree with `email.utils` in every zone, and are read back as the same moment."""
    there = (EPOCH + timedelta(seconds=at)).astimezone(timezone(timedelta(minutes=offset)))
    expected = format_datetime(there)
    assert rfc5322(at, offset) == expected.replace(", 0", ", ")
    assert parsedate_to_datetime(rfc5322(at, offset)) == there


@given(st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1)), st.integers(-1439, 1439))
def test_an_offset_is_taken_off(naive: datetime, offset: int) -> None:
    """A time with an offset is the moment that `datetime` makes of it."""
    there = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse_rfc3339(there.isoformat()) == pytest.approx(there.timestamp(), abs=2e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21t02:15:29z", 1795227329.0),
        ("2026-11-21 02:15:29Z", 1795227329.0),
        ("2026-11-21T02:15:29.1234567899Z", 1795227329.123456),
        ("2026-11-21T02:15:29.5+00:30", 1795225529.5),
        ("2016-12-31T23:59:60Z", 1483228800.0),
    ],
)
def test_the_forms_that_the_standard_allows(text: str, expected: float) -> None:
    """Lower case, a blank for the T, more digits, an offset and a leap second are all RFC 3339."""
    assert parse_rfc3339(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "2026-11-21", "2026-11-21T02:15:29", "2026-11-21T02:15Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z", "10000-01-01T00:00:00Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00+00:0", "2026-01-01T00:00:00+00:60",
        "2026-01-01T00:00:00+24:00", "２026-01-01T00:00:00Z", "2026-01-01T00:00:00.+1Z", "2026/01/01T00:00:00Z", "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.1_0Z", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00.5ZZ",
    ],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Anything else is a `ValueError` that shows the text."""
    with pytest.raises(ValueError, match="no RFC 3339 time"):
        parse_rfc3339(text)


@given(
    st.text(max_size=40)
    | st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]*)?(Z|[+-].*)", fullmatch=True)
)
def test_garbage_raises_one_class(text: str) -> None:
    """Whatever the text, a moment within the calendar or a `ValueError` comes out."""
    try:
        at = parse_rfc3339(text)
    except ValueError:
        return
    assert 0 <= at < LAST + 1


@pytest.mark.parametrize("at", [-1, -0.001, LAST + 1, 1e30, float("nan"), float("inf"), float("-inf")])
def test_a_moment_outside_the_calendar_is_refused(at: float) -> None:
    """Before 1970, after 9999 and no number at all raise `ValueError` in both writers."""
    with pytest.raises(ValueError, match="between 1970 and 9999"):
        rfc3339(at)
    with pytest.raises(ValueError, match="between 1970 and 9999"):
        rfc5322(at)


@pytest.mark.slow
def test_many_threads_can_write_times_at_once() -> None:
    """The recorder, the settler and the log do: whatever day each writes, all are right."""
    days = [nth * 86_400.0 for nth in range(50)]
    right = [rfc3339(day) for day in days]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for written in pool.map(lambda _: [rfc3339(day) for day in days], range(100)):
                assert written == right
    finally:
        sys.setswitchinterval(before)
