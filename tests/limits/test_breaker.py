"""The circuit breaker of a program: when it opens, who may try, when it closes."""

from __future__ import annotations

from mailer.limits.breaker import CircuitBreaker


def make(*, enabled: bool = True) -> CircuitBreaker:
    """With the defaults of [002], unless told otherwise."""
    return CircuitBreaker(5, 60.0, 30.0, 3, enabled=enabled)


def fail(breaker: CircuitBreaker, *times: float) -> None:
    """A send that fails at each of these times."""
    for now in times:
        breaker.failed(breaker.enter(), now)


def opened() -> CircuitBreaker:
    """Open since 5, until 35."""
    breaker = make()
    fail(breaker, 1, 2, 3, 4, 5)
    return breaker


def test_five_failures_in_a_minute_open_it() -> None:
    """Not four, and not five in a longer time."""
    breaker = make()
    fail(breaker, 1, 2, 3, 4)
    assert breaker.state(4) == "closed"
    fail(breaker, 62)
    assert breaker.state(62) == "closed"
    assert breaker.blocked(62) == 0
    assert opened().state(5) == "open"
    assert opened().blocked(10) == 25


def test_a_success_in_between_starts_the_count_anew() -> None:
    """One bad message among good ones is no broken server."""
    breaker = make()
    fail(breaker, 1, 2, 3, 4)
    breaker.succeeded(breaker.enter())
    fail(breaker, 5, 6, 7, 8)
    assert breaker.state(8) == "closed"


def test_half_open_lets_one_through_at_a_time() -> None:
    """After the recovery timeout one send may try, the others wait for how it goes."""
    breaker = opened()
    assert breaker.state(35) == "half-open"
    assert breaker.blocked(35) == 0
    ticket = breaker.enter()
    assert breaker.blocked(35) > 0
    breaker.succeeded(ticket)
    assert breaker.blocked(35) == 0
    assert breaker.state(35) == "half-open"


def test_three_successes_close_it() -> None:
    """The success threshold, one after the other."""
    breaker = opened()
    for _ in range(3):
        assert breaker.state(40) == "half-open"
        breaker.succeeded(breaker.enter())
    assert breaker.state(40) == "closed"
    fail(breaker, 41, 42, 43, 44)
    assert breaker.state(44) == "closed", "what failed before is forgotten"


def test_one_failure_opens_it_again() -> None:
    """For another recovery timeout; successes before count no more."""
    breaker = opened()
    breaker.succeeded(breaker.enter())
    fail(breaker, 40)
    assert breaker.blocked(41) == 29
    breaker.succeeded(breaker.enter())
    breaker.succeeded(breaker.enter())
    assert breaker.state(70) == "half-open"


def test_a_send_that_learned_nothing_makes_room() -> None:
    """A cancelled send neither opens nor closes it, and the next one may try."""
    breaker = opened()
    breaker.left(breaker.enter())
    assert breaker.blocked(36) == 0
    assert breaker.state(36) == "half-open"


def test_stragglers_decide_nothing() -> None:
    """What was under way when it opened is not the send that is to decide, whatever becomes of it."""
    breaker = make()
    early = [breaker.enter() for _ in range(3)]
    fail(breaker, 1, 2, 3, 4, 5)
    probe = breaker.enter()
    breaker.succeeded(early[0])
    breaker.failed(early[1], 36)
    breaker.left(early[2])
    assert breaker.state(36) == "half-open"
    assert breaker.blocked(36) > 0, "the probe is still under way"
    breaker.succeeded(probe)
    assert breaker.blocked(36) == 0


def test_switched_off_it_never_opens() -> None:
    """Some would rather see each failure."""
    breaker = make(enabled=False)
    fail(breaker, *range(50))
    assert breaker.blocked(50) == 0
