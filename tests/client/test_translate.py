"""Replies as kinds: the table of [002] §6.3 row by row, and where real servers need more."""

from __future__ import annotations

import pytest

from mailer import ErrorKind, SmtpAuthenticationError
from mailer.client.translate import CODES, from_answer, from_session, kind_of
from mailer.mail.outcome import Hop
from mailer.smtp.reply import Reply
from mailer.smtp.transaction import RecipientAnswer
from mailer.transport.errors import SessionError

TABLE = """
421 server_shutdown            yes
450 protocol                   yes
451 protocol                   yes
452 protocol                   yes
500 protocol                   no
501 invalid_recipient_address  no
502 capability_mismatch        no
503 command_sequence_error     no
504 auth_method_not_supported  no
530 authentication_required    no
534 auth_method_not_supported  no
535 credentials_invalid        no
550 invalid_recipient_address  no
551 invalid_recipient_address  no
552 message_too_large          no
553 invalid_from_address       no
554 protocol                   no
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("code", "kind", "retryable"), ROWS)
def test_row(code: str, kind: str, retryable: str) -> None:
    """Each code has the kind and the retryability of its row, in the table and in what is made of it."""
    row = CODES[int(code)]
    assert (row.kind, row.retryable) == (kind, retryable == "yes")
    assert row.handling
    reply = Reply.own(int(code), "", "no")
    assert kind_of(reply) == kind
    made = from_answer(RecipientAnswer(0, "", "reply", reply), Hop("h"), "bob@example.net")
    assert (made.kind, made.retryable, made.code) == (kind, retryable == "yes", int(code))


def test_no_row_is_missing() -> None:
    """The table is the whole table."""
    assert sorted(CODES) == sorted(int(code) for code, *_ in ROWS)


@pytest.mark.parametrize(
    ("reply", "phase", "kind"),
    [
        ("553", "mail", ErrorKind.INVALID_FROM_ADDRESS),
        ("553", "rcpt", ErrorKind.INVALID_RECIPIENT_ADDRESS),
        ("550", "mail", ErrorKind.INVALID_FROM_ADDRESS),
        ("550 5.7.1", "body", ErrorKind.PROTOCOL),
        ("550", "greeting", ErrorKind.PROTOCOL),
        ("501", "mail", ErrorKind.INVALID_FROM_ADDRESS),
        ("504", "mail", ErrorKind.CAPABILITY_MISMATCH),
        ("504", "auth", ErrorKind.AUTH_METHOD_NOT_SUPPORTED),
        ("555", "rcpt", ErrorKind.CAPABILITY_MISMATCH),
        ("552 5.2.2", "rcpt", ErrorKind.PROTOCOL),
        ("550 5.1.8", "rcpt", ErrorKind.INVALID_FROM_ADDRESS),
        ("554 5.3.4", "body", ErrorKind.MESSAGE_TOO_LARGE),
        ("554 5.6.7", "mail", ErrorKind.CAPABILITY_MISMATCH),
        ("450 4.7.28", "rcpt", ErrorKind.SERVER_RATE_LIMIT_EXCEEDED),
        ("432 4.7.12", "auth", ErrorKind.CREDENTIALS_EXPIRED),
        ("538 5.7.11", "auth", ErrorKind.AUTH_METHOD_NOT_SUPPORTED),
        ("454 4.7.0", "auth", ErrorKind.AUTHENTICATION),
        ("421 4.7.0", "auth", ErrorKind.TOO_MANY_AUTH_ATTEMPTS),
        ("550 5.7.1", "auth", ErrorKind.AUTHENTICATION),
        ("499", "mail", ErrorKind.PROTOCOL),
        ("599", "body", ErrorKind.PROTOCOL),
    ],
)
def test_what_the_code_alone_does_not_say(reply: str, phase: str, kind: ErrorKind) -> None:
    """The phase and the enhanced code decide what an address, a size or a limit has to do with it."""
    code, _, enhanced = reply.partition(" ")
    assert kind_of(Reply.own(int(code), enhanced, "no"), phase) is kind


@pytest.mark.parametrize(("reply", "retryable"), [("454 4.7.0", True), ("421 4.7.0", False), ("432 4.7.12", False), ("535 5.7.8", False)])
def test_a_login_that_was_refused(reply: str, retryable: bool) -> None:
    """Only a server that cannot tell now is asked again: who goes on guessing is locked out."""
    code, _, enhanced = reply.partition(" ")
    made = from_session(SessionError("auth", "auth", Reply.own(int(code), enhanced, "no"), Hop("h")))
    assert isinstance(made, SmtpAuthenticationError)
    assert made.retryable is retryable
