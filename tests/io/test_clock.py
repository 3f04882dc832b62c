"""The clock of the machine is two: one that is set, and one that goes on."""

from __future__ import annotations

import time

import pytest

from mailer.io.clock import STEP, SystemClock
from tests.fakes.mail import NOW, Machine

YEAR = 365 * 86_400.0


def test_the_time_is_that_of_the_machine() -> None:
    """As far as nobody sets it."""
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1.0
    assert clock.check() == 0.0


@pytest.mark.parametrize("step", [10 * YEAR, 3600.0, STEP, -STEP, -3600.0, -YEAR])
def test_a_step_is_told_once_and_holds_from_then_on(step: float) -> None:
    """Until somebody looks, time simply goes on."""
    machine = Machine()
    machine.set(step)
    machine.passes(2.0)
    assert machine.clock.now() == NOW + 2.0
    assert machine.clock.check() == step
    assert (machine.clock.now(), machine.clock.check()) == (NOW + 2.0 + step, 0.0)


def test_a_little_is_put_right_without_a_word() -> None:
    """NTP does it every day."""
    machine = Machine()
    machine.set(0.5)
    assert machine.clock.check() == 0.0
    assert machine.clock.now() == NOW + 0.5


def test_what_was_waited_is_what_has_passed() -> None:
    """Whichever way the clock was set meanwhile, and how often; of what was before it began, no more than was planned."""
    machine = Machine()
    machine.passes(100.0)
    early = machine.clock.now()
    for step in (10 * YEAR, -10 * YEAR, -3600.0, 86_400.0):
        machine.set(step)
        machine.clock.check()
        machine.passes(10.0)
    assert machine.clock.waited(early, 0.0) == pytest.approx(40.0)
    assert machine.clock.waited(NOW - YEAR, 60.0) == pytest.approx(140.0 + 60.0)
    assert machine.clock.waited(NOW + YEAR, 60.0) == pytest.approx(140.0)
    assert machine.clock.waited(machine.clock.now(), 60.0) == 0.0


def test_a_time_that_was_shown_twice_was_the_last_of_them() -> None:
    """Nothing counts as older than it surely is."""
    machine = Machine()
    machine.passes(7200.0)
    machine.set(-3600.0)
    machine.clock.check()
    machine.passes(60.0)
    assert machine.clock.waited(NOW + 3630.0, 0.0) == 30.0


def test_a_time_of_several_earlier_clocks_was_the_last_of_them() -> None:
    """Set back twice, and then years ahead."""
    machine = Machine()
    for step in (-3600.0, -3600.0, YEAR):
        machine.passes(3600.0)
        machine.set(step)
        machine.clock.check()
    assert machine.clock.waited(NOW + 1800.0, 0.0) == 1800.0
