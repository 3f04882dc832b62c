"""What one network may have of a server."""

from __future__ import annotations

import pytest

from mailer.limits.callers import MOST, Callers


def entered(callers: Callers, addresses: list[str], now: float = 0.0) -> int:
    """How many of them are let in."""
    return sum(callers.enter(ip, now) for ip in addresses)


def test_one_network_has_so_many() -> None:
    """The thirty-first of an address is turned away, others come in, and whoever leaves makes room."""
    callers = Callers(rate=(0, 60.0), wide_rate=(0, 60.0))
    assert entered(callers, ["192.0.2.1"] * 40) == 30
    assert callers.enter("192.0.2.2", 0.0)
    callers.leave("192.0.2.1")
    assert entered(callers, ["192.0.2.1"] * 2) == 1
    assert entered(callers, [f"2001:db8::{host:x}" for host in range(40)]) == 30


def test_a_neighbourhood_has_so_many() -> None:
    """A thousand machines of one /24, or of one /48, have ninety connections; the next network is another."""
    callers = Callers(rate=(0, 60.0), wide_rate=(0, 60.0))
    assert entered(callers, [f"192.0.2.{host % 256}" for host in range(1000)]) == 90
    assert entered(callers, [f"2001:db8:0:{host:x}::1" for host in range(1000)]) == 90
    assert callers.enter("192.0.3.1", 0.0)
    assert callers.enter("2001:db8:1::1", 0.0)


def test_connections_have_a_rate() -> None:
    """Who opens and closes them all the time is turned away until the minute is over, and so is his neighbourhood."""
    callers = Callers(rate=(10, 60.0), wide_rate=(15, 60.0))

    def called(ip: str, now: float) -> bool:
        if not callers.enter(ip, now):
            return False
        callers.leave(ip)
        return True

    assert sum(called("192.0.2.1", 1.0) for _ in range(20)) == 10
    assert sum(called("192.0.2.2", 1.0) for _ in range(20)) == 5
    assert called("192.0.3.1", 1.0)
    assert called("192.0.2.1", 8.0)
    assert not called("192.0.2.1", 8.0)


def test_other_numbers_hold_from_now_on() -> None:
    """A changed configuration counts for the next caller, and those who are there are counted on."""
    callers = Callers(2, 2, (0, 60.0), (0, 60.0))
    assert entered(callers, ["192.0.2.1"] * 5) == 2
    callers.change(3, 5, (1, 60.0), (0, 60.0))
    assert entered(callers, ["192.0.2.1"] * 5) == 1


@pytest.mark.slow
def test_what_is_kept_is_bounded() -> None:
    """However many networks call, no more than so many are remembered; those of one /48 are one neighbourhood."""
    callers = Callers()
    for host in range(MOST + 5):
        ip = f"2001:db8:0:{host:x}::1" if host < 65536 else "::"
        if callers.enter(ip, float(host)):
            callers.leave(ip)
    kept = [len(share._rates) for share in (callers._near, callers._wide)]
    assert kept == [MOST, 1]
    assert [len(share._open) for share in (callers._near, callers._wide)] == [0, 0]


def test_no_address_is_no_error() -> None:
    """What is no address counts as itself."""
    callers = Callers(1)
    assert entered(callers, ["somewhere"] * 2) == 1
