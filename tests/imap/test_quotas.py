"""QUOTA: its commands and its answers."""

from __future__ import annotations

import pytest

from mailer.imap.answer import BadCommand
from mailer.imap.command import GetQuota, GetQuotaRoot, SetQuota
from mailer.imap.lexer import Tokens
from mailer.imap.quotas import parse_getquota, parse_getquotaroot, parse_setquota, quota_line, quota_root_line


def test_commands_are_read() -> None:
    """RFC 9208 §7."""
    assert parse_getquota(Tokens([b' ""']), False) == GetQuota("")
    assert parse_getquotaroot(Tokens([b" inbox"]), False) == GetQuotaRoot("INBOX")
    assert parse_setquota(Tokens([b' "" (storage 512 MESSAGE 9223372036854775807)']), False) == SetQuota(
        "", {"STORAGE": 512, "MESSAGE": 2**63 - 1}
    )
    assert parse_setquota(Tokens([b' "" ()']), False) == SetQuota("", {})


@pytest.mark.parametrize("said", [b"", b' ""', b' "" (STORAGE)', b' "" (STORAGE x)', b' "" (STORAGE 1 STORAGE 2)', b' "" (STORAGE 1) x'])
def test_what_no_grammar_has_is_refused(said: bytes) -> None:
    """And a limit that is said twice."""
    with pytest.raises(BadCommand):
        parse_setquota(Tokens([said]), False)


def test_answers_say_what_is_used() -> None:
    """RFC 9208 §4.2."""
    assert quota_line("", {"STORAGE": (10, 512), "MESSAGE": (1, 2)}) == b'QUOTA "" (STORAGE 10 512 MESSAGE 1 2)'
    assert quota_root_line("INBOX", [""], utf8=False) == b'QUOTAROOT "INBOX" ""'
    assert quota_root_line("a b", [], utf8=False) == b'QUOTAROOT "a b"'
