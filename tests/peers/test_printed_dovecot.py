"""Dovecot, by the configuration that is printed for it: it knows our users, takes their mail, and goes on with a mailbox of ours."""

from __future__ import annotations

import imaplib
import poplib
import re
import shlex
import smtplib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.accounts.password import key_pair
from mailer.accounts.users.api import User
from mailer.imap.names import modified_utf7
from mailer.mail.flags import Flag
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.exports.api import ExportTellers
from mailer.mailbox.exports.maildir import export_maildir
from mailer.mailbox.imports.imap import ImapImport
from mailer.mailbox.imports.maildir import MaildirImport
from mailer.mailbox.imports.taking import Taking
from mailer.mailbox.owners.api import Owner
from mailer.operate.dovecot import passwd_file
from mailer.reports.sources import MailboxLogin, MailboxServer
from mailer.tlspolicy import Requirement
from tests.fakes.processes import MAILER, free_port, listens, wait_until
from tests.journey.world import World

from .postfix import scratch
from .printed_dovecot import PROGRAMS, PrintedDovecot

pytestmark = [
    pytest.mark.peer(*PROGRAMS),
    pytest.mark.xdist_group("dovecot"),
]

PASSWORD = "correct horse"
FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
ANN, BEN = "ann@example.com", "Ben@example.com"
HARD = b"Subject: hard\r\n\r\n.\r\n..\r\nFrom here\r\n\tx \r\n" + bytes(range(128, 256)) + b"\r\nno end"


def user(address: str) -> User:
    """A user with keys."""
    return User(address, "{SCRYPT}x", key_pair(PASSWORD, b"0123456789abcdef", 4096), b"0123456789abcdef", 4096)


@pytest.fixture(scope="module")
def dovecot() -> Iterator[PrintedDovecot]:
    with scratch("dovecot") as home:
        text, without = passwd_file(
            [user(ANN), user(BEN), user("cat@example.com")._replace(disabled=True), User("dan@example.com", "{SCRYPT}x")]
        )
        assert without == ["dan@example.com"]
        with PrintedDovecot(home, [text]) as made:
            yield made


def owner(number: int) -> Owner:
    """The owner of a mailbox."""
    return Owner(f"01KAJ2W7C5Q0R8Z1MZ6N7V3D9{'ABCDEFGH'[number]}", 1, ANN, 1_700_000_000.0)


@pytest.fixture
def box() -> Iterator[OwnMailbox]:
    made = OwnMailbox(owner(0), MemoryEngine(), MemoryBodies())
    yield made
    made.close()


def session(dovecot: PrintedDovecot, address: str) -> imaplib.IMAP4:
    """A user who has logged in."""
    client = imaplib.IMAP4("127.0.0.1", dovecot.imap)
    client.login(address, PASSWORD)
    return client


def seen(dovecot: PrintedDovecot, address: str) -> dict[str, object]:
    """All that Dovecot shows of a user: folder → UIDVALIDITY, and of each message UID, flags, time and octets."""
    client = session(dovecot, address)
    found: dict[str, object] = {}
    for line in client.list()[1]:
        assert isinstance(line, bytes)
        name = line.rpartition(b' "/" ')[2]
        client.select(name.decode(), readonly=True)
        numbers = client.response("UIDVALIDITY")[1], client.response("UIDNEXT")[1]
        told = client.fetch("1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1] if client.untagged_responses["EXISTS"] != [b"0"] else []
        if told:
            found[name.decode()] = numbers, [(_sorted(each[0]), each[1]) for each in told if isinstance(each, tuple)]
    client.logout()
    return found


def _sorted(words: bytes) -> bytes:
    """What FETCH says, with the flags in order, and without the one that is another in each session."""
    flags = FLAGS.search(words)
    assert flags
    return FLAGS.sub(b"FLAGS (" + b" ".join(sorted({*flags[1].split()} - {b"\\Recent"})).replace(b"\\", b"\\\\") + b")", words)


def filled(dovecot: PrintedDovecot, address: str) -> None:
    """Give a user mail as clients make it: flags, keywords, folders, messages that went, more keywords than letters are common for."""
    client = session(dovecot, address)
    for name in ("Archive/2024", "Entw&APw-rfe", "Work"):
        client.create(f'"{name}"')
        client.subscribe(f'"{name}"')
    for at, flags in enumerate((r"", r"\Seen", r"\Seen \Answered $Forwarded", r"\Flagged work NonJunk", r"\Draft", r"\Deleted")):
        date = imaplib.Time2Internaldate(1_600_000_000 + at)
        for name in ("INBOX", '"Work"', '"Entw&APw-rfe"'):
            assert client.append(name, f"({flags})", date, b"Subject: %d\r\n\r\nbody %d of %s\r\n" % (at, at, name.encode()))[0] == "OK"
    client.append('"Archive/2024"', "", imaplib.Time2Internaldate(1_500_000_000), HARD)
    client.select("INBOX")
    client.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
    client.uid("EXPUNGE", "2")
    client.logout()


def test_users_log_in_with_our_records(dovecot: PrintedDovecot) -> None:
    """However they write their name; who is disabled, or has no keys, or another password, does not."""
    for name in (ANN, "ANN@Example.com", "ben@example.com"):
        session(dovecot, name).logout()
    for name, password in ((ANN, "wrong"), ("cat@example.com", PASSWORD), ("dan@example.com", PASSWORD), ("eve@example.com", PASSWORD)):
        client = imaplib.IMAP4("127.0.0.1", dovecot.imap)
        with pytest.raises(imaplib.IMAP4.error, match=r"AUTHENTICATIONFAILED|Authentication failed"):
            client.login(name, password)
        client.logout()


def test_a_maildir_of_dovecot_comes_in_and_goes_back(dovecot: PrintedDovecot, box: OwnMailbox) -> None:
    """Octet for octet, with folders, UIDs, UIDVALIDITY, flags, keywords, times and the names of POP3: Dovecot sees no difference."""
    filled(dovecot, ANN)
    before = seen(dovecot, ANN)
    pop = poplib.POP3("127.0.0.1", dovecot.pop3)
    pop.user(ANN)
    pop.pass_(PASSWORD)
    names = pop.uidl()[1]
    pop.quit()
    Taking(MaildirImport(str(dovecot.maildir(ANN))), box, lambda _: None, lambda what: pytest.fail(str(what))).run()
    out = dovecot.home / "out"
    export_maildir(box, str(out), ExportTellers(lambda _: None, lambda what: pytest.fail(str(what))))
    home = dovecot.maildir("ben@example.com")
    home.parent.mkdir(parents=True, exist_ok=True)
    out.rename(home)
    dovecot.give(dovecot.home / "mail")
    assert seen(dovecot, BEN) == before
    pop = poplib.POP3("127.0.0.1", dovecot.pop3)
    pop.user(BEN)
    pop.pass_(PASSWORD)
    assert [line.split()[1] for line in pop.uidl()[1]] == [line.split()[1] for line in names]
    pop.quit()
    client = session(dovecot, BEN)
    assert client.append("INBOX", "", imaplib.Time2Internaldate(1_600_000_100), b"Subject: new\r\n\r\n")[0] == "OK"
    subscribed = {line.rpartition(b" ")[2].strip(b'"') for line in client.lsub()[1] if isinstance(line, bytes)}
    assert {b"Work", b"Entw&APw-rfe", b"Archive/2024"} <= subscribed
    client.logout()


def test_an_account_of_dovecot_comes_in_by_imap(dovecot: PrintedDovecot, box: OwnMailbox) -> None:
    """The same as by its files, and nothing twice; folders go where their special use says."""
    server = MailboxServer("127.0.0.1", dovecot.imap, Requirement("none"), MailboxLogin(ANN, lambda: PASSWORD), clear_login=True)

    def imported(into: OwnMailbox) -> tuple[int, int]:
        source = ImapImport(server)
        try:
            done = Taking(source, into, lambda _: None, lambda what: pytest.fail(str(what))).run()
        finally:
            source.close()
        return done.put, done.there

    client = session(dovecot, ANN)
    client.append("Sent", r"(\Seen)", imaplib.Time2Internaldate(1_600_000_000), b"Subject: sent\r\n\r\n")
    client.logout()
    put, there = imported(box)
    assert (put > 10, there) == (True, 0)
    assert imported(box) == (0, put)
    shown = seen(dovecot, ANN)
    for folder in box.folders():
        entries = box.entries(folder.id)
        if not entries:
            continue
        mails = box.mails([entry.mail for entry in entries])
        name = modified_utf7(folder.name)
        numbers, told = shown[name] if name in shown else shown[f'"{name}"']  # type: ignore[misc]
        assert (numbers[0], [content for _, content in told]) == ([b"%d" % folder.uidvalidity], [box.read(mail) for mail in mails if mail])
        assert [int(words.split()[2]) for words, _ in told] == [entry.uid for entry in entries]
        assert [b"\\Seen" in words for words, _ in told] == [bool(entry.flags & Flag.SEEN) for entry in entries]
        assert [b"$Forwarded" in words for words, _ in told] == ["$Forwarded" in entry.keywords for entry in entries]
    sent = box.with_role("sent")
    assert sent is not None
    assert sent.messages == 1
    box.put([NewMail("INBOX", b"Subject: later\r\n\r\n")])


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_mail_comes_by_our_door_and_is_read_by_imap(dovecot: PrintedDovecot, world: World) -> None:
    """A stranger brings it to our MX, we bring it by LMTP, and the user whom we made reads it with the password that we showed."""
    port = free_port()
    world.config.write_text(
        f'[mailer]\nhostname = "mx.example.com"\nspool = "{world.spool}"\n'
        '[receiving]\npostmaster = "ann@example.com"\n'
        f'[[listen]]\nkind = "mx"\naddress = "127.0.0.1:{port}"\ntls = "none"\n'
        '[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = "0.1s"\nlifetime = "0.2s"\n'
        f'[relay.dovecot]\nhost = "localhost"\nsocket = "{dovecot.terms.socket}"\nprotocol = "lmtp"\ntls = "none"\n'
        '[[domain]]\nname = "example.com"\nvia = "relay:dovecot"\n'
    )
    password = world.mailer("user", "add", "eve@example.com").out.strip()
    dovecot.has(world.mailer("mailbox", "dovecot", "--users").out, "eve@example.com")
    world.daemon()
    world.until("our door is open", lambda: listens(port))
    with smtplib.SMTP("127.0.0.1", port) as client:
        letter = b"From: ben@example.org\r\nTo: eve@example.com\r\nSubject: hello\r\n\r\nHello.\r\n"
        client.sendmail("ben@example.org", ["eve@example.com"], letter)

    def read() -> bytes:
        client = imaplib.IMAP4("127.0.0.1", dovecot.imap)
        try:
            client.login("eve@example.com", password)
            if client.select()[1] == [b"0"]:
                return b""
            found = client.fetch("1", "(BODY.PEEK[])")[1]
            return found[0][1] if isinstance(found[0], tuple) else b""
        finally:
            client.logout()

    assert b"\r\nSubject: hello\r\n\r\nHello.\r\n" in wait_until("the mail is there", read)


@pytest.mark.slow
def test_everybody_moves_in(dovecot: PrintedDovecot, world: World) -> None:
    """The example takes a list of them; who cannot be let in there makes it fail, and the others come."""
    world.config.write_text(f'[mailer]\nspool = "{world.spool}"\n[mailboxes]\npath = "{world.home}/mailboxes"\n')
    (world.home / "good").write_text(f"{PASSWORD}\n")
    (world.home / "bad").write_text("wrong\n")
    for name in ("good", "bad"):
        (world.home / name).chmod(0o600)
    programs = world.home / "bin"
    programs.mkdir()
    (programs / "mailer").write_text(f'#!/bin/sh\nexec {shlex.join(MAILER)} "$@" --no-tls\n')
    (programs / "mailer").chmod(0o755)
    script = Path(__file__).parents[2] / "examples" / "move-in.sh"
    people = f"x@example.com {ANN} {world.home}/bad\nann@example.org {ANN} {world.home}/good\n"
    env = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(world.home), "MAILER_CONFIG": str(world.config)}
    place = f"imap://127.0.0.1:{dovecot.imap}"
    done = subprocess.run([script, place], input=people, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 1
    assert "does not let ann@example.com in" in done.stderr
    assert "came to ann@example.org" in done.stdout
