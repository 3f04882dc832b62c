"""What the doctor finds of mailboxes of our own, the place and what each has, and what it mends from messages alone."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from mailer.check.finding import FAIL, PASS, WARN
from mailer.config import Config
from mailer.config.file import config_of
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.operate.doctor.mailboxes import mailboxes, mend_mailboxes

ANN, BOB = "ann@example.com", "bob@example.com"
DOMAIN = '[[domain]]\nname = "example.com"\nvia = "local"\n'


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(
        "c.toml", f'[mailer]\nspool = "{tmp_path}"\n[mailboxes]\npath = "{tmp_path}/mailboxes"\n{DOMAIN}'.encode(), str(tmp_path)
    )


@pytest.fixture
def filled(config: Config) -> Config:
    """Two mailboxes, with two messages and one."""
    boxes = mailboxes_of(config)
    for address, many in ((ANN, 2), (BOB, 1)):
        with boxes.of(address, make=True) as box:
            box.put([NewMail("INBOX", b"Subject: %d\r\n\r\nhello\r\n" % nth) for nth in range(many)])
    boxes.close()
    return config


def root(config: Config) -> Path:
    return Path(config.mailboxes_path)


def bodies(config: Config) -> list[Path]:
    return sorted(root(config).glob("u/*/*/mail/*/*"))


def said(config: Config) -> list[tuple[str, str]]:
    return [(found.result, found.evidence) for found in mailboxes(config)]


def test_where_none_are_wanted_nothing_is_said(config: Config) -> None:
    """Nor anything made; where they are wanted, they come with their first mail."""
    assert mailboxes(config.but(domains=())) == []
    assert said(config) == [(PASS, "there are no mailboxes yet; each is made when its first mail comes")]
    assert [*mend_mailboxes(config)] == []
    assert not root(config).exists()


def test_all_is_well(filled: Config) -> None:
    """How many there are, with how many messages."""
    assert said(filled) == [(PASS, "2 mailboxes, 3 messages: each has what its rows say")]
    assert [*mend_mailboxes(filled)] == []


def test_who_has_little_time_looks_at_some(filled: Config) -> None:
    """And says so."""
    times = iter(range(0, 1000, 3))
    [found] = mailboxes(filled, lambda: next(times))
    assert (found.result, found.evidence) == (PASS, "1 mailboxes were looked at, and there are more")


def test_others_may_not_look_into_them(filled: Config) -> None:
    """That is put right."""
    root(filled).chmod(0o755)
    assert said(filled)[0] == (WARN, "others may look into it (its mode is 0755)")
    assert [*mend_mailboxes(filled)] == [f"set to 0700: {root(filled)}"]
    assert root(filled).stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_they_belong_to_whoever_runs_the_daemon(filled: Config) -> None:
    """Mail for those of another waits."""
    os.chown(root(filled), 12345, 12345)
    assert said(filled)[0] == (FAIL, "it belongs to another user than the daemon's: mail for them waits")


def test_a_message_that_is_gone_is_named(filled: Config) -> None:
    """By the doctor and by what he does; the other mailbox is well."""
    lost = bodies(filled)[0]
    lost.unlink()
    [found] = mailboxes(filled)
    assert (found.result, found.subject in (ANN, BOB), lost.name in found.evidence) == (FAIL, True, True)
    [line] = mend_mailboxes(filled)
    assert line.startswith(f"could not mend the mailbox of {found.subject}: ")
    assert lost.name in line


def test_what_was_done_to_a_large_mailbox_fits_a_screen(filled: Config) -> None:
    """A hundred thousand messages that were in no folder are not as many lines."""
    with closing(mailboxes_of(filled)) as boxes, boxes.of(ANN) as box:
        box.put([NewMail("INBOX", b"Subject: %d\r\n\r\n" % number) for number in range(20)])
        many = box.usage().messages
    for index in root(filled).glob("u/*/*/index.sqlite3*"):
        index.unlink()
    lines = [line for line in mend_mailboxes(filled) if ANN in line]
    assert 10 < len(lines) < many
    assert lines[-1].endswith(f" more of these; mailer mailbox verify {ANN} reads all of it")
    assert said(filled)[0][0] == PASS


def test_rows_that_are_gone_are_made_of_the_messages(filled: Config) -> None:
    """All that there is comes back, into a folder that says so, and nothing else is touched."""
    before = {path.name for path in bodies(filled)}
    for index in root(filled).glob("u/*/*/index.sqlite3*"):
        index.unlink()
    found = mailboxes(filled)
    assert [each.result for each in found] == [FAIL, FAIL]
    lines = [*mend_mailboxes(filled)]
    assert all(line.startswith("mended the mailbox of ") for line in lines)
    assert said(filled) == [(PASS, "2 mailboxes, 3 messages: each has what its rows say")]
    assert {path.name for path in bodies(filled)} == before
    boxes = mailboxes_of(filled)
    with boxes.of(ANN) as box:
        folder = box.folder("INBOX/Recovered")
        assert folder is not None
        assert folder.messages == 2
    boxes.close()


def test_owners_that_cannot_be_read_are_a_finding(filled: Config) -> None:
    """In one line, and mending says it as well."""
    (root(filled) / "owners.sqlite3").write_bytes(b"no database at all" * 500)
    [found] = mailboxes(filled)
    assert found.result == FAIL
    assert "owners" in found.evidence
    [line] = mend_mailboxes(filled)
    assert line.startswith("could not mend the mailboxes: ")


def test_a_key_that_is_missing_is_named(filled: Config) -> None:
    """Where what is new is to be encrypted, mail waits for it."""
    pytest.importorskip("pyrage")
    pytest.importorskip("apsw")
    section = filled.mailboxes.but(encryption="age")
    [found] = mailboxes(filled.but(mailboxes=section))
    assert found.result == FAIL
    assert "key" in found.evidence
