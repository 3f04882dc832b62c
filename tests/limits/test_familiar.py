"""Networks from which users have logged in."""

from __future__ import annotations

from mailer.limits.familiar import FRESH, REMEMBERED, FamiliarNetworks
from mailer.limits.table import LimitTable

NOW = 1_800_000_000.0


def test_a_user_is_known_where_he_was_of_late() -> None:
    """He, and no other one from there; and from nowhere else."""
    familiar = FamiliarNetworks()
    familiar.note("ann@example.com", "192.0.2.1", NOW)
    assert familiar.knows("ann@example.com", "192.0.2.1", NOW + REMEMBERED - 1)
    assert familiar.knows_any("192.0.2.1", NOW + REMEMBERED - 1)
    assert not familiar.knows("ann@example.com", "192.0.2.1", NOW + REMEMBERED)
    assert not familiar.knows_any("192.0.2.1", NOW + REMEMBERED)
    assert not familiar.knows("bob@example.com", "192.0.2.1", NOW)
    assert not familiar.knows_any("192.0.2.2", NOW)


def test_a_login_each_minute_is_written_down_once_an_hour() -> None:
    """Programs log in for each message."""
    familiar = FamiliarNetworks()
    for minute in range(61):
        familiar.note("ann@example.com", "2001:db8::1", NOW + minute * 60)
    assert [row.numbers for row in familiar.table.changes()] == [(NOW + FRESH,)]


def test_what_is_long_ago_is_forgotten() -> None:
    """And what there is no room for."""
    familiar = FamiliarNetworks()
    familiar.table = LimitTable("familiar", most=2)
    for number in range(3):
        familiar.note(f"{number}@example.com", f"192.0.2.{number}", NOW + number)
    assert [familiar.knows_any(f"192.0.2.{number}", NOW + 3) for number in range(3)] == [False, True, True]
    familiar.expire(NOW + REMEMBERED + 2)
    assert [familiar.knows_any(f"192.0.2.{number}", NOW + 3) for number in range(3)] == [False, False, True]


def test_what_was_written_down_is_known_again() -> None:
    """By another process."""
    before, familiar = FamiliarNetworks(), FamiliarNetworks()
    before.note("ann@example.com", "192.0.2.1", NOW)
    familiar.restore(before.table.changes())
    assert familiar.knows("ann@example.com", "192.0.2.1", NOW)
    assert familiar.knows_any("192.0.2.1", NOW)
