"""Mailboxes of our own, all the way: from a stranger's SMTP and our own people's commands into folders, once, whoever is killed."""

from __future__ import annotations

import asyncio
import smtplib
import sqlite3

import pytest

from mailer.accounts.users.api import User
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.config.file import load
from mailer.mailbox.configured import mailboxes_of
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import put
from tests.fakes.processes import free_port

from .world import World

ANN, BOB = "ann@here.example", "bob@here.example"
HERE = """
[mailboxes]
path = "{home}/mailboxes"
full_grace = "1h"
[[domain]]
name = "here.example"
via = "local"
[[listen]]
kind = "mx"
address = "127.0.0.1:{port}"
tls = "none"
[receiving]
postmaster = "ann@here.example"
"""


class Town:
    """A daemon at here.example with mailboxes of its own, a door for strangers, and the users ann and bob."""

    def __init__(self, world: World, *, more: str = "", schedule: str = "0.2s") -> None:
        self.world = world
        self.port = free_port()
        world.configure(9, schedule=(schedule,), more=HERE.format(home=world.home, port=self.port) + more)
        for address in (ANN, BOB):
            assert world.mailer("user", "add", address).code == 0

    def start(self) -> Town:
        """A daemon that takes mail."""
        self.daemon = self.world.daemon()
        self.daemon.accepts(self.port)
        return self

    def brings(self, *recipients: str, subject: str = "a test", size: int = 0) -> dict[str, tuple[int, bytes]]:
        """What a stranger is told about each recipient who is refused; the message is taken for the others."""
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="mail.sender.example", timeout=60) as client:
            text = (
                f"From: eve@sender.example\nTo: {recipients[0]}\nSubject: {subject}\n\nhello\n{'x' * 70}\n".encode()
                + b"one line more\n" * (size // 14)
            )
            try:
                return client.sendmail("eve@sender.example", recipients, text)
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients

    def has(self, address: str, folder: str = "INBOX") -> list[bytes]:
        """The messages of a folder, as whoever reads it finds them."""
        boxes = mailboxes_of(load(str(self.world.config), None))
        try:
            if boxes.owners.find([address]) == [None]:
                return []
            with boxes.of(address) as box:
                found = box.folder(folder)
                assert found is not None
                return [box.read(mail) for mail in box.mails([each.mail for each in box.entries(found.id)]) if mail is not None]
        finally:
            boxes.close()

    def gets(self, address: str, many: int, folder: str = "INBOX") -> list[bytes]:
        """Wait until so many messages are there."""
        self.world.until(f"{address} has {many} in {folder}", lambda: len(self.has(address, folder)) >= many)
        found = self.has(address, folder)
        assert len(found) == many
        return found


def test_a_strangers_mail_is_in_the_inbox(world: World) -> None:
    """Below from whom and to whom; a tag leads to the same mailbox, nobody is refused at once, and postmaster's mail goes where it should.

    A user who is made while the daemon runs has a mailbox when his first mail comes.
    """
    town = Town(world).start()
    refused = town.brings(ANN, "bob+lists@here.example", "nobody@here.example")
    assert [(each, code) for each, (code, _) in refused.items()] == [("nobody@here.example", 550)]
    [message] = town.gets(ANN, 1)
    assert message.startswith(b"Return-Path: <eve@sender.example>\r\nDelivered-To: ann@here.example\r\nReceived: from mail.sender.example")
    assert message.rstrip().endswith(b"\r\n\r\nhello\r\n" + b"x" * 70)
    assert b"\r\nDelivered-To: bob+lists@here.example\r\n" in town.gets(BOB, 1)[0]
    assert world.mailer("user", "add", "carl@here.example").code == 0
    assert town.brings("carl@here.example") == {}
    assert len(town.gets("carl@here.example", 1)) == 1
    town.brings("postmaster@here.example")
    assert b"\r\nDelivered-To: ann@here.example\r\n" in town.gets(ANN, 2)[1]


def test_our_own_people_write_to_each_other(world: World) -> None:
    """By the same way; their mail is sent when it is in the mailbox, and who writes to nobody hears of it."""
    town = Town(world).start()
    id = world.send(BOB, sender=ANN)
    told = world.becomes(id, "sent")
    assert (told["recipients"][0]["code"], told["recipients"][0]["reply"]) == (250, "it is in the mailbox")
    assert b"The text of a test." in town.gets(BOB, 1)[0]
    world.becomes(world.send("nobody@here.example", sender=ANN), "failed")
    assert b"nobody of that name lives here" in town.gets(ANN, 1)[0]


def test_what_is_marked_is_in_junk(world: World) -> None:
    """A filter says so."""
    program = world.home / "judge"
    program.write_text('#!/bin/sh\ncat >/dev/null\necho "X-Spam-Flag: YES"\n')
    program.chmod(0o755)
    filtering = f'[filtering]\nmark = 5\n[[filter]]\nname = "judge"\nkind = "program"\ncommand = ["{program}"]\n'
    town = Town(world, more=filtering).start()
    assert town.brings(ANN) == {}
    assert b"X-Spam-Flag: YES" in town.gets(ANN, 1, "Junk")[0]
    assert town.has(ANN) == []


def test_a_daemon_killed_before_the_record_delivers_once(world: World) -> None:
    """The message is in the mailbox, and nothing says so in the spool: the next daemon finds it, and all recipients have one."""
    people = [f"user{nth}@here.example" for nth in range(50)]
    town = Town(world)
    book = SqliteUsers(f"{world.spool}/accounts.sqlite3")
    asyncio.run(book.put([User(address) for address in people]))
    asyncio.run(book.close())
    town.start()
    assert town.brings(*people) == {}
    for address in people:
        town.gets(address, 1)
    town.daemon.stop()
    again = put(SpoolDirectory(str(world.spool)), *people, id="01JD6Q4Z8K0123456789ABCDEF", body=b"Subject: twice\r\n\r\nhello\r\n")
    file = world.spool / "queued" / again
    content = file.read_bytes()
    world.once()
    for address in people[::7]:
        assert len(town.gets(address, 2)) == 2
    assert not file.exists()
    file.write_bytes(content)  # as whoever is killed before the record leaves it
    world.once()
    assert not file.exists()
    for address in people[::7]:
        assert len(town.has(address)) == 2


def test_who_is_killed_at_any_time_has_delivered_once(world: World) -> None:
    """A daemon that is killed again and again under load: each message is there, and none twice."""
    town = Town(world).start()
    for turn in range(4):
        for nth in range(25):
            town.brings(ANN, BOB, subject=f"number {turn}-{nth}")
        town.daemon.kill()
        town.start()
    for address in (ANN, BOB):
        subjects = [line for message in town.gets(address, 100) for line in message.split(b"\r\n") if line.startswith(b"Subject: number")]
        assert len({*subjects}) == len(subjects) == 100


def test_a_full_mailbox_takes_mail_when_there_is_room(world: World) -> None:
    """A stranger hears it before he sends, by the size that he announces; what was taken before waits; messages are counted as well."""
    town = Town(world, schedule="1s").start()
    assert world.mailer("user", "quota", ANN, "10KB").code == 0
    assert town.brings(ANN, BOB, size=20_000)[ANN][0] == 452
    assert len(town.gets(BOB, 1)) == 1
    assert town.brings(ANN) == {}
    town.gets(ANN, 1)
    id = world.mailer("send", "-f", BOB, ANN, input=b"Subject: large\n\n" + b"x" * 70 + b"\n" + b"long line\n" * 2000).out.strip()
    told = world.becomes(id, "deferred")
    assert (told["recipients"][0]["code"], told["recipients"][0]["enhanced_code"]) == (452, "4.2.2")
    assert world.mailer("user", "quota", ANN, "1MB").code == 0
    world.becomes(id, "sent")
    assert len(town.gets(ANN, 2)) == 2


def test_a_broken_mailbox_is_nobody_elses_trouble(world: World) -> None:
    """Its mail waits, and says why; others get theirs, and it when the file is there again."""
    town = Town(world, schedule="1s").start()
    town.brings(ANN, BOB)
    town.gets(BOB, 1)
    town.gets(ANN, 1)
    town.daemon.stop()
    with sqlite3.connect(world.home / "mailboxes/owners.sqlite3") as db:
        [[owner]] = db.execute("SELECT id FROM owner WHERE address LIKE 'ann@%'").fetchall()
    db.close()
    [index] = (world.home / "mailboxes").rglob(f"{owner}/index.sqlite3")
    whole = index.read_bytes()
    index.write_bytes(b"this is no database" * 1000)
    town.start()
    id = world.send(ANN, BOB, sender=ANN)
    assert len(town.gets(BOB, 2)) == 2
    told = world.becomes(id, "deferred")
    assert [(each["status"], each["enhanced_code"]) for each in told["recipients"]] == [("deferred", "4.3.0"), ("sent", "2.0.0")]
    town.daemon.stop()
    for beside in index.parent.glob("index.sqlite3-*"):
        beside.unlink()
    index.write_bytes(whole)
    town.start()
    world.becomes(id, "sent")
    assert len(town.has(ANN)) == 2


@pytest.mark.slow
def test_a_reload_moves_to_other_mailboxes(world: World) -> None:
    """What comes after it goes there; what is open is closed when nobody uses it."""
    town = Town(world).start()
    town.brings(ANN)
    town.gets(ANN, 1)
    world.config.write_text(world.config.read_text().replace("/mailboxes", "/others"))
    assert world.mailer("reload").code == 0
    town.brings(ANN, subject="elsewhere")
    assert b"elsewhere" in town.gets(ANN, 1)[0]
