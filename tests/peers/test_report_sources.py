"""Mailboxes of a real Dovecot, by IMAP and POP3: reports are taken, what is none stays, and nothing is lost when we die in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mailer.cli import main
from mailer.reports import files
from mailer.reports.files import FileReports
from mailer.reports.imap import ImapSource
from mailer.reports.pop3 import Pop3Source
from mailer.reports.sources import MailboxLogin, MailboxLooked, MailboxServer, MailboxSource, ReportTaker, SourceTrouble
from mailer.tlspolicy import Requirement
from tests.reports.servers import LETTER, ndr

from .dovecot import Dovecot, token
from .letters import PASSWORD
from .servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.peer("dovecot")]

MOST = 1_000_000
ROOT = Path(__file__).parents[2]


class Box:
    """A mailbox of a reader of that Dovecot, of which nobody else takes anything."""

    def __init__(self, servers: Servers, owner: str) -> None:
        peer = servers["dovecot"]
        assert isinstance(peer, Dovecot)
        self.peer = peer
        self.owner = owner
        self.ca_file = servers.ca_file
        self._count = 0

    def put(self, *contents: bytes) -> None:
        """Deliver messages, as delivery does."""
        for content in contents:
            self._count += 1
            for name in ("new", "cur", "tmp"):
                self.peer.root.directory(f"mail/{self.owner}/{name}", "mail")
            self.peer.root.directory(f"mail/{self.owner}", "mail")
            path = self.peer.root.path / f"mail/{self.owner}/tmp/{self._count}.{self.owner}"
            path.write_bytes(content)
            self.peer.root.give(path, "mail")
            path.rename(path.parents[1] / "new" / path.name)

    def left(self) -> list[bytes]:
        """What is in the inbox now, sorted."""
        return self._in(self.owner)

    def handled(self) -> list[bytes]:
        """What is in the folder Handled."""
        return self._in(f"{self.owner}/.Handled")

    def _in(self, directory: str) -> list[bytes]:
        found = [*self.peer.root.path.glob(f"mail/{directory}/new/*"), *self.peer.root.path.glob(f"mail/{directory}/cur/*")]
        return sorted(path.read_bytes().replace(b"\r\n", b"\n") for path in found if "T" not in path.name.partition(":2,")[2])

    def server(self, door: str, **more: Any) -> MailboxServer:
        """Its server at one of the doors."""
        mode = "implicit" if door.endswith("s") else "starttls"
        login = more.get("login") or MailboxLogin(self.owner, lambda: more.get("secret", PASSWORD))
        return MailboxServer("localhost", self.peer.ports[door], Requirement(mode, ca_file=self.ca_file), login)


def unix(*contents: bytes) -> list[bytes]:
    return sorted(content.replace(b"\r\n", b"\n") for content in contents)


def look(source: MailboxSource, root: Path) -> MailboxLooked:
    """One look, into the spool at `root`."""

    async def looking() -> MailboxLooked:
        reports = FileReports(str(root))
        try:
            return await source.look(ReportTaker(reports, "box", "bounces@example.com", lambda: 1_700_000_000.0))
        finally:
            reports.close()

    return asyncio.run(looking())


@pytest.mark.parametrize("door", ["imap", "imaps"])
def test_imap_moves_what_it_has_taken(servers: Servers, tmp_path: Path, door: str) -> None:
    """To a folder that is made for it; letters stay in the inbox, unread, and are not fetched twice."""
    box = Box(servers, {"imap": "reports0", "imaps": "reports1"}[door])
    box.put(LETTER, ndr(1), ndr(2))
    source = ImapSource(box.server(door), "INBOX", move="Handled", most=MOST)
    assert look(source, tmp_path) == MailboxLooked(taken=2, left=1)
    assert len(files.waiting(str(tmp_path), 10)) == 2
    assert box.left() == unix(LETTER)
    assert box.handled() == unix(ndr(1), ndr(2))
    assert look(source, tmp_path) == MailboxLooked()
    box.put(ndr(3))
    assert look(source, tmp_path) == MailboxLooked(taken=1)


def test_imap_deletes_and_keeps(servers: Servers, tmp_path: Path) -> None:
    """As it is told."""
    box = Box(servers, "reports2")
    box.put(LETTER, ndr(1))
    keeping = ImapSource(box.server("imaps"), "INBOX", most=MOST)
    assert look(keeping, tmp_path) == MailboxLooked(1, 1)
    assert look(keeping, tmp_path) == MailboxLooked()
    assert len(box.left()) == asyncio.run(keeping.probe()).messages == 2
    deleting = ImapSource(box.server("imaps"), "INBOX", delete=True, most=MOST)
    assert look(deleting, tmp_path) == MailboxLooked(1, 1)
    assert box.left() == unix(LETTER)
    assert len(files.waiting(str(tmp_path), 10)) == 1


@pytest.mark.parametrize("door", ["pop3", "pop3s"])
def test_pop3_deletes_what_it_has_taken(servers: Servers, tmp_path: Path, door: str) -> None:
    """A line of 3,000 octets, too, at which the standard library gives up."""
    box = Box(servers, {"pop3": "reports3", "pop3s": "reports4"}[door])
    long = ndr(2).replace(b"failed\r\n", b"y" * 3000 + b"\r\n", 1)
    box.put(LETTER, ndr(1), long)
    source = Pop3Source(box.server(door), delete=True, most=MOST)
    assert look(source, tmp_path) == MailboxLooked(taken=2, left=1)
    assert box.left() == unix(LETTER)
    assert look(source, tmp_path) == MailboxLooked()


def test_tokens_open_a_mailbox(servers: Servers, tmp_path: Path) -> None:
    """OAuth in place of a password, for IMAP and POP3."""
    box = Box(servers, "reports8")
    box.put(LETTER, ndr(1))
    login = MailboxLogin(box.owner, lambda: token(box.owner), token=True)
    imap = ImapSource(box.server("imaps", login=login), "INBOX", most=MOST)
    assert look(imap, tmp_path / "by IMAP") == MailboxLooked(taken=1, left=1)
    pop3 = Pop3Source(box.server("pop3s", login=login), delete=True, most=MOST)
    assert look(pop3, tmp_path / "by POP3") == MailboxLooked(taken=1, left=1)
    assert box.left() == unix(LETTER)


@pytest.mark.parametrize("door", ["imap", "pop3s"])
def test_a_wrong_password_and_a_wrong_name_are_said(servers: Servers, tmp_path: Path, door: str) -> None:
    """One line each; somebody has to change something."""
    box = Box(servers, "reports5")
    make = ImapSource if door.startswith("imap") else Pop3Source
    for server in (box.server(door, secret="wrong"), box.server(door)._replace(host="127.0.0.1")):
        source = ImapSource(server, "INBOX", most=MOST) if make is ImapSource else Pop3Source(server, delete=True, most=MOST)
        with pytest.raises(SourceTrouble) as caught:
            look(source, tmp_path)
        assert caught.value.ours


@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_the_doctor_logs_in_as_the_daemon_does(
    servers: Servers, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By TLS with a certificate that is looked at; nothing is taken. A wrong password is a failure, and what mends it is named."""
    monkeypatch.setenv("MAILER_CONFIG", os.devnull)
    box = Box(servers, "reports5")
    secret, config = tmp_path / "secret", tmp_path / "config.toml"
    place = f'host = "localhost"\nport = {box.peer.ports[f"{kind}s"]}\nca_file = "{box.ca_file}"\n'
    login = f'username = "{box.owner}"\npassword_file = "{secret}"\n'
    quiet = '[check]\ntime_server = ""\nblocklists = []\n[dns]\nnameservers = ["127.0.0.1:1"]\nlifetime = "1s"\n'
    config.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n{quiet}[[report_source]]\nname = "box"\nkind = "{kind}"\n{place}{login}')
    before = box.left()
    for password, result, words in ((PASSWORD, "pass", "can be opened"), ("wrong", "fail", f"does not let {box.owner} in")):
        secret.write_text(password)
        secret.chmod(0o600)
        main(["mailer", "doctor", "--json", "--config", str(config)])
        (found,) = [one for line in capsys.readouterr().out.splitlines() if (one := json.loads(line)).get("check") == "mailbox"]
        assert (found["result"], found["subject"]) == (result, "box")
        assert words in found["evidence"]
        assert result == "pass" or "password" in found["advice"]
    assert box.left() == before


DYING = """
import asyncio, os, signal, sys
from tests.peers.test_report_sources import MOST
from mailer.reports.files import FileReports
from mailer.reports.imap import ImapSource
from mailer.reports.pop3 import Pop3Source
from mailer.reports.sources import MailboxLogin, MailboxServer, ReportTaker
from mailer.tlspolicy import Requirement

kind, port, ca, owner, secret, root, step = sys.argv[1:]
left = int(step)

def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(cls, name):
    before = getattr(cls, name)
    def wrapped(*args, **more):
        count()
        return before(*args, **more)
    setattr(cls, name, wrapped)

from mailer.io import durable
from mailer.pop3.client import Pop3Client
from mailer.reports.imap_session import ImapVisit
counted(Pop3Client, "send")
counted(ImapVisit, "_command")
counted(durable, "sync_directory")
counted(durable, "finish_new")
server = MailboxServer("localhost", int(port), Requirement("implicit", ca_file=ca), MailboxLogin(owner, lambda: secret))
source = ImapSource(server, "INBOX", move="Handled", most=MOST) if kind == "imap" else Pop3Source(server, delete=True, most=MOST)
asyncio.run(source.look(ReportTaker(FileReports(root), "box", "bounces@example.com", lambda: 1_700_000_000.0)))
"""
"""A look that dies, as kill -9 does it, before so many of its steps: what is said to the server, and what is synced."""


@pytest.mark.parametrize("kind", ["imap", "pop3"])
def test_no_report_is_lost_and_none_taken_twice_wherever_we_die(servers: Servers, tmp_path: Path, kind: str) -> None:
    """Before each step in turn; what the mailbox has no more is on disk, under one ID, and a look that lives takes the rest."""
    box = Box(servers, {"imap": "reports6", "pop3": "reports7"}[kind])
    contents = [LETTER, ndr(1), ndr(2)]
    box.put(*contents)
    door = box.server("imaps" if kind == "imap" else "pop3s")
    arguments = [kind, str(door.port), box.ca_file, box.owner, PASSWORD, str(tmp_path / "spool")]
    for step in range(60):
        ended = subprocess.run([sys.executable, "-c", DYING, *arguments, str(step)], cwd=ROOT, capture_output=True, check=False, timeout=60)
        kept = {*unix(*_kept(str(tmp_path / "spool")))}
        assert kept | {*box.left()} >= {*unix(*contents)}
        assert len(kept) <= 2
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert ended.returncode == 0
    assert step > 8
    assert kept == {*unix(ndr(1), ndr(2))}
    assert box.left() == unix(LETTER)


def _kept(root: str) -> list[bytes]:
    return [found.content for id in files.waiting(root, 10) if (found := files.load(root, id)) is not None]
