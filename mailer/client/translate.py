"""What the network room reports, as errors of the client: one function for each way in which it does.

Kinds that no reply tells apart (an expired certificate and an unknown authority are both "TLS failed") are read off the
exception that `mailer.net` met, which its own knows (`SessionError.met`).
"""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING

from mailer.mail.outcome import told

from .codes import kind_of
from .errors import KINDS, ErrorKind, SmtpAuthenticationError, SmtpError

if TYPE_CHECKING:
    from mailer.mail.outcome import Hop, Phase
    from mailer.smtp.reply import AnswerKind, Reply
    from mailer.transport.connection import Answer, SessionError

REFUSED = {
    errno.ECONNREFUSED: ErrorKind.CONNECTION_REFUSED,
    errno.ENETUNREACH: ErrorKind.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: ErrorKind.NETWORK_UNREACHABLE,
    errno.ENETDOWN: ErrorKind.NETWORK_UNREACHABLE,
    errno.ECONNRESET: ErrorKind.CONNECTION_RESET,
    errno.ETIMEDOUT: ErrorKind.CONNECTION_TIMEOUT,
}

UNTRUSTED = frozenset({2, 18, 19, 20, 21, 27})  # X509_V_ERR_…: no issuer, self-signed, no chain to a trusted root
EXPIRED = frozenset({9, 10})  # not yet valid, expired

VERSIONS = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE", "VERSION_TOO_LOW", "WRONG_SSL_VERSION"}
)

BROKEN: dict[AnswerKind, ErrorKind] = {
    "lost": ErrorKind.CONNECTION_RESET,
    "protocol": ErrorKind.INVALID_RESPONSE,
    "unasked": ErrorKind.UNEXPECTED_RESPONSE,
    "stalled": ErrorKind.WRITE_TIMEOUT,
}
"""What ended a session, by `SessionError.kind`."""

LATE: dict[Phase, ErrorKind] = {"connect": ErrorKind.CONNECTION_TIMEOUT, "greeting": ErrorKind.READ_TIMEOUT}
"""What did not come in time, by the phase; else the answer to a command."""


def where(hop: Hop) -> str:
    """``smtp.example.com[192.0.2.1]:587``."""
    return f"{hop.host}[{hop.ip}]:{hop.port}"


def from_session(error: SessionError) -> SmtpError:
    """A session that did not come about."""
    reply, phase = error.reply, error.phase
    kind, retryable = _session(error)
    return _made(kind, f"{phase}: {told(str(reply), reply.cause)}", reply, where(error.hop), phase, retryable)


def from_answer(answer: Answer, hop: Hop, address: str) -> SmtpError:
    """A recipient for whom the message was not taken."""
    reply, phase = answer.reply, answer.phase
    theirs = answer.kind in ("reply", "again")
    kind = kind_of(reply, phase) if theirs or answer.kind == "local" else _broken(answer.kind, phase)
    return _made(
        kind, f"{phase} for {address}: {told(str(reply), reply.cause)}", reply, where(hop), phase, _again(kind, reply, theirs=theirs)
    )


def _made(kind: ErrorKind, message: str, reply: Reply, host: str, phase: str, retryable: bool) -> SmtpError:
    return SmtpError(
        kind, message, code=reply.code, enhanced_code=reply.enhanced, text=reply.text, host=host, phase=phase, retryable=retryable
    )


def _again(kind: ErrorKind, reply: Reply, *, theirs: bool) -> bool:
    """Whether it is worth trying again: the kind says so, or the server does."""
    if issubclass(KINDS[kind].error, SmtpAuthenticationError):  # who guesses on is locked out
        return kind is ErrorKind.AUTHENTICATION and reply.transient
    return KINDS[kind].retryable or (theirs and reply.transient)


def _session(error: SessionError) -> tuple[ErrorKind, bool]:
    """The kind, and whether it is worth trying again."""
    reply, phase = error.reply, error.phase
    if error.kind == "tls":
        return _tls(error)
    if error.kind == "no_tls":
        return ErrorKind.STARTTLS_NOT_SUPPORTED, False
    if error.kind == "refused" and phase == "connect":
        cause = error.met
        kind = REFUSED.get(cause.errno or 0, ErrorKind.CONNECTION) if cause else ErrorKind.CONNECTION
        return kind, KINDS[kind].retryable
    if error.kind == "ours" and phase == "starttls":
        return ErrorKind.TLS, False  # a file of ours that cannot be used
    if error.kind in ("refused", "auth", "ours"):
        kind = kind_of(reply, phase)
        return kind, _again(kind, reply, theirs=True)
    kind = _broken(error.kind, phase)
    return kind, KINDS[kind].retryable


def _broken(kind: AnswerKind, phase: Phase) -> ErrorKind:
    if kind == "timeout":
        return LATE.get(phase, ErrorKind.COMMAND_TIMEOUT)
    return BROKEN.get(kind, ErrorKind.CONNECTION)


def _tls(error: SessionError) -> tuple[ErrorKind, bool]:
    cause = error.met
    if cause is None:  # the server refused STARTTLS, in its own words
        return ErrorKind.TLS, error.reply.transient
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _certificate(cause.verify_code), False
    if isinstance(cause, ssl.SSLError):
        return (ErrorKind.TLS_VERSION_MISMATCH if cause.reason in VERSIONS else ErrorKind.TLS_HANDSHAKE_FAILED), False
    return ErrorKind.TLS_HANDSHAKE_FAILED, True  # the network failed in the middle of it


def _certificate(code: int) -> ErrorKind:
    if code in EXPIRED:
        return ErrorKind.CERTIFICATE_EXPIRED
    return ErrorKind.CERTIFICATE_UNTRUSTED if code in UNTRUSTED else ErrorKind.CERTIFICATE_INVALID
