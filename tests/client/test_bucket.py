"""The token bucket, and what is tried again after which pause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer import BreakerSettings, ErrorKind, PoolSettings, RateLimitSettings, RetrySettings, SmtpError
from mailer.client.backoff import pause, wanted
from mailer.client.bucket import Bucket
from mailer.client.settings import TIMEOUTS


def test_a_burst_and_then_one_by_one() -> None:
    """As many at once as the bucket holds, then each when its token has come."""
    bucket = Bucket(2, 10.0, 100.0)
    assert [bucket.reserve(100.0) for _ in range(4)] == [0, 0, 5, 10]
    assert bucket.wait(100.0) == 15
    assert bucket.reserve(115.0) == 0


def test_a_turn_that_is_not_used_is_somebody_elses() -> None:
    """Giving back makes the wait of the next one shorter."""
    bucket = Bucket(1, 1.0, 0.0)
    bucket.reserve(0.0)
    bucket.reserve(0.0)
    bucket.give_back()
    assert bucket.wait(0.0) == 1.0


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5), st.floats(0.5, 20))
def test_never_more_than_the_limit(gaps: list[float], size: int, window: float) -> None:
    """In no window are there more turns than twice the size (a full bucket and what flows in), and they come in order."""
    bucket = Bucket(size, window, 0.0)
    now, turns = 0.0, []
    for gap in gaps:
        now += gap
        turns.append(now + bucket.reserve(now))
    assert turns == sorted(turns)
    for start in turns:
        assert sum(start <= turn < start + window - 1e-6 for turn in turns) <= 2 * size


def failure(kind: ErrorKind, code: int = 0, retryable: bool | None = None) -> SmtpError:
    """An error as the client makes it."""
    return SmtpError(kind, "x", code=code, retryable=retryable)


def test_pauses_grow_and_stay_below_their_limit() -> None:
    """Half a second, one, two … at most thirty; with jitter between half of it and all."""
    settings = RetrySettings(jitter=False)
    assert [pause(attempts, settings, lambda: 0.0) for attempts in (1, 2, 3, 7, 5000)] == [0.5, 1, 2, 30, 30]
    assert [pause(2, RetrySettings(), lambda dice=dice: dice) for dice in (0.0, 0.5, 1.0)] == [0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("error", "settings", "again"),
    [
        (failure(ErrorKind.CONNECTION_REFUSED), {}, True),
        (failure(ErrorKind.CONNECTION_REFUSED), {"connection_errors": False}, False),
        (failure(ErrorKind.CONNECTION_TIMEOUT), {"connection_errors": False}, False),
        (failure(ErrorKind.COMMAND_TIMEOUT), {}, True),
        (failure(ErrorKind.COMMAND_TIMEOUT), {"timeouts": False}, False),
        (failure(ErrorKind.PROTOCOL, 451, True), {}, True),
        (failure(ErrorKind.PROTOCOL, 451, True), {"temporary_failures": False}, True),
        (failure(ErrorKind.PROTOCOL, 455, True), {"temporary_failures": False}, False),
        (failure(ErrorKind.PROTOCOL, 451, True), {"temporary_failures": False, "error_codes": ()}, False),
        (failure(ErrorKind.PROTOCOL, 554), {}, False),
        (failure(ErrorKind.CREDENTIALS_INVALID, 535), {}, False),
        (failure(ErrorKind.ACQUIRE_TIMEOUT), {}, False),
    ],
)
def test_what_is_tried_again(error: SmtpError, settings: dict[str, object], again: bool) -> None:
    """What may pass, as far as the settings want it; never what is wrong for good, nor a second wait for a connection."""
    assert wanted(error, RetrySettings(**settings)) is again  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: PoolSettings(max_connections=0),
        lambda: PoolSettings(min_idle=6),
        lambda: PoolSettings(acquire_timeout=-1),
        lambda: PoolSettings(idle_timeout=0),
        lambda: RetrySettings(max_attempts=0),
        lambda: RetrySettings(initial_delay=31),
        lambda: RetrySettings(multiplier=0.5),
        lambda: BreakerSettings(failure_threshold=0),
        lambda: BreakerSettings(recovery_timeout=0),
        lambda: RateLimitSettings(max_emails=0),
        lambda: RateLimitSettings(max_emails=1, window=0),
        lambda: RateLimitSettings(max_emails=1, on_limit="pray"),
    ],
)
def test_settings_that_cannot_be_meant(make) -> None:  # type: ignore[no-untyped-def]
    """A mistake in the settings is found when they are made."""
    with pytest.raises(ValueError, match=r"is |are "):
        make()


def test_the_defaults_are_those_of_the_specification() -> None:
    """[002] §5.1.2."""
    pool, retry, breaker = PoolSettings(), RetrySettings(), BreakerSettings()
    assert (pool.max_connections, pool.min_idle, pool.acquire_timeout, pool.idle_timeout, pool.max_lifetime) == (5, 1, 30, 300, 3600)
    assert (pool.health_check, pool.health_check_interval) == (True, 60)
    assert (retry.max_attempts, retry.initial_delay, retry.max_delay, retry.multiplier, retry.jitter) == (3, 0.5, 30, 2, True)
    assert retry.connection_errors
    assert retry.timeouts
    assert retry.temporary_failures
    assert retry.error_codes == (421, 450, 451, 452)
    assert (breaker.failure_threshold, breaker.failure_window, breaker.recovery_timeout, breaker.success_threshold) == (5, 60, 30, 3)
    assert breaker.enabled
    assert RateLimitSettings(max_emails=1).on_limit == "reject"
    assert (TIMEOUTS.connect, TIMEOUTS.greeting, TIMEOUTS.ehlo, TIMEOUTS.mail, TIMEOUTS.rcpt) == (30, 60, 60, 60, 60)
    assert (TIMEOUTS.data, TIMEOUTS.block, TIMEOUTS.body) == (120, 180, 600), "RFC 5321 §4.5.3.2: who hangs up sooner sends twice"
