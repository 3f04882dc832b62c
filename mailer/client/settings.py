"""How the client behaves: connections, retries, breaker, rate. The defaults are those of [002] §5.1.2.

All times are in seconds. A value that cannot be meant raises `ValueError` when the settings are made.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailer.config.kinds import check_numbers
from mailer.transport.route import Timeouts

from .errors import SmtpConnectionError, SmtpError, SmtpPoolError, SmtpTimeoutError

TIMEOUTS = Timeouts(greeting=60.0, ehlo=60.0, mail=60.0, rcpt=60.0)
"""A program has less patience than a queue, so we wait for an answer as long as [002] says. The message itself has all the
time of RFC 5321 §4.5.3.2: whoever hangs up before the last answer does not know whether the message was taken."""

REJECT, WAIT, WAIT_WITH_TIMEOUT = "reject", "wait", "wait_with_timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """How many sessions there may be, and how long one lives."""

    max_connections: int = 5
    min_idle: int = 1  # kept open, and replaced when they break, once mail has been sent; looked after every health_check_interval
    acquire_timeout: float = 30.0  # that a send waits for a session while all are busy; 0: not at all
    idle_timeout: float = 300.0  # a session that has waited so long takes its leave
    max_lifetime: float = 3600.0  # no message begins on an older one
    health_check: bool = True  # NOOP to a session that has waited longer than the interval, before it is used
    health_check_interval: float = 60.0

    def __post_init__(self) -> None:
        check_numbers(self)
        _need(self.max_connections >= 1, "max_connections is at least 1")
        _need(0 <= self.min_idle <= self.max_connections, "min_idle is between 0 and max_connections")
        _need(self.acquire_timeout >= 0, "acquire_timeout is not negative")
        _need(
            min(self.idle_timeout, self.max_lifetime, self.health_check_interval) > 0, "idle_timeout and its like are longer than nothing"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """What is tried again, how often and after which pauses."""

    max_attempts: int = 3  # the first included
    initial_delay: float = 0.5
    max_delay: float = 30.0
    multiplier: float = 2.0
    jitter: bool = True  # each pause is somewhere between half and all of itself
    connection_errors: bool = True
    timeouts: bool = True
    temporary_failures: bool = True  # any reply 4xx
    error_codes: tuple[int, ...] = (421, 450, 451, 452)  # of those 4xx, what is tried again without temporary_failures too

    def __post_init__(self) -> None:
        check_numbers(self)
        _need(self.max_attempts >= 1, "max_attempts is at least 1")
        _need(0 <= self.initial_delay <= self.max_delay, "initial_delay is not negative and not above max_delay")
        _need(self.multiplier >= 1, "multiplier is at least 1")

    def wants(self, error: SmtpError) -> bool:
        """Whether this failure is tried again. What is not `retryable` never is."""
        if not error.retryable or isinstance(error, SmtpPoolError):  # that wait has a limit of its own
            return False
        if isinstance(error, SmtpConnectionError):
            return self.connection_errors
        if isinstance(error, SmtpTimeoutError):
            return self.timeouts
        return self.temporary_failures or error.code in self.error_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a server is left alone, and when it is trusted again."""

    failure_threshold: int = 5  # sends in a row that failed because of the server
    failure_window: float = 60.0  # within so many seconds
    recovery_timeout: float = 30.0  # that it is left alone
    success_threshold: int = 3  # sends, one at a time, that have to go well then
    enabled: bool = True

    def __post_init__(self) -> None:
        check_numbers(self)
        _need(min(self.failure_threshold, self.success_threshold) >= 1, "a threshold is at least 1")
        _need(min(self.failure_window, self.recovery_timeout) > 0, "the times of a breaker are longer than nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitSettings:
    """At most `max_emails` messages and `max_connections` new connections in a `window`, and what happens to more of them."""

    max_emails: int
    window: float = 60.0
    max_connections: int | None = None
    on_limit: str = REJECT  # "reject", "wait", or "wait_with_timeout"
    timeout: float = 30.0  # longest wait with "wait_with_timeout"

    def __post_init__(self) -> None:
        check_numbers(self)
        _need(self.max_emails >= 1 and self.max_connections != 0, "a limit is at least 1")
        _need(self.window > 0, "the window is longer than nothing")
        _need(self.on_limit in (REJECT, WAIT, WAIT_WITH_TIMEOUT), f"on_limit is {REJECT}, {WAIT} or {WAIT_WITH_TIMEOUT}")

    @property
    def patience(self) -> float:
        """For how many seconds a message or a new connection may wait for its turn."""
        return {REJECT: 0.0, WAIT: float("inf"), WAIT_WITH_TIMEOUT: self.timeout}[self.on_limit]


def _need(held: bool, rule: str) -> None:
    if not held:
        raise ValueError(rule)


POOL, RETRY, BREAKER = PoolSettings(), RetrySettings(), BreakerSettings()
"""What holds for a client that says nothing: checked once, for some programs make a client for each message."""
