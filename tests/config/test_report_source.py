"""Sections about reports: what a mailbox and a door need, what follows from what, and what is refused with a line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config import load
from mailer.config.advice import missing
from mailer.mail.problem import Problem

IMAP = 'name = "box"\nkind = "imap"\nhost = "imap.example.com"\nusername = "me"\npassword_file = "/x"\n'
POP3 = IMAP.replace('"imap"', '"pop3"')
MAILDIR = 'name = "box"\nkind = "maildir"\npath = "/var/mail/bounces"\n'


def read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(str(path), str(tmp_path / "spool"))


def source(tmp_path: Path, text: str) -> object:
    return read(tmp_path, f"[[report_source]]\n{text}").report_sources[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "port", "done"),
    [
        (IMAP, 993, "move:Handled"),
        (IMAP + 'tls = "starttls"\n', 143, "move:Handled"),
        (POP3, 995, "delete"),
        (POP3 + 'tls = "starttls"\ndone = "keep"\n', 110, "keep"),
        (MAILDIR, 0, "keep"),
    ],
)
def test_port_and_fate_follow_from_the_kind(tmp_path: Path, text: str, port: int, done: str) -> None:
    """Where nothing else is said."""
    found = source(tmp_path, text)
    assert (found.port, found.done) == (port, done)  # type: ignore[attr-defined]


def test_a_folder_is_what_stands_behind_move(tmp_path: Path) -> None:
    """And nowhere else."""
    assert source(tmp_path, IMAP + 'done = "move:Old mail"\n').moves_to == "Old mail"  # type: ignore[attr-defined]
    assert source(tmp_path, IMAP + 'done = "delete"\n').moves_to == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IMAP + 'folder = "INBOX\\r\\nX1 DELETE INBOX"\n', "holds a control character"),
        (IMAP.replace('"me"', '"me\\nX"'), "holds a control character"),
        (IMAP + 'done = "move:"\n', "move:FOLDER"),
        (IMAP + 'done = "burn"\n', "move:FOLDER"),
        (POP3 + 'done = "move:Handled"\n', "POP3 has no folders"),
        (MAILDIR + 'done = "move:Handled"\n', "deleted or kept"),
        (MAILDIR.replace("path", "# path"), "a Maildir has a path"),
        (MAILDIR + 'host = "x.example.com"\n', "a directory of this machine"),
        (IMAP.replace("host", "# host"), "write host"),
        (IMAP.replace("username", "# username"), "write username"),
        (IMAP.replace("password_file", "# password_file"), "needs a password"),
        (IMAP + 'password_env = "X"\n', "keep one of them"),
        (IMAP + 'tls = "none"\n', "unencrypted"),
        (IMAP + 'oauth_endpoint = "https://x.example.com"\n', "not both"),
        (IMAP.replace("password_file", "oauth_endpoint").replace('"/x"', '"https://x.example.com"'), "oauth_client_id"),
        (IMAP + 'max_report = "100MB"\n', "up to 64MB"),
        (IMAP.replace('"box"', '"../box"', 1), "letters, digits"),
        (IMAP + "[[report_source]]\n" + POP3.replace('"box"', '"Box"'), "has a source of this name already"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """Before anything is said to a server."""
    with pytest.raises(Problem, match=r"config\.toml:\d+: ") as caught:
        source(tmp_path, text)
    assert said in str(caught.value)
    assert caught.value.kind == "bad-config"


DOOR = '[[listen]]\nkind = "reports"\naddress = "127.0.0.1:2525"\n'
BOUNCE = '[bounce]\naddress = "bounces@example.com"\n'


def test_a_door_for_reports_may_be_called_by_everybody(tmp_path: Path) -> None:
    """With TLS or without, by SMTP or LMTP; it is none for HTTP."""
    found = read(tmp_path, BOUNCE + DOOR.replace("127.0.0.1", "0.0.0.0") + 'protocol = "lmtp"\n')
    assert [(door.kind, door.protocol) for door in found.mail_doors] == [("reports", "lmtp")]  # type: ignore[attr-defined]
    assert found.web_doors == ()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DOOR, 'write address = "bounces@example.com" in [bounce]'),
        (BOUNCE + DOOR + 'tls = "starttls"\n', "needs a certificate"),
        (BOUNCE + DOOR + 'proxies = ["10.0.0.1"]\n', "without a proxy"),
        (BOUNCE + DOOR + DOOR, "the place of another door"),
        (DOOR.replace('"reports"', '"web"') + 'tls = "starttls"\ncertificate_file = "/x"\n', "HTTP has no STARTTLS"),
        (DOOR.replace('"reports"', '"web"') + 'protocol = "lmtp"\n', "for a door of kind reports"),
    ],
)
def test_what_a_door_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With a line that says what to write."""
    with pytest.raises(Problem, match=r"config\.toml:\d+: ") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_what_a_mailbox_lacks_on_this_machine_is_said_by_the_check(tmp_path: Path) -> None:
    """A directory that is not there, and a password that cannot be read."""
    text = f"[[report_source]]\n{MAILDIR}[[report_source]]\n{IMAP}".replace("/var/mail/bounces", f"{tmp_path}/none", 1)
    text = text.replace('"box"', '"other"', 1).replace("/x", f"{tmp_path}/secret")
    found = [str(mistake) for mistake in missing(read(tmp_path, text))]  # type: ignore[arg-type]
    assert any("no report can be taken out of" in each for each in found)
    assert any("cannot read the password file" in each for each in found)
