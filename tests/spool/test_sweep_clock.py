"""Nothing is deleted by a clock that has not stood for a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory
from mailer.spool.files.sweep import GAP, NAME, STANDS, believed

NOW = 1_800_000_000.0
DAY = 86_400.0
YEAR = 365 * DAY


def stands(spool: SpoolDirectory, now: float = NOW) -> float:
    """Look every hour until the clock is believed; returns the time."""
    began = now
    while not believed(spool.root, now):
        now += 3600.0
    assert now - began == STANDS
    return now


def test_a_clock_is_believed_when_it_has_stood_for_a_day(spool: SpoolDirectory) -> None:
    """In a new spool, too; and from then on, however often the daemon is started."""
    now = stands(spool)
    assert believed(spool.root, now + 1.0)
    assert believed(spool.root, now)


@pytest.mark.parametrize("leap", [-YEAR, -3600.0, GAP + DAY, 10 * YEAR])
def test_one_that_leaps_is_another_clock(spool: SpoolDirectory, leap: float) -> None:
    """A machine that starts in another year deletes nothing, nor in its first day after it was put right."""
    now = stands(spool)
    assert not believed(spool.root, now + leap)
    assert not believed(spool.root, now + leap + 3600.0)
    right = stands(spool, now + 3 * GAP)
    assert believed(spool.root, right + 60.0)


def test_a_machine_may_be_off(spool: SpoolDirectory) -> None:
    """Over night, and over a long weekend, without losing what it has earned."""
    now = stands(spool)
    for hours in (16.0, 88.0, 0.1):
        now += hours * 3600.0
        assert believed(spool.root, now)


def test_eight_hours_a_day_are_enough(spool: SpoolDirectory) -> None:
    """A day is over the next day, though the daemon never runs for as long."""
    assert not any(believed(spool.root, NOW + hour * 3600.0) for hour in range(9))
    assert believed(spool.root, NOW + DAY)


@pytest.mark.parametrize("text", ["", "2026", "2026-11-30T00:00:00Z\n", "a b c\n", "\x00" * 60, "x" * 1000])
def test_a_line_that_says_nothing_begins_the_day_anew(spool: SpoolDirectory, text: str) -> None:
    """A crash in the middle, or somebody's hand: and it is whole again after."""
    stands(spool)
    path = Path(spool.root, NAME)
    path.write_text(text)
    stands(spool, NOW + DAY)
    assert len(path.read_text().splitlines()) == 1


def test_a_note_that_cannot_be_written_stops_no_sweep(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is swept all the same."""
    now = stands(spool)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailer.io.durable.write_all", full)
    assert believed(spool.root, now + 3600.0)
