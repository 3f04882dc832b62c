"""A mailbox that has used up its quota takes no more mail from strangers for now; whoever brings it hears so before there is a message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.events import TurnedAway
from mailer.io.maildir import JUNK, put_once
from mailer.mail.envelope import Recipient
from mailer.smtpd import quota as module
from mailer.smtpd.quota import FRESH, FULL_MAILBOX, MailboxQuotas

from .house import Client
from .mx_house import MxHouse
from .test_mx import MAIL, brought, played

CONFIG = """
[mailer]
hostname = "mx.example.com"
[[domain]]
name = "example.com"
via = "maildir:{home}/{{user}}"
"""
USERS = MemoryUsers([User("ann@example.com", quota=1000), User("bob@example.com")])


class Mailboxes:
    """Quotas of users whose mailboxes are below `home`, at a time that is set."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seconds = 0.0
        self.quotas = MailboxQuotas(config_of("c.toml", CONFIG.format(home=home).encode(), str(home)), lambda: self.seconds)

    def has(self, user: str, octets: int, folder: str = "") -> None:
        """One more message of that size."""
        put_once(str(self.home), f"{self.home}/{user}", f"1.{octets}{folder}.mailer", [b"x" * octets], folder=folder)

    def full(self, *addresses: str, behalf: str = "") -> bool:
        """Whether one of them takes no more."""
        people = [Recipient(address, behalf=behalf) for address in addresses]
        reply = asyncio.run(self.quotas.refuses(USERS, people))
        assert reply in (None, FULL_MAILBOX)
        return reply is not None


@pytest.fixture
def mailboxes(tmp_path: Path) -> Mailboxes:
    return Mailboxes(tmp_path)


def test_a_mailbox_is_full_when_it_has_its_quota(mailboxes: Mailboxes) -> None:
    """With all of its folders, by whatever tag it is named; one without a quota never is, nor one that is elsewhere."""
    assert not mailboxes.full("ann@example.com")
    mailboxes.has("ann", 600)
    mailboxes.has("ann", 400, JUNK)
    mailboxes.has("bob", 5000)
    mailboxes.seconds += FRESH
    assert mailboxes.full("Ann+x@example.com")
    assert mailboxes.full("bob@example.com", "ann@example.com")
    assert not mailboxes.full("bob@example.com")
    assert not mailboxes.full("ann@example.net")
    assert not mailboxes.full("ann@example.com", behalf="sales@example.com")


def test_it_is_counted_once_in_a_while(mailboxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody is named; and so many mailboxes are remembered."""
    counted: list[str] = []
    count = module.size_of
    monkeypatch.setattr(module, "size_of", lambda root: counted.append(root) or count(root))
    for _ in range(3):
        assert not mailboxes.full("ann@example.com")
    assert len(counted) == 1
    mailboxes.has("ann", 1000)
    mailboxes.seconds += FRESH
    assert mailboxes.full("ann@example.com")
    assert len(counted) == 2


def test_strangers_hear_it_before_there_is_a_message(tmp_path: Path) -> None:
    """For the mailbox, and for an alias that leads to it among others; it is told apart from all other refusals."""
    house = MxHouse(tmp_path, people=[User("ann@example.com", quota=10), User("bob@example.com")])
    (tmp_path / "mail").mkdir()
    put_once(f"{tmp_path}/mail", f"{tmp_path}/mail/ann", "1.x.mailer", [b"x" * 10])

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, "ann@example.com", "sales@example.com", "bob@example.com")
            assert [each[:9] for each in said[1:4]] == ["452 4.2.2", "452 4.2.2", "250 2.1.5"]
            assert said[-1].startswith("250")
        assert [away.reason for away in house.heard(TurnedAway)] == ["full", "full"]

    played(house, play)
