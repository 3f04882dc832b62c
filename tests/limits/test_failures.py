"""Failures of logins, by network."""

from __future__ import annotations

import pytest

from mailer.limits.failures import LoginFailures

NOW = 1_800_000_000.0


def fail(failures: LoginFailures, ip: str, times: int, now: float = NOW) -> None:
    for _ in range(times):
        failures.failed(ip, now)


def test_a_network_has_so_many_a_minute() -> None:
    """Then it waits until the minute is over, which began with the first."""
    failures = LoginFailures()
    fail(failures, "192.0.2.1", 9)
    assert failures.wait("192.0.2.1", NOW + 1) == 0.0
    fail(failures, "192.0.2.1", 1, NOW + 20)
    assert failures.wait("192.0.2.1", NOW + 20) == 40.0
    assert failures.wait("192.0.2.2", NOW + 20) == 0.0
    assert failures.wait("192.0.2.1", NOW + 60) == 0.0


def test_a_network_has_so_many_a_day() -> None:
    """However slowly they come."""
    failures = LoginFailures()
    for turn in range(50):
        assert failures.wait("192.0.2.1", NOW + turn * 600) == 0.0
        fail(failures, "192.0.2.1", 1, NOW + turn * 600)
    assert failures.wait("192.0.2.1", NOW + 30_000) == 86400 - 30_000
    assert failures.wait("192.0.2.1", NOW + 86400) == 0.0


@pytest.mark.parametrize(
    ("near", "far"), [("192.0.2.{}", "192.0.3.1"), ("2001:db8:1:{:x}::1", "2001:db8:2::1"), ("::ffff:192.0.2.{}", "192.0.3.1")]
)
def test_a_neighbourhood_has_three_times_as_many(near: str, far: str) -> None:
    """Whichever networks of it they come from."""
    failures = LoginFailures()
    for number in range(30):
        assert failures.wait(near.format(number + 1), NOW) == 0.0
        fail(failures, near.format(number + 1), 1)
    assert failures.wait(near.format(200), NOW) == 60.0
    assert failures.wait(far, NOW) == 0.0


@pytest.mark.slow
def test_a_million_addresses_of_one_customer_are_one_row() -> None:
    """And those of a neighbourhood are a few: what has had enough is counted no more."""
    failures = LoginFailures()
    for number in range(500):
        fail(failures, f"2001:db8:1:2::{number:x}", 1)
    assert len(failures.table) == 2
    for number in range(500):
        fail(failures, f"2001:db8:9:{number:x}::1", 1)
    assert len(failures.table) == 2 + 31


def test_a_clock_that_is_set_back_frees() -> None:
    """Nobody waits for years because a machine once was in the future."""
    failures = LoginFailures()
    fail(failures, "192.0.2.1", 10, NOW + 10**9)
    assert failures.wait("192.0.2.1", NOW) == 0.0
