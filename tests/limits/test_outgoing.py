"""What users send in a day."""

from __future__ import annotations

from mailer.limits.outgoing import OutgoingMail

NOW = 1_800_000_000.0
ANN, BOB = "ann@example.com", "bob@example.com"


def test_a_user_sends_so_many_messages_in_a_day() -> None:
    """And others theirs."""
    mail = OutgoingMail(messages=3)
    assert [mail.sends(ANN, NOW + turn) for turn in range(4)] == [True, True, True, False]
    assert not mail.may_send(ANN, NOW + 86399)
    assert mail.may_send(BOB, NOW)
    assert mail.may_send(ANN, NOW + 86400)
    assert [mail.sends(ANN, NOW + 86400 + turn) for turn in range(4)] == [True, True, True, False]


def test_a_user_writes_to_so_many_new_recipients_in_a_day() -> None:
    """Those whom he has written to before count on no day."""
    mail = OutgoingMail(new_recipients=2)
    assert [mail.writes_to(ANN, f"{who}@example.org", NOW) for who in "aabaabc"] == [True] * 6 + [False]
    assert mail.writes_to(BOB, "c@example.org", NOW)
    assert [mail.writes_to(ANN, f"{who}@example.org", NOW + 86400) for who in "abcde"] == [True] * 4 + [False]


def test_whom_somebody_writes_to_is_not_written_down() -> None:
    """Only what tells him again; and the same recipient of two users is two."""
    mail = OutgoingMail()
    mail.writes_to(ANN, "secret.friend@example.org", NOW)
    mail.writes_to(BOB, "secret.friend@example.org", NOW)
    first, second = mail.recipients.changes()
    assert "secret" not in first.key + second.key
    assert first.key.split()[1] != second.key.split()[1]


def test_a_clock_that_is_set_back_begins_a_day() -> None:
    """Nobody waits until it is there again."""
    mail = OutgoingMail(messages=1)
    assert mail.sends(ANN, NOW + 10**9)
    assert mail.sends(ANN, NOW)
