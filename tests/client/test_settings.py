"""The client's settings: what cannot be meant is refused when the client is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailer import (
    BreakerSettings,
    ErrorKind,
    PoolSettings,
    RateLimitSettings,
    Requirement,
    RetrySettings,
    SmtpClient,
    SmtpError,
)
from mailer.client.settings import TIMEOUTS
from mailer.sink import Moods, Sink
from mailer.transport.route import Timeouts


@pytest.mark.parametrize(
    "settings", [{"host": ""}, {"host": None}, {"host": "mx.example.com\r\nx"}, {"host": "a b"}, {"hello": "me\r\nBcc: x"}, {"port": -1}]
)
def test_settings_that_cannot_be_meant(settings: dict[str, Any]) -> None:
    """They are refused when the client is made: a line end in a name gets into no command, no header and no error."""
    with pytest.raises(ValueError, match=r"no host|EHLO name|not -1"):
        SmtpClient(**{"host": "mx.example.com", **settings})


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: PoolSettings(max_connections="5"), "max_connections is a whole number, not '5'"),  # type: ignore[arg-type]
        (lambda: PoolSettings(idle_timeout=float("nan")), "idle_timeout is a number, not nan"),
        (lambda: RetrySettings(max_attempts=2.5), "max_attempts is a whole number, not 2.5"),  # type: ignore[arg-type]
        (lambda: BreakerSettings(failure_window=None), "failure_window is a number, not None"),  # type: ignore[arg-type]
        (lambda: RateLimitSettings(max_emails=True), "max_emails is a whole number, not True"),
        (lambda: SmtpClient("mx.example.com", timeouts=Timeouts(connect="5")), "connect is a number, not '5'"),  # type: ignore[arg-type]
        (lambda: Moods(max_recipients="9"), "max_recipients is a whole number, not '9'"),  # type: ignore[arg-type]
        (lambda: Sink(port=99999), "port is a whole number from 0 to 65535, not 99999"),
    ],
)
def test_a_number_that_is_none_is_named(make: Callable[[], object], problem: str) -> None:
    """Settings come out of environments and files as texts: one line says which, when they are made."""
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_host_with_a_dot_at_its_end_is_that_host() -> None:
    """No certificate has the dot."""
    assert "mx.example.com:25 " in repr(SmtpClient("mx.example.com.", 25))


def test_ports_go_with_the_kind_of_tls() -> None:
    """587, 465 and 25, unless one is named."""
    assert repr(SmtpClient("mx.example.com")) == "<SmtpClient mx.example.com:587 starttls>"
    assert repr(SmtpClient("mx.example.com", tls="implicit")) == "<SmtpClient mx.example.com:465 implicit>"
    assert repr(SmtpClient("mx.example.com", tls=Requirement("none"))) == "<SmtpClient mx.example.com:25 none>"
    with pytest.raises(ValueError, match="TLS mode"):
        SmtpClient("mx.example.com", tls="maybe")
    for port in (70000, "2525", 25.0, None, True):
        with pytest.raises(ValueError, match=f"port is a whole number from 0 to 65535, not {port!r}"):
            SmtpClient("mx.example.com", port)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r'write host = "mx\.example\.com" and port = 25'):
        SmtpClient("mx.example.com:25")
    with pytest.raises(ValueError, match="'http'"):
        SmtpClient("mx.example.com", protocol="http")


def failure(kind: ErrorKind, code: int = 0, retryable: bool | None = None) -> SmtpError:
    """An error as the client makes it."""
    return SmtpError(kind, "x", code=code, retryable=retryable)


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
    assert RetrySettings(**settings).wants(error) is again  # type: ignore[arg-type]


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
def test_numbers_that_cannot_be_meant(make) -> None:  # type: ignore[no-untyped-def]
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
