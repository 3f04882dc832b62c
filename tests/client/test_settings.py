"""The client's settings: what cannot be meant is refused when the client is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mailer import (
    BreakerSettings,
    PoolSettings,
    RateLimitSettings,
    Requirement,
    RetrySettings,
    SmtpClient,
)
from mailer.sink import Moods, Sink
from mailer.transport.endpoint import Timeouts


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
