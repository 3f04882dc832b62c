"""``mailer mailbox``: mail comes in, is shown and verified, and goes out, as an operator does it."""

from __future__ import annotations

import grp
import importlib.util
import json
import os
import pwd
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailer.operate.schemas import SCHEMAS
from tests.fakes.processes import MAILER
from tests.mailbox.test_imports_maildir import folder, message
from tests.mailbox.test_imports_taking import letter
from tests.operate.test_schemas import right

from .home import Home

ANN = "ann@example.com"


@pytest.fixture
def kept(home: Home) -> Home:
    """A home with a place for mailboxes."""
    home.configure(f'\n[mailboxes]\npath = "{home.path}/mailboxes"\n')
    return home


@pytest.fixture
def maildir(kept: Home) -> Path:
    """A Maildir with two messages and a folder."""
    root = folder(kept.path / "Maildir")
    message(root / "cur", "1.a:2,S", letter(1))
    message(root / "new", "2.b", letter(2))
    message(folder(root / ".Work") / "cur", "3.c:2,F", letter(3))
    return root


def told(home: Home, *words: str | Path, code: int = 0) -> list[dict[str, Any]]:
    """What a command prints with ``--json``, which is what its schema says."""
    done = home.mailer("mailbox", *words, "--json")
    assert done.returncode == code, done.stderr
    return right(f"mailbox {words[0]}", done.stdout.decode(), lines=0)


def test_mail_comes_in_is_shown_and_goes_out(kept: Home, maildir: Path) -> None:
    """And comes in once only; what is shown is what is there."""
    assert {f"mailbox {verb}" for verb in ("list", "show", "verify", "import", "export")} <= {*SCHEMAS}
    assert told(kept, "import", ANN, maildir, "--make") == [
        {"address": ANN, "put": 3, "octets": 159, "there": 0, "passed": 0, "folders": 2}
    ]
    assert told(kept, "import", ANN, maildir)[0]["put"] == 0
    [line] = told(kept, "list")
    assert (line["address"], line["messages"], line["octets"], line["quota"], line["state"]) == (ANN, 3, 159, None, "open")
    folders = {each["folder"]: each for each in told(kept, "list", ANN)}
    assert (folders["INBOX"]["messages"], folders["INBOX"]["unseen"], folders["Work"]["messages"]) == (2, 1, 1)
    assert folders["Sent"]["role"] == "sent"
    shown = told(kept, "show", ANN)
    assert [(each["uid"], each["subject"], each["flags"]) for each in shown] == [(2, "number 2", []), (1, "number 1", ["seen"])]
    assert [each["flags"] for each in told(kept, "show", ANN, "Work", "--limit", "1")] == [["flagged"]]
    assert kept.mailer("mailbox", "show", ANN, "Work", "1").stdout == letter(3)
    assert told(kept, "verify") == []
    assert told(kept, "export", ANN, "--maildir", kept.path / "out")[0]["messages"] == 3
    assert (kept.path / "out" / ".Work" / "dovecot-uidlist").exists()
    assert told(kept, "export", ANN, "--mbox", kept.path / "mboxes")[0]["folders"] == 7
    done = kept.mailer("mailbox", "import", ANN, kept.path / "mboxes" / "INBOX.mbox", "--folder", "Old")
    assert done.stdout == b"2 messages (106 B) in 1 folder came to ann@example.com\n"


def test_mail_is_found_by_words_and_by_any_text(kept: Home, maildir: Path) -> None:
    """In all folders or in one, best or newest first, with the folder of each; and what is not there is said."""
    told(kept, "import", ANN, maildir, "--make")
    assert [(each["folder"], each["uid"]) for each in told(kept, "show", ANN, "--search", "NUMBER 3")] == [("Work", 1)]
    assert told(kept, "show", ANN, "INBOX", "--search", "number 3") == []
    assert [each["subject"] for each in told(kept, "show", ANN, "--text", "umbeR", "--limit", "2")] == ["number 3", "number 2"]
    assert told(kept, "show", ANN, "--search", "umber") == []
    assert b"FOLDER" in kept.mailer("mailbox", "show", ANN, "--text", "umber").stdout
    done = kept.mailer("mailbox", "show", ANN, "--search", "nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"mailer: nothing was found\n")
    for words in (("Nowhere", "--search", "x"), ("Nowhere", "--text", "x")):
        kept.refused(kept.mailer("mailbox", "show", ANN, *words), 67, "no folder")
    for words in (("--search", "x", "--text", "y"), ("INBOX", "1", "--search", "x")):
        kept.refused(kept.mailer("mailbox", "show", ANN, *words), 64, "take one")


def test_mail_is_imported_for_a_user_who_has_no_mailbox_yet(kept: Home, maildir: Path) -> None:
    """He was made a moment ago; who is no user is refused, for he may be a slip of the pen."""
    assert kept.mailer("user", "add", ANN).returncode == 0
    assert told(kept, "import", ANN, maildir)[0]["put"] == 3
    kept.refused(kept.mailer("mailbox", "import", "anna@example.com", maildir), 67, "no mailbox of anna@example.com")


def test_what_is_damaged_is_named(kept: Home, maildir: Path) -> None:
    """By verify and by an export; neither gives zeros for it."""
    told(kept, "import", ANN, maildir, "--make")
    [*bodies] = (path for path in (kept.path / "mailboxes").glob("u/*/*/mail/*/*") if letter(3) == path.read_bytes())
    bodies[0].chmod(0o600)
    bodies[0].write_bytes(letter(4))
    done = kept.mailer("mailbox", "verify", ANN)
    assert done.returncode == 74
    assert bodies[0].name.encode() in done.stdout
    assert kept.mailer("mailbox", "verify", ANN, "--quick").returncode == 0
    done = kept.mailer("mailbox", "export", ANN, "--mbox", kept.path / "out")
    assert (done.returncode, b"Work, UID 1" in done.stderr, b"2 messages" in done.stdout) == (65, True, True)


def test_what_is_passed_over_is_told(kept: Home, maildir: Path) -> None:
    """On standard error, a line each, and by the exit code."""
    (maildir / "cur" / "link").symlink_to("/etc/passwd")
    done = kept.mailer("mailbox", "import", ANN, maildir, "--make")
    assert done.returncode == 65
    assert done.stderr.decode() == f"mailer: passed over: {maildir}/cur/link: it is a symbolic link\n"
    assert b"3 messages (159 B) in 2 folders came to ann@example.com, 1 were passed over" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("import", ANN), 64, "needs an ADDRESS and a SOURCE"),
        (("import", ANN, "HOME/Maildir"), 67, "no mailbox of ann@example.com"),
        (("import", ANN, "HOME/nothing", "--make"), 73, "No such file"),
        (("import", ANN, "HOME/Maildir", "--user", "x", "--password-file", "y"), 64, "is no server"),
        (("import", ANN, "imaps://host"), 64, "--user"),
        (("import", ANN, "imaps://ann@host", "--user", "ann", "--password-file", "x"), 64, "imaps://HOST"),
        (("import", ANN, "imaps://host", "--user", "ann"), 64, "no password"),
        (("list", "a", "b"), 64, "one ADDRESS"),
        (("list", ANN), 67, "no mailbox of"),
        (("show",), 64, "needs an ADDRESS"),
        (("export", ANN), 64, "--maildir DIR or --mbox DIR"),
        (("export", ANN, "--maildir", "a", "--mbox", "b"), 64, "--maildir DIR or --mbox DIR"),
        (("dovecot", "--version", "1.2"), 64, "2.3 and 2.4"),
        (("dovecot", "--key", "x"), 64, "go together"),
        (("dovecot", "--mail", "a{b"), 64, "cannot stand"),
    ],
)
def test_mistakes_are_one_line(kept: Home, maildir: Path, words: tuple[str, ...], code: int, why: str) -> None:
    """That says what, where, and what to do."""
    assert maildir.is_dir()
    kept.refused(kept.mailer("mailbox", *(word.replace("HOME", str(kept.path)) for word in words)), code, why)


def test_messages_that_are_not_there(kept: Home, maildir: Path) -> None:
    """A folder, a UID, and a word that is none."""
    told(kept, "import", ANN, maildir, "--make")
    for words, code, why in ((("Nowhere",), 67, "no folder"), (("INBOX", "99"), 67, "UID 99"), (("INBOX", "x"), 64, "a UID is a number")):
        kept.refused(kept.mailer("mailbox", "show", ANN, *words), code, why)


def test_the_configuration_of_dovecot(kept: Home) -> None:
    """With the users who have keys; the others are named. That for 2.4 says that it was not run."""
    done = kept.mailer("mailbox", "dovecot", "--certificate", "/a.pem", "--key", "/a.key")
    assert done.returncode == 0
    assert b"ssl_cert = </a.pem" in done.stdout
    assert b"mail_gid = vmail\n" in done.stdout
    done = kept.mailer("mailbox", "dovecot", "--run", "/home/dv")
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    for line in (
        f"default_login_user = {user}",
        f"mail_gid = {group}",
        "  unix_listener from-mailer {",
        '#   socket = "/home/dv/from-mailer"',
    ):
        assert line in done.stdout.decode().splitlines()
    done = kept.mailer("mailbox", "dovecot", "--version", "2.4")
    assert done.stdout.splitlines()[0].startswith(b"# Dovecot 2.4")
    assert b"dovecot_config_version = 2.4.0\n" in done.stdout
    assert b"never run" in done.stderr
    password = json.loads(kept.mailer("user", "add", ANN, "--json").stdout)["password"]
    done = kept.mailer("mailbox", "dovecot", "--users")
    assert done.stdout.startswith(b"ann@example.com:{SCRAM-SHA-256}")
    assert password.encode() not in done.stdout


def test_a_backup_and_its_way_back(kept: Home, maildir: Path) -> None:
    """What is new is copied; a difference is told; a mailbox is made beside, and instead."""
    told(kept, "import", ANN, maildir, "--make")
    place = kept.path / "backup"
    [first] = told(kept, "backup", place)
    assert (first["address"], first["messages"], first["copied"], first["lost"]) == (ANN, 3, 3, [])
    assert told(kept, "backup", place, ANN, "--keep", "2")[0]["copied"] == 0
    message(maildir / "cur", "9.z:2,", letter(9))
    told(kept, "import", ANN, maildir)
    [found] = told(kept, "restore", place, ANN, "--compare")
    assert (found["both"], found["backup_only"], len(found["mailbox_only"])) == (3, [], 1)
    done = kept.mailer("mailbox", "restore", place, ANN, "--compare")
    assert b"in the mailbox alone  1\n" in done.stdout
    [made] = told(kept, "restore", place, ANN, "--as", "before@example.com", "--state", first["state"])
    assert (made["messages"], made["added"], made["flaws"]) == (3, 0, [])
    [made] = told(kept, "restore", place, ANN)
    assert (made["address"], made["messages"], made["added"]) == (ANN, 3, 1)
    assert {line["address"]: line["messages"] for line in told(kept, "list")} == {ANN: 4, "before@example.com": 3}
    assert [line["state"] for line in told(kept, "list", "--removed")] == ["removed"]
    assert told(kept, "verify") == []


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("backup",), 64, "needs a DIR"),
        (("backup", "HOME/no/where"), 73, "mounted"),
        (("backup", "HOME/backup", ANN), 67, "no mailbox of"),
        (("restore", "HOME/backup"), 64, "needs a DIR and an ADDRESS"),
        (("restore", "HOME/backup", ANN), 67, "there is no directory"),
        (("restore", "HOME", ANN), 67, "has no mailbox of"),
        (("restore", "HOME", ANN, "--compare", "--as", "x@example.com"), 64, "--compare"),
    ],
)
def test_mistakes_about_backups_are_one_line(kept: Home, words: tuple[str, ...], code: int, why: str) -> None:
    """That says what, where, and what to do."""
    kept.refused(kept.mailer("mailbox", *(word.replace("HOME", str(kept.path)) for word in words)), code, why)


@pytest.mark.skipif(not all(importlib.util.find_spec(name) for name in ("pyrage", "apsw")), reason="the extra mailboxes is not installed")
def test_an_encrypted_mailbox_is_backed_up_encrypted(kept: Home, maildir: Path) -> None:
    """When there is a copy of its key elsewhere; it comes back though its owner was forgotten."""
    kept.configure(f'\n[mailboxes]\npath = "{kept.path}/mailboxes"\nencryption = "age"\nremoved_kept = "0s"\n')
    place = kept.path / "backup"
    kept.mailer("mailbox", "key", "make")
    told(kept, "import", ANN, maildir, "--make")
    done = kept.mailer("mailbox", "backup", place)
    assert (done.returncode, b"mailer mailbox key export" in done.stderr) == (78, True)
    assert kept.mailer("mailbox", "key", "export").returncode == 0
    assert told(kept, "backup", place)[0]["copied"] == 3
    files = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    assert not [one for one in files if b"number 1" in one or b"Hello" in one or b"SQLite format" in one]
    [made] = told(kept, "restore", place, ANN, "--as", "ben@example.com")
    assert (made["messages"], made["flaws"]) == (3, [])
    [made] = told(kept, "restore", place, ANN)
    assert (made["messages"], made["flaws"]) == (3, [])
    assert kept.mailer("mailbox", "show", ANN, "Work", "1").stdout == letter(3)
    for path in (kept.path / "mailboxes").glob("owners.sqlite3*"):
        path.unlink()
    done = kept.mailer("mailbox", "restore", place, ANN)
    assert (done.returncode, b"move those aside and restore them from a backup" in done.stderr) == (74, True)
    (kept.path / "mailboxes" / "u").rename(kept.path / "aside")
    [made] = told(kept, "restore", place, ANN)
    assert (made["messages"], made["flaws"]) == (3, [])
    kept.configure(f'\n[mailboxes]\npath = "{kept.path}/mailboxes"\n')
    [made] = told(kept, "restore", place, ANN, "--as", "plain@example.com")
    assert (made["messages"], made["flaws"]) == (3, [])
    assert letter(3) in [path.read_bytes() for path in (kept.path / "mailboxes").glob("u/*/*/mail/*/*")]


def test_the_nightly_job(kept: Home, maildir: Path) -> None:
    """The example backs up and verifies in silence, and does nothing where the disk is not mounted."""
    told(kept, "import", ANN, maildir, "--make")
    programs = kept.path / "bin"
    programs.mkdir()
    scripts = {"mailer": f'exec {shlex.join(MAILER)} "$@"', "mountpoint": f'test "$2" = {kept.path}/disk'}
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (kept.path / "disk").mkdir()
    env = {**kept.env, "PATH": f"{programs}:{kept.env['PATH']}"}
    job = Path(__file__).parents[2] / "examples" / "nightly-mailboxes.sh"
    for place, code in (("elsewhere/mail", 75), ("disk/mail", 0)):
        done = subprocess.run([job, kept.path / place], env=env, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, bool(done.stderr)) == (code, b"", code == 75)
    assert len([*(kept.path / "disk").glob("mail/u/*/*/states/*")]) == 1
