"""``mailer mailbox key`` and ``rekey``: encryption is switched on, keys are copied, replaced and lost, as an operator sees it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.mailbox.test_imports_maildir import folder, message
from tests.mailbox.test_imports_taking import letter
from tests.operate.test_schemas import right

from .home import Home

ANN = "ann@example.com"
AGE = "age-encryption.org/v1"


def wish(home: Home, encryption: str, more: str = "") -> None:
    """Configure it."""
    home.configure(f'\n[mailboxes]\npath = "{home.path}/mailboxes"\nencryption = "{encryption}"\n{more}')


def told(home: Home, *words: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """What a command prints with ``--json``, which is what its schema says."""
    done = home.mailer("mailbox", *words, "--json")
    assert done.returncode == code, done.stderr
    return right(f"mailbox {words[0]}", done.stdout.decode(), lines=0)


def come(home: Home, *numbers: int, code: int = 0) -> bytes:
    """Letters come in; what is said on standard error."""
    root = home.path / "Maildir"
    if not root.exists():
        folder(root)
    for number in numbers:
        message(root / "cur", f"{number}.a:2,S", letter(number))
    done = home.mailer("mailbox", "import", ANN, root, "--make")
    assert done.returncode == code, done.stderr
    return done.stderr


def shown(home: Home) -> list[bytes]:
    """The letters that there are."""
    return [home.mailer("mailbox", "show", ANN, "INBOX", str(each["uid"])).stdout for each in told(home, "show", ANN)][::-1]


def sealed(home: Home) -> set[bool]:
    """Whether the bodies on the disk are age files."""
    return {path.read_bytes().startswith(AGE.encode()) for path in (home.path / "mailboxes").glob("u/*/*/mail/*/*")}


def test_nothing_is_taken_before_there_is_a_key(home: Home) -> None:
    """It is said what makes one; nothing is written unencrypted."""
    wish(home, "age")
    assert b"`mailer mailbox key make` makes the first one" in come(home, 1, code=69)
    assert not [*(home.path / "mailboxes").rglob("index.sqlite3*")]
    assert sealed(home) == set()
    assert told(home, "key") == []


def test_a_key_is_made_once_and_copied(home: Home) -> None:
    """For its owner alone; who has no copy is told so."""
    wish(home, "age")
    done = home.mailer("mailbox", "key", "make")
    assert (done.returncode, b"keep a copy elsewhere" in done.stdout) == (0, True)
    path = home.path / "mailboxes" / "keys" / "1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    home.refused(home.mailer("mailbox", "key", "make"), 64, "there is a master key", "rekey --new")
    [line] = told(home, "key")
    assert (line["number"], line["there"], line["mailboxes"], line["exported"]) == (1, True, 0, False)
    done = home.mailer("mailbox", "key", "export")
    assert done.stdout == path.read_bytes()
    assert told(home, "key")[0]["exported"] is True
    home.refused(home.mailer("mailbox", "key", "export", "--json"), 64, "as they are")
    home.refused(home.mailer("mailbox", "key", "burn"), 64, "make, export")


def test_encryption_is_switched_on_and_off(home: Home) -> None:
    """What is there is encrypted by rekey; it all stays readable before and after."""
    wish(home, "off")
    come(home, 1, 2)
    assert home.mailer("mailbox", "key", "make").returncode == 0
    wish(home, "age")
    come(home, 3)
    assert sealed(home) == {True, False}
    assert shown(home) == [letter(1), letter(2), letter(3)]
    assert told(home, "rekey", "--bodies") == [{"address": ANN, "key": 1, "changed": 2, "lost": [], "trouble": None}]
    assert sealed(home) == {True}
    wish(home, "off")
    assert shown(home) == [letter(1), letter(2), letter(3)]
    assert told(home, "rekey", ANN, "--bodies")[0]["changed"] == 3
    assert sealed(home) == {False}
    assert shown(home) == [letter(1), letter(2), letter(3)]


def test_a_master_key_is_replaced(home: Home) -> None:
    """By one command for all mailboxes; the one before is needed by nobody then."""
    wish(home, "age")
    assert home.mailer("mailbox", "key", "make").returncode == 0
    come(home, 1)
    before = [path.read_bytes() for path in (home.path / "mailboxes").glob("u/*/*/mail/*/*")]
    assert [(line["key"], line["changed"]) for line in told(home, "rekey", "--new")] == [(2, 0)]
    assert [(line["number"], line["mailboxes"]) for line in told(home, "key")] == [(1, 0), (2, 1)]
    assert [path.read_bytes() for path in (home.path / "mailboxes").glob("u/*/*/mail/*/*")] == before
    assert [(line["key"], line["changed"]) for line in told(home, "rekey", "--new", "--bodies")] == [(3, 1)]
    for number in (1, 2):
        os.unlink(home.path / "mailboxes" / "keys" / f"{number}.key")
    assert shown(home) == [letter(1)]
    done = home.mailer("mailbox", "rekey")
    assert done.stdout.decode() == f"{ANN}: key 3\n"
    home.refused(home.mailer("mailbox", "rekey", "nobody@example.com"), 67, "nobody@example.com")


def test_a_lost_key_is_named_by_its_number(home: Home) -> None:
    """Nothing is shown in its place, and nothing new is taken; when it is back, all is as before."""
    wish(home, "age")
    assert home.mailer("mailbox", "key", "make").returncode == 0
    come(home, 1)
    path = home.path / "mailboxes" / "keys" / "1.key"
    os.rename(path, home.path / "safe")
    home.refused(home.mailer("mailbox", "show", ANN), 69, "the master key 1", "is lost", "put it back")
    assert b"the master key 1" in come(home, 2, code=69)
    [line] = told(home, "key", code=69)
    assert (line["number"], line["there"], line["mailboxes"]) == (1, False, 1)
    home.refused(home.mailer("mailbox", "key", "make"), 69, "the master key 1 is lost", "put it back")
    assert home.mailer("mailbox", "rekey", "--new").returncode == 69
    [line] = told(home, "rekey", "--bodies", code=69)
    assert (line["key"], "the master key 1" in line["trouble"]) == (1, True)
    os.rename(home.path / "safe", path)
    assert told(home, "rekey")[0]["key"] == 2
    assert shown(home) == [letter(1)]


@pytest.mark.peer("age")
def test_age_opens_a_message_without_us(home: Home) -> None:
    """With the private key of the mailbox, which only who has the master key can print."""
    wish(home, "off")
    come(home, 1)
    home.refused(home.mailer("mailbox", "key", "export", ANN), 67, "never encrypted")
    wish(home, "age")
    assert home.mailer("mailbox", "key", "make").returncode == 0
    assert told(home, "rekey", "--bodies")[0]["changed"] == 1
    (home.path / "identity").write_bytes(home.mailer("mailbox", "key", "export", ANN).stdout)
    [body] = (home.path / "mailboxes").glob("u/*/*/mail/*/*")
    assert subprocess.run(["age", "-d", "-i", home.path / "identity", body], capture_output=True, check=True).stdout == letter(1)
    home.refused(home.mailer("mailbox", "key", "export", ANN, "--json"), 64, "as they are")


@pytest.mark.parametrize("kind", ["key_file", "key_command"])
def test_keys_that_are_kept_elsewhere_are_used_and_not_made(home: Home, kind: str) -> None:
    """In a file, or printed by a command; who has them adds another one there."""
    wish(home, "off")
    assert home.mailer("mailbox", "key", "make").returncode == 0
    os.rename(home.path / "mailboxes" / "keys" / "1.key", home.path / "elsewhere")
    place = home.path / "elsewhere"
    wish(home, "age", f'key_file = "{place}"\n' if kind == "key_file" else f'key_command = "cat {place}"\n')
    come(home, 1)
    assert (sealed(home), shown(home)) == ({True}, [letter(1)])
    [line] = told(home, "key")
    assert (line["there"], line["made_at"], line["exported"]) == (True, None, None)
    for words in (["key", "make"], ["rekey", "--new"]):
        home.refused(home.mailer("mailbox", *words), 69, "openssl rand -base64 32")
    home.refused(home.mailer("mailbox", "key", "export"), 69, "not beside the mailboxes")


def test_what_is_configured_and_is_not_there_is_said_beforehand(home: Home) -> None:
    """By `mailer config check`: a key that was never made, a file that others can read; two places are one too many."""
    wish(home, "age")
    assert b"mailer mailbox key make" in home.mailer("config", "check").stdout + home.mailer("config", "check").stderr
    (home.path / "keys").write_text("x")
    wish(home, "age", f'key_file = "{home.path}/keys"\n')
    done = home.mailer("config", "check")
    assert b"others can read the file of master keys" in done.stdout + done.stderr
    wish(home, "age", f'key_file = "{home.path}/keys"\nkey_command = "true"\n')
    done = home.mailer("config", "check")
    assert b"there is key_file already" in done.stdout + done.stderr
