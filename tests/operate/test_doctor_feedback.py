"""What the doctor finds of what comes back: mailboxes, the key of return tokens, reports that wait, and the list that follows from them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from mailer.bounces import keys
from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config import Config
from mailer.config.file import config_of
from mailer.operate.doctor import feedback, records
from mailer.operate.doctor.serving import Running
from mailer.reports import files
from mailer.reports.api import Facts
from mailer.suppression.api import SuppressionEntry
from mailer.suppression.sqlite import SqliteSuppression
from tests.fakes.sockets import closed_port
from tests.reports.servers import LETTER, FakeImap, FakePop3, listening, make_maildir, ndr

MAILBOX = """\
[[report_source]]
name = "box"
kind = "{kind}"
host = "127.0.0.1"
port = {port}
tls = "none"
username = "me"
password_file = "{home}/secret"
"""
ADDRESS = '[bounce]\naddress = "bounces@example.com"\n'


class Told(NamedTuple):
    """A finding, as far as it is of interest here."""

    result: str
    evidence: str
    advice: str


def told(found: list[Finding]) -> Told:
    """The only finding."""
    (one,) = found
    return Told(one.result, one.evidence, one.advice)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a spool and a password in it."""
    (tmp_path / "spool").mkdir(mode=0o700)
    (tmp_path / "secret").write_text("canary-5ecret")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def config_at(home: Path, more: str = "") -> Config:
    """What `more` says of the spool there."""
    return config_of(str(home / "config.toml"), f'[mailer]\nspool = "{home}/spool"\n{more}'.encode())


def opened(home: Path, fake: FakeImap | FakePop3 | None, more: str = "") -> Told:
    """What is found of a mailbox at a server that does as `fake` says; without, nobody listens."""

    async def look(port: int) -> Told:
        kind = "pop3" if isinstance(fake, FakePop3) else "imap"
        config = config_at(home, MAILBOX.format(kind=kind, port=port, home=home) + more)
        return told(await feedback.mailbox(config, config.report_sources[0]))

    async def served() -> Told:
        assert fake is not None
        async with listening(fake.serve) as port:
            return await look(port)

    found = asyncio.run(served() if fake else look(closed_port()))
    assert "canary" not in str(found)
    return found


def test_an_imap_mailbox_is_opened_to_read_only(home: Path) -> None:
    """What is there is counted, and none of it fetched, marked or moved."""
    fake = FakeImap({1: LETTER, 2: ndr(1)})
    result, evidence, _ = opened(home, fake)
    assert (result, evidence.partition(":")[2].partition(", ")[2]) == (
        PASS,
        "INBOX can be opened; 2 messages are there, without encryption",
    )
    assert [line.partition(" ")[0] for line in fake.said if "CAPABILITY" not in line][-2:] == ["EXAMINE", "LOGOUT"]
    assert (len(fake.messages), fake.flags, fake.moved) == (2, {}, {})


def test_a_pop3_mailbox_is_opened_and_left(home: Path) -> None:
    """No message is retrieved or deleted."""
    fake = FakePop3([LETTER, ndr(1)])
    assert opened(home, fake)[0] == PASS
    assert [line.partition(" ")[0] for line in fake.said] == ["CAPA", "USER", "PASS", "STAT", "LIST", "UIDL", "QUIT"]


def refusing(fake: FakeImap | FakePop3, command: str, reply: bytes) -> FakeImap | FakePop3:
    """A server that answers one command by `reply`."""
    fake.odd = lambda said: reply if said.startswith(command) else None
    return fake


TROUBLE: dict[str, tuple[Callable[[], FakeImap | FakePop3 | None], str, str, str]] = {
    "nobody listens": (lambda: None, "", "Connection refused", "host, port and tls of [[report_source]] box"),
    "IMAP login": (
        lambda: refusing(FakeImap({}, capabilities="IMAP4rev1"), "LOGIN", b"TAG NO [AUTHENTICATIONFAILED] wrong\r\n"),
        "", "does not let me in", "username, password, tls and folder of [[report_source]] box",
    ),
    "POP3 login": (
        lambda: refusing(FakePop3([]), "PASS", b"-ERR wrong\r\n"), "", "does not let me in: wrong", "username, password and tls",
    ),
    "folder": (
        lambda: refusing(FakeImap({}), "EXAMINE", b"TAG NO no such folder\r\n"),
        "", "opens no folder 'INBOX' for us", "username, password, tls and folder",
    ),
    "kept without names": (
        lambda: refusing(FakePop3([LETTER]), "UIDL", b"-ERR what?\r\n"), 'done = "keep"\n', "has no UIDL", 'write done = "delete"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TROUBLE)
def test_a_mailbox_that_cannot_be_opened_fails(home: Path, name: str) -> None:
    """With what the server says, and with what mends it."""
    fake, more, cause, remedy = TROUBLE[name]
    result, evidence, advice = opened(home, fake(), more)
    assert result == FAIL
    assert cause in evidence
    assert remedy in advice
    assert "mailer bounces ingest --source box" in advice


def test_a_password_that_others_can_read_is_not_said_to_the_server(home: Path) -> None:
    """Nor is it said that the server refuses it."""
    (home / "secret").chmod(0o644)
    result, evidence, advice = opened(home, FakeImap({}))
    assert result == FAIL
    assert evidence.startswith("was not asked: others can read the password file")
    assert "chmod 600" in advice


def test_a_server_that_is_silent_is_a_finding(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that a check has; nobody waits for it when the program ends."""
    monkeypatch.setattr(feedback, "PATIENCE", 0.2)
    fake = FakeImap({})
    fake.greeting = b""
    result, evidence, advice = opened(home, fake)
    assert result == FAIL
    assert "does not answer" in evidence
    assert "host, port and tls" in advice


def test_a_maildir(home: Path) -> None:
    """It is opened, or it is said what is not there."""
    config = config_at(home, f'[[report_source]]\nname = "box"\nkind = "maildir"\npath = "{home}/mail"\n')
    (section,) = config.report_sources
    result, evidence, advice = told(asyncio.run(feedback.mailbox(config, section)))
    assert (result, evidence) == (FAIL, f"{home}/mail/new: No such file or directory")
    assert advice.startswith("path of [[report_source]] box")
    make_maildir(home / "mail", LETTER)
    assert told(asyncio.run(feedback.mailbox(config, section))) == (PASS, f"{home}/mail can be opened; 1 messages are there", "")


# The key of return tokens


def signed(home: Path, more: str = ADDRESS) -> list[Finding]:
    """What is found of the key."""
    return [*feedback.key(config_at(home, more))]


def test_a_key_that_is_not_needed_is_not_looked_for(home: Path) -> None:
    """Without an address, and with one that stands in no sender."""
    assert signed(home, "") == []
    assert signed(home, ADDRESS + 'verp = "off"\n') == []


def test_a_key_that_is_there_passes(home: Path) -> None:
    """So does one that will be made; that it was replaced is said."""
    assert told(signed(home)) == (PASS, "there is none yet; the first mail that leaves makes it", "")
    path = keys.place(config_at(home, ADDRESS))
    keys.present(path, 1_700_000_000.0)
    assert told(signed(home)).evidence == "signs since 2023-11-14T22:13:20Z"
    keys.rotate(path, 1_800_000_000.0)
    assert told(signed(home)).evidence == "signs since 2027-01-15T08:00:00Z, and the one before is still known"


@pytest.mark.parametrize(
    ("text", "mode", "cause", "remedy"),
    [("x", 0o600, "has no key that can be used", "move it away"), (f"{'0' * 64} x", 0o644, "others can read", "chmod 600")],
)
def test_a_key_that_cannot_be_used_fails(home: Path, text: str, mode: int, cause: str, remedy: str) -> None:
    """What that means for mail is said, and what is in the file is not."""
    path = home / "spool" / "bounce.key"
    path.write_text(text)
    path.chmod(mode)
    result, evidence, advice = told(signed(home))
    assert result == FAIL
    assert cause in evidence
    assert "mail leaves without a token" in evidence
    assert remedy in advice


def test_a_key_that_cannot_be_made_fails(home: Path) -> None:
    """Where its directory is not there."""
    result, evidence, advice = told(signed(home, ADDRESS + f'key_file = "{home}/nowhere/key"\n'))
    assert (result, evidence.partition(":")[0]) == (FAIL, "there is none, and it cannot be made there")
    assert f"{home}/nowhere" in advice


# Reports that wait


def test_reports_that_wait(home: Path) -> None:
    """For a moment is nothing; for hours, nobody acts upon them."""
    now = time.time()
    config = config_at(home)

    def looked(*, runs: bool) -> Told:
        return told([*feedback.reports(config, Running(runs, 1, 1.0), now)])

    assert [*feedback.reports(config, Running(True, 1, 1.0), now)] == []
    files.take(config.spool, ndr(1), Facts("stdin", at=now - 60))
    assert looked(runs=True) == (PASS, "1 reports wait to be acted upon", "")
    files.take(config.spool, ndr(2), Facts("stdin", at=now - 7200))
    result, evidence, advice = looked(runs=True)
    assert (result, evidence.partition(" since")[0]) == (WARN, "2 reports wait to be acted upon, one of them")
    assert "mailer bounces reports --state new" in advice
    assert looked(runs=False).advice == "mailer run acts upon them"


# The suppression list


def listed(home: Path) -> Told:
    """What is found of it."""
    return told([*records.suppressed(str(home / "spool"))])


def test_a_suppression_list_that_is_whole(home: Path) -> None:
    """Or that is not there, which keeps nobody from being mailed."""
    assert listed(home) == (PASS, "there is none: nobody is kept from being mailed", "")
    add(home)
    assert listed(home) == (PASS, "whole, 1 entries", "")


def add(home: Path) -> Path:
    """An entry; the file."""
    entries = SqliteSuppression(str(home / "spool"))
    asyncio.run(entries.add([SuppressionEntry("ann@example.org", at=1.0)]))
    entries.close_now()
    return home / "spool" / "suppress.sqlite3"


def later(path: Path) -> None:
    """Made by a later version."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


SPOILT: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "damaged": (lambda path: path.write_bytes(b"garbage" * 1000), "is damaged (file is not a database)", "mailer suppress import"),
    "cut off": (lambda path: path.write_bytes(b""), "has nothing in it, and was cut off", "put back a copy"),
    "written by others": (lambda path: path.chmod(0o666), "may be written by others", "chmod 600"),
    "of a later version": (later, "has version 99", "install the one that made it"),
    "a page of it": (lambda path: os.truncate(path, path.stat().st_size - 4096), "is damaged", "put back a copy"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_suppression_list_that_cannot_be_read_fails(home: Path, name: str) -> None:
    """All mail waits for that, which is said, with what mends it."""
    spoil, cause, remedy = SPOILT[name]
    spoil(add(home))
    result, evidence, advice = listed(home)
    assert (result, cause in evidence, remedy in advice) == (FAIL, True, True), (evidence, advice)
    assert evidence.endswith(": mail waits until it can be read")
