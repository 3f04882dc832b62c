"""The section about users: what a source needs, and what can be offered with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config import load
from mailer.config.sections.accounts import AccountSection
from mailer.mail.problem import Problem


def read(tmp_path: Path, text: str) -> AccountSection:
    path = tmp_path / "config.toml"
    path.write_text(f"[accounts]\n{text}\n")
    return load(str(path), str(tmp_path / "spool")).accounts


def test_without_a_word_users_are_in_the_database(tmp_path: Path) -> None:
    """And may log in by all mechanisms there are, the safest first."""
    found = read(tmp_path, "")
    assert (found.source, found.path) == ("database", "")
    assert found.offered == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN")
    assert found.keeps_keys
    assert (found.messages_per_day, found.new_recipients_per_day, found.failures_per_minute, found.failures_per_day) == (1000, 200, 10, 50)


def test_dovecot_is_asked_with_the_password_only(tmp_path: Path) -> None:
    """Whatever else may be offered elsewhere."""
    found = read(tmp_path, 'source = "dovecot"\ndovecot_auth = "/run/dovecot/auth-client"')
    assert found.offered == ("PLAIN", "LOGIN")


def test_no_keys_are_kept_that_nobody_is_offered(tmp_path: Path) -> None:
    """A password that comes as it is needs its record only."""
    found = read(tmp_path, 'mechanisms = ["PLAIN"]')
    assert (found.offered, found.keeps_keys) == (("PLAIN",), False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('source = "file"', "users_file"),
        ('source = "dovecot"', "dovecot_auth"),
        ('source = "dovecot"\ndovecot_auth = "/x"\nmechanisms = ["SCRAM-SHA-256"]', "PLAIN or LOGIN"),
        ('source = "ldap"', "is none of database"),
        ('mechanisms = ["CRAM-MD5"]', "is none of"),
        ("mechanisms = []", "the list is empty"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """With a line that says what to write."""
    with pytest.raises(Problem, match=why) as caught:
        read(tmp_path, text)
    assert caught.value.kind == "bad-config"
