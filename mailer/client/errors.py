"""What comes back from the client: results, and what can go wrong, as one tree rooted in `SmtpError` with the kinds of [002] §6.

A class is what a program catches, a kind is what it tells apart, counts and logs. `retryable` means: the same call may
succeed later without anybody changing anything. [002] §6.2 does not call a refused connection that, though §5.1.2 has
it tried again; we say what is so, since whoever drops a message because it is not retryable should not do it because a
server was being restarted.

No error holds a secret, in any of its texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Self

from mailer.smtp.reply import queue_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.smtp.extension import Extensions


class ErrorKind(StrEnum):
    """The kinds of errors, as precisely as is known. The first of each group is for what no other one fits."""

    CONNECTION = "connection"
    DNS_RESOLUTION_FAILED = "dns_resolution_failed"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_TIMEOUT = "connection_timeout"
    CONNECTION_RESET = "connection_reset"
    NETWORK_UNREACHABLE = "network_unreachable"

    TLS = "tls"
    TLS_HANDSHAKE_FAILED = "tls_handshake_failed"
    CERTIFICATE_INVALID = "certificate_invalid"  # another name, another purpose
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"  # nobody whom we trust has signed it
    TLS_VERSION_MISMATCH = "tls_version_mismatch"
    STARTTLS_NOT_SUPPORTED = "starttls_not_supported"

    AUTHENTICATION = "authentication"
    CREDENTIALS_INVALID = "credentials_invalid"
    CREDENTIALS_EXPIRED = "credentials_expired"
    AUTH_METHOD_NOT_SUPPORTED = "auth_method_not_supported"
    AUTHENTICATION_REQUIRED = "authentication_required"
    TOO_MANY_AUTH_ATTEMPTS = "too_many_auth_attempts"

    PROTOCOL = "protocol"  # a refusal that is about neither an address nor the size
    INVALID_RESPONSE = "invalid_response"
    UNEXPECTED_RESPONSE = "unexpected_response"
    COMMAND_SEQUENCE_ERROR = "command_sequence_error"
    SERVER_SHUTDOWN = "server_shutdown"
    CAPABILITY_MISMATCH = "capability_mismatch"

    MESSAGE = "message"
    INVALID_FROM_ADDRESS = "invalid_from_address"
    INVALID_RECIPIENT_ADDRESS = "invalid_recipient_address"
    MESSAGE_TOO_LARGE = "message_too_large"
    INVALID_HEADER = "invalid_header"
    ENCODING_FAILED = "encoding_failed"
    ATTACHMENT_ERROR = "attachment_error"

    TIMEOUT = "timeout"
    CONNECT_TIMEOUT = "connection_timeout"  # another name of CONNECTION_TIMEOUT, as in [002]
    READ_TIMEOUT = "read_timeout"  # the server never greeted us
    WRITE_TIMEOUT = "write_timeout"  # the server did not take the message as fast as it has to
    COMMAND_TIMEOUT = "command_timeout"  # the server did not answer

    RATE_LIMIT = "rate_limit"
    LOCAL_RATE_LIMIT_EXCEEDED = "local_rate_limit_exceeded"
    SERVER_RATE_LIMIT_EXCEEDED = "server_rate_limit_exceeded"

    CIRCUIT_OPEN = "circuit_open"

    POOL = "pool"
    POOL_EXHAUSTED = "pool_exhausted"
    ACQUIRE_TIMEOUT = "acquire_timeout"
    CONNECTION_UNHEALTHY = "connection_unhealthy"

    CANCELLED = "cancelled"  # the client was shut down meanwhile


class Rejected(NamedTuple):
    """A recipient for whom the message was not taken, and the reply that says why."""

    address: str
    code: int  # RFC 5321 §4.2
    enhanced_code: str  # RFC 3463; empty if there is none
    reply: str  # its text

    @property
    def text(self) -> str:
        """The old name of `reply`."""
        return self.reply


class SmtpError(Exception):
    """A message that the server has taken for nobody. What is made is of the class that `kind` belongs to.

    `code` and `enhanced_code` are the server's or, where we noticed the failure ourselves, ours, by RFC 5321 and RFC 3463;
    0 and empty where neither fits; `reply` is the text of that reply. `phase` is the step: dns, connect, greeting, ehlo,
    starttls, auth, mail, rcpt, data or body. `retry_after` is in seconds, where it is known. `rejected` has an entry for
    each recipient, where there was a transaction. `severity` is critical, error, warning or info.
    """

    def __new__(cls, kind: ErrorKind, *_: object, **__: object) -> Self:
        """The class is chosen here, so that nobody can raise a kind under the wrong one."""
        return super().__new__(KINDS[kind].error if cls is SmtpError else cls)  # type: ignore[return-value]

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        code: int = 0,
        enhanced_code: str = "",
        text: str = "",
        host: str = "",
        phase: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.code = code
        self.enhanced_code = enhanced_code
        self.reply = text or message
        self.host = host
        self.phase = phase
        self.retryable = KINDS[kind].retryable if retryable is None else retryable
        self.severity = KINDS[kind].severity
        self.retry_after = retry_after
        self.rejected: tuple[Rejected, ...] = ()

    def __str__(self) -> str:
        where = f"{self.host}: " if self.host else ""
        return f"{where}{self.message} [{self.kind}]"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @property
    def text(self) -> str:
        """The old name of `reply`."""
        return self.reply

    @property
    def temporary(self) -> bool:
        """Whether the reply refuses for now (4xx)."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """Whether the reply refuses for good (5xx)."""
        return self.code >= 500


class SmtpConnectionError(SmtpError):
    """The server cannot be reached, or the connection broke."""


class SmtpTlsError(SmtpError):
    """The connection is not as safe as was asked for; nothing was sent over it."""


class SmtpAuthenticationError(SmtpError):
    """The server does not accept who we are. This is a matter of the configuration, never of the message."""


class SmtpProtocolError(SmtpError):
    """The server refused, or said what no server may say."""


class SmtpMessageError(SmtpError):
    """Something is wrong with the message or its addresses."""


class SmtpTimeoutError(SmtpError):
    """The server took longer than it may."""


class SmtpConnectTimeoutError(SmtpConnectionError, SmtpTimeoutError):
    """The server cannot be reached, as far as can be told after this time."""


class SmtpRateLimitError(SmtpError):
    """More mail than the limit allows, ours or the server's."""


class SmtpCircuitOpenError(SmtpError):
    """The server has failed too often of late and is left alone for `retry_after` seconds."""


class SmtpPoolError(SmtpError):
    """All connections are busy."""


class SmtpCancelledError(SmtpError):
    """The client was shut down before the message was sent."""


class About(NamedTuple):
    """What holds for a kind: the class of its errors, whether it is worth trying again, and how bad it is."""

    error: type[SmtpError]
    retryable: bool
    severity: str


def _group(error: type[SmtpError], retryable: str, others: str, **severities: str) -> dict[ErrorKind, About]:
    """Kinds of one class by their names; severity is error but for those named otherwise."""
    return {
        ErrorKind[name]: About(error, again, severities.get(name.lower(), "error"))
        for names, again in ((retryable, True), (others, False))
        for name in names.split()
    }


KINDS: dict[ErrorKind, About] = {
    **_group(
        SmtpConnectionError,
        "CONNECTION CONNECTION_REFUSED CONNECTION_RESET NETWORK_UNREACHABLE DNS_RESOLUTION_FAILED",
        "",
    ),
    **_group(SmtpConnectTimeoutError, "CONNECTION_TIMEOUT", "", connection_timeout="warning"),
    **_group(
        SmtpTlsError,
        "",
        "TLS TLS_HANDSHAKE_FAILED CERTIFICATE_INVALID CERTIFICATE_EXPIRED CERTIFICATE_UNTRUSTED TLS_VERSION_MISMATCH"
        " STARTTLS_NOT_SUPPORTED",
        certificate_invalid="critical",
        certificate_expired="critical",
    ),
    **_group(
        SmtpAuthenticationError,
        "",
        "AUTHENTICATION CREDENTIALS_INVALID CREDENTIALS_EXPIRED AUTH_METHOD_NOT_SUPPORTED AUTHENTICATION_REQUIRED TOO_MANY_AUTH_ATTEMPTS",
        credentials_invalid="critical",
    ),
    **_group(
        SmtpProtocolError,
        "SERVER_SHUTDOWN",
        "PROTOCOL INVALID_RESPONSE UNEXPECTED_RESPONSE COMMAND_SEQUENCE_ERROR CAPABILITY_MISMATCH",
    ),
    **_group(
        SmtpMessageError,
        "",
        "MESSAGE INVALID_FROM_ADDRESS INVALID_RECIPIENT_ADDRESS MESSAGE_TOO_LARGE INVALID_HEADER ENCODING_FAILED ATTACHMENT_ERROR",
    ),
    **_group(SmtpTimeoutError, "TIMEOUT READ_TIMEOUT WRITE_TIMEOUT COMMAND_TIMEOUT", ""),
    **_group(
        SmtpRateLimitError,
        "RATE_LIMIT LOCAL_RATE_LIMIT_EXCEEDED SERVER_RATE_LIMIT_EXCEEDED",
        "",
        rate_limit="warning",
        local_rate_limit_exceeded="warning",
        server_rate_limit_exceeded="warning",
    ),
    **_group(SmtpCircuitOpenError, "CIRCUIT_OPEN", "", circuit_open="warning"),
    **_group(SmtpPoolError, "POOL POOL_EXHAUSTED ACQUIRE_TIMEOUT CONNECTION_UNHEALTHY", ""),
    **_group(SmtpCancelledError, "", "CANCELLED", cancelled="info"),
}
"""Each kind: its class, whether it is worth trying again, how bad it is."""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The server has taken the message for everybody in `accepted`, which is at least one."""

    message_id: str  # with its angle brackets
    accepted: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    reply: str  # the server's last word, such as "250 2.0.0 Ok: queued as 4XyZ1"
    host: str  # the server, as "smtp.example.com[192.0.2.1]:587"
    tls_wanted: str  # none, opportunistic, starttls or implicit
    tls: str  # what came of it: "TLSv1.3 verified", "TLSv1.3 unverified", or empty
    attempts: int
    duration: float  # seconds, waits for limits and between attempts included

    @property
    def server_id(self) -> str:
        """The server's own name for the message, which its postmaster will ask for; empty if it told none."""
        return queue_id(self.reply)

    @property
    def response(self) -> str:
        """The old name of `reply`."""
        return self.reply


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One entry in `results` for each message, in their order: what was returned for it, or raised."""

    results: tuple[SendResult | SmtpError, ...]
    duration: float  # seconds

    def __iter__(self) -> Iterator[SendResult | SmtpError]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def succeeded(self) -> int:
        """Messages taken for at least one recipient."""
        return sum(isinstance(result, SendResult) for result in self.results)

    @property
    def failed(self) -> int:
        """Messages taken for nobody."""
        return len(self.results) - self.succeeded


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """A session that came as far as mail; `duration` is in seconds."""

    host: str
    port: int
    address: str  # IP
    tls: str  # as in `SendResult`
    banner: str  # the text of the greeting
    extensions: Extensions
    authenticated_as: str  # empty without credentials
    duration: float  # seconds until it was there; next to nothing if it had waited in the pool

    @property
    def ip(self) -> str:
        """The `address`, as `mailer explain` calls it: an IP address, or the name of what made the connection."""
        return self.address


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """Connections at this moment."""

    idle: int
    in_use: int
    pending: int  # sends that wait for one
    max_size: int

    @property
    def total(self) -> int:
        """How many are open or being opened."""
        return self.idle + self.in_use
