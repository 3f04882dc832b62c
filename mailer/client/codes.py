"""Replies as kinds of failure: the table of [002] §6.3, and what it needs to be true of real servers.

The table goes by code alone. But 553 is about the sender when MAIL is answered with it and about a recipient when RCPT
is; 550 behind the message is about neither; and an enhanced code (RFC 3463) knows better than the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .errors import ErrorKind

if TYPE_CHECKING:
    from mailer.smtp.reply import Reply


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
