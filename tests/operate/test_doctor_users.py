"""What the doctor says of users."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.password import record
from mailer.accounts.users.api import User
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.config.file import config_of
from mailer.operate.doctor.users import users

DOOR = '[[listen]]\nkind = "submission"\naddress = "127.0.0.1:465"\ntls = "none"\n'


def told(home: Path, text: str) -> list[tuple[str, str]]:
    config = config_of("c.toml", text.replace("HOME", str(home)).encode(), str(home))
    return [(each.result, each.evidence) for each in asyncio.run(users(config))]


def test_whoever_needs_no_users_hears_nothing_of_them(tmp_path: Path) -> None:
    """A machine that only sends has none."""
    assert told(tmp_path, "") == []


def test_a_database_is_looked_into(tmp_path: Path) -> None:
    """Whether there is anybody, and whether it can be read."""
    assert told(tmp_path, DOOR) == [("warn", "there are no users: nobody logs in")]
    book = SqliteUsers(f"{tmp_path}/accounts.sqlite3")

    async def put() -> None:
        await book.put([User("ann@example.com")])
        await book.close()

    asyncio.run(put())
    assert told(tmp_path, DOOR) == [("pass", "users can be looked up")]
    (tmp_path / "accounts.sqlite3").write_bytes(b"garbage" * 1000)
    [(result, evidence)] = told(tmp_path, DOOR)
    assert result == "fail"
    assert "is damaged" in evidence
    assert "mail for users waits" in evidence


@pytest.mark.parametrize(
    ("text", "result", "evidence"),
    [
        ("ann@example.com:{}\n", "pass", "each line is a user"),
        ("ann@example.com:{}\nbob\n", "warn", "line 2"),
        (None, "fail", "cannot read the file of users"),
    ],
)
def test_a_file_of_users_is_read(tmp_path: Path, text: str | None, result: str, evidence: str) -> None:
    """Each line of it."""
    if text is not None:
        (tmp_path / "users").touch(0o600)
        (tmp_path / "users").write_text(text.format(record("x", b"salt", cost=4)))
    [found] = told(tmp_path, DOOR + '[accounts]\nsource = "file"\nusers_file = "HOME/users"\n')
    assert found[0] == result
    assert evidence in found[1]


def test_a_dovecot_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """Where it says who there is; where it only checks passwords, that is found out when somebody logs in."""
    source = '[accounts]\nsource = "dovecot"\ndovecot_auth = "HOME/auth"\n'
    [(result, _)] = told(tmp_path, DOOR + source)
    assert result == "pass"
    [(result, evidence)] = told(tmp_path, DOOR + source + 'dovecot_users = "HOME/userdb"\n')
    assert result == "fail"
    assert "cannot be asked: No such file or directory" in evidence
