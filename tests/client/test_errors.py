"""The tree of errors: classes to catch, kinds to tell apart."""

from __future__ import annotations

import pickle

import pytest

import mailer
from mailer import ErrorKind, SmtpConnectionError, SmtpError, SmtpTimeoutError
from mailer.client.errors import KINDS, Rejected


def test_every_kind_is_in_the_tree() -> None:
    """Each kind has one class below `SmtpError`, and making an error of the kind makes one of that class."""
    assert set(KINDS) == set(ErrorKind)
    for kind, about in KINDS.items():
        error = SmtpError(kind, "x")
        assert type(error) is about.error
        assert issubclass(about.error, SmtpError)
        assert error.severity in ("critical", "error", "warning", "info")


BRANCHES = """
Connection: connection dns_resolution_failed connection_refused connection_timeout connection_reset network_unreachable
Tls: tls tls_handshake_failed certificate_invalid certificate_expired certificate_untrusted tls_version_mismatch starttls_not_supported
Authentication: authentication credentials_invalid credentials_expired auth_method_not_supported authentication_required
 too_many_auth_attempts
Protocol: protocol invalid_response unexpected_response command_sequence_error server_shutdown capability_mismatch
Message: message invalid_from_address invalid_recipient_address message_too_large invalid_header encoding_failed attachment_error
Timeout: timeout connection_timeout read_timeout write_timeout command_timeout
RateLimit: rate_limit local_rate_limit_exceeded server_rate_limit_exceeded
CircuitOpen: circuit_open
Pool: pool pool_exhausted acquire_timeout connection_unhealthy
Cancelled: cancelled
"""


@pytest.mark.parametrize("line", BRANCHES.strip().replace("\n ", " ").splitlines(), ids=lambda line: line.partition(":")[0])
def test_branches(line: str) -> None:
    """The branches of [002] §6.1, each with its kinds."""
    name, _, kinds = line.partition(":")
    branch = getattr(mailer, f"Smtp{name}Error")
    assert {kind for kind, about in KINDS.items() if issubclass(about.error, branch)} == set(kinds.split())


def test_what_is_worth_trying_again() -> None:
    """What [002] §6.2 calls retryable is, and so is what passes without anybody doing anything; what is wrong stays wrong."""
    again = {kind for kind, about in KINDS.items() if about.retryable}
    assert again >= {
        "connection_timeout", "connection_reset", "read_timeout", "write_timeout", "command_timeout", "server_shutdown",
        "pool_exhausted", "acquire_timeout", "connection_unhealthy", "local_rate_limit_exceeded", "connection_refused",
    }  # fmt: skip
    assert not again & {"credentials_invalid", "certificate_expired", "message_too_large", "invalid_from_address", "protocol", "cancelled"}


def test_severities() -> None:
    """What needs a person at once is critical, what passes is a warning."""
    assert {kind for kind, about in KINDS.items() if about.severity == "critical"} == {
        "credentials_invalid",
        "certificate_invalid",
        "certificate_expired",
    }
    assert KINDS[ErrorKind.CONNECTION_TIMEOUT].severity == KINDS[ErrorKind.CIRCUIT_OPEN].severity == "warning"
    assert KINDS[ErrorKind.CANCELLED].severity == "info"


def test_a_timeout_of_the_connection_is_both() -> None:
    """Whoever catches timeouts catches it, and so does whoever catches lost connections."""
    error = SmtpError(ErrorKind.CONNECT_TIMEOUT, "no answer")
    assert isinstance(error, SmtpConnectionError)
    assert isinstance(error, SmtpTimeoutError)


def test_an_error_says_it_all() -> None:
    """One line with the host, what happened and the kind."""
    error = SmtpError(ErrorKind.PROTOCOL, "body: 451 4.3.0 later", code=451, enhanced_code="4.3.0", host="h[192.0.2.1]:25", phase="body")
    assert str(error) == "h[192.0.2.1]:25: body: 451 4.3.0 later [protocol]"
    assert repr(error) == f"<SmtpProtocolError {error}>"
    assert error.temporary
    assert not error.permanent
    assert SmtpError(ErrorKind.PROTOCOL, "x", code=554).permanent


def test_an_error_travels_between_processes() -> None:
    """A worker's error arrives with all it knows."""
    error = SmtpError(
        ErrorKind.INVALID_RECIPIENT_ADDRESS, "no such user", code=550, enhanced_code="5.1.1", retryable=False, retry_after=3.0
    )
    error.rejected = (Rejected("bob@example.net", 550, "5.1.1", "no such user"),)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert vars(again) == vars(error)
