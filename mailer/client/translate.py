"""What transport reports as errors of the client: replies by the table of [002] §6.3, and what no reply tells apart by what was met.

The table goes by code alone. But 553 is about the sender when MAIL is answered with it and about a recipient when RCPT
is; 550 behind the message is about neither; and an enhanced code (RFC 3463) knows better than the code. An expired certificate and
an unknown authority are both "TLS failed": those are read off the exception that the network met (`SessionError.met`).
"""

from __future__ import annotations

import errno
import ssl
from typing import TYPE_CHECKING, NamedTuple

from mailer.limits.rate import RateExceeded
from mailer.mail.outcome import told
from mailer.transport.errors import NoSession, SessionError

from .errors import KINDS, ErrorKind, SmtpAuthenticationError, SmtpError

if TYPE_CHECKING:
    from mailer.mail.outcome import Hop, Phase
    from mailer.smtp.reply import AnswerKind, Reply
    from mailer.smtp.transaction import RecipientAnswer
    from mailer.transport.exchange import Trouble


class Row(NamedTuple):
    """A row of the table: the kind, whether it is worth trying again, and what is to be done."""

    kind: ErrorKind
    retryable: bool
    handling: str


CODES: dict[int, Row] = {
    421: Row(ErrorKind.SERVER_SHUTDOWN, True, "retry with a new connection"),
    450: Row(ErrorKind.PROTOCOL, True, "retry with backoff"),
    451: Row(ErrorKind.PROTOCOL, True, "retry with backoff"),
    452: Row(ErrorKind.PROTOCOL, True, "retry with backoff"),
    500: Row(ErrorKind.PROTOCOL, False, "fix the command"),
    501: Row(ErrorKind.INVALID_RECIPIENT_ADDRESS, False, "fix the format of the address"),
    502: Row(ErrorKind.CAPABILITY_MISMATCH, False, "use a different command"),
    503: Row(ErrorKind.COMMAND_SEQUENCE_ERROR, False, "reset and retry"),
    504: Row(ErrorKind.AUTH_METHOD_NOT_SUPPORTED, False, "use a different mechanism"),
    530: Row(ErrorKind.AUTHENTICATION_REQUIRED, False, "authenticate first"),
    534: Row(ErrorKind.AUTH_METHOD_NOT_SUPPORTED, False, "use a different mechanism"),
    535: Row(ErrorKind.CREDENTIALS_INVALID, False, "check the credentials"),
    550: Row(ErrorKind.INVALID_RECIPIENT_ADDRESS, False, "check the recipient"),
    551: Row(ErrorKind.INVALID_RECIPIENT_ADDRESS, False, "use the correct address"),
    552: Row(ErrorKind.MESSAGE_TOO_LARGE, False, "reduce the size of the message"),
    553: Row(ErrorKind.INVALID_FROM_ADDRESS, False, "check the sender"),
    554: Row(ErrorKind.PROTOCOL, False, "the transaction failed"),
}
"""[002] §6.3, row by row."""

MORE: dict[int, ErrorKind] = {
    432: ErrorKind.CREDENTIALS_EXPIRED,  # RFC 4954 §6: a password transition is needed
    538: ErrorKind.AUTH_METHOD_NOT_SUPPORTED,  # RFC 4954 §6: not without encryption
    555: ErrorKind.CAPABILITY_MISMATCH,  # RFC 5321 §4.1.1.11: parameters of MAIL or RCPT
}
"""Codes that [002] leaves out. Any other is a `PROTOCOL` error, worth trying again if it begins with 4."""

BETTER: dict[str, ErrorKind] = {
    "1.7": ErrorKind.INVALID_FROM_ADDRESS,
    "1.8": ErrorKind.INVALID_FROM_ADDRESS,
    "2.2": ErrorKind.PROTOCOL,  # the mailbox is full: a matter of the recipient, not of the message's size
    "2.3": ErrorKind.MESSAGE_TOO_LARGE,
    "3.3": ErrorKind.CAPABILITY_MISMATCH,  # what was asked for besides, in time or later, RFC 2852 §4, RFC 4865 §4
    "3.4": ErrorKind.MESSAGE_TOO_LARGE,
    "6.3": ErrorKind.CAPABILITY_MISMATCH,  # conversion required, and not possible
    "6.7": ErrorKind.CAPABILITY_MISMATCH,  # addresses need SMTPUTF8, RFC 6531 §3.7.4.1
    "7.30": ErrorKind.CAPABILITY_MISMATCH,  # REQUIRETLS, RFC 8689 §5
    "7.28": ErrorKind.SERVER_RATE_LIMIT_EXCEEDED,  # mail flood detected
}
"""Subject and detail of an enhanced code (RFC 3463 §2) that say more than the code."""

ADDRESSES = frozenset({ErrorKind.INVALID_FROM_ADDRESS, ErrorKind.INVALID_RECIPIENT_ADDRESS})
BY_PHASE = {"mail": ErrorKind.INVALID_FROM_ADDRESS, "rcpt": ErrorKind.INVALID_RECIPIENT_ADDRESS}


def kind_of(reply: Reply, phase: str = "") -> ErrorKind:
    """What a refusal in that phase of a session means; without a phase, what the table says."""
    if phase == "auth":
        return _auth(reply.code)
    kind = BETTER.get(reply.enhanced.partition(".")[2])
    if kind is None:
        kind = CODES[reply.code].kind if reply.code in CODES else MORE.get(reply.code, ErrorKind.PROTOCOL)
        if kind in ADDRESSES and phase:
            return BY_PHASE.get(phase, ErrorKind.PROTOCOL)
        if reply.code == 504 and phase:
            return ErrorKind.CAPABILITY_MISMATCH  # a parameter that the server does not know, RFC 5321 §4.2.4
    return kind


def _auth(code: int) -> ErrorKind:
    if code == 421:  # the server hangs up on whoever guesses
        return ErrorKind.TOO_MANY_AUTH_ATTEMPTS
    kind = CODES[code].kind if code in CODES else MORE.get(code)
    return kind if kind in LOGIN else ErrorKind.AUTHENTICATION


LOGIN = frozenset(
    {
        ErrorKind.CREDENTIALS_INVALID,
        ErrorKind.CREDENTIALS_EXPIRED,
        ErrorKind.AUTH_METHOD_NOT_SUPPORTED,
        ErrorKind.AUTHENTICATION_REQUIRED,
    }
)

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
    """The host and where it is: ``smtp.example.com[192.0.2.1]:587``."""
    return f"{hop.host}[{hop.ip}]:{hop.port}"


NO_SESSION = {"busy": ErrorKind.POOL_EXHAUSTED, "late": ErrorKind.ACQUIRE_TIMEOUT, "closed": ErrorKind.CANCELLED}
"""Why there was none, by `NoSession.why`."""


def from_trouble(trouble: Trouble, host: str, address: str = "") -> SmtpError:
    """The error that says why the recipient `address` does not have the message; `host` is the server, for what never left this machine."""
    if isinstance(trouble, SessionError):
        error = from_session(trouble)
    elif isinstance(trouble, NoSession):
        error = SmtpError(NO_SESSION[trouble.why], str(trouble), host=host)
    elif isinstance(trouble, RateExceeded):
        error = SmtpError(ErrorKind.LOCAL_RATE_LIMIT_EXCEEDED, str(trouble), host=host, retry_after=trouble.after)
    else:
        return from_answer(trouble.answer, trouble.hop, address)
    error.__cause__ = trouble
    return error


def from_session(error: SessionError) -> SmtpError:
    """The error for a session that did not come about."""
    reply, phase = error.reply, error.phase
    if phase == "dns":  # nobody was called
        return _made(ErrorKind.DNS_RESOLUTION_FAILED, reply.text, reply, error.hop.host, phase, reply.transient)
    kind, retryable = _session(error)
    return _made(kind, f"{phase}: {told(str(reply), reply.cause)}", reply, where(error.hop), phase, retryable)


def from_answer(answer: RecipientAnswer, hop: Hop, address: str) -> SmtpError:
    """The error for a recipient `address` for whom the message was not taken."""
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
