"""A mailbox that has used up its quota takes no more mail from strangers for now; whoever brings it hears so before there is a message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.events import TurnedAway
from mailer.io.maildir import JUNK, put_once
from mailer.mail.envelope import Recipient
from mailer.mail.problem import Problem
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
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


OURS = """
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[mailboxes]
path = "{home}/boxes"
[[domain]]
name = "example.com"
via = "local"
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    own = Own(tmp_path)
    yield own
    own.boxes.close()


class Own:
    """Quotas of users whose mailboxes are our own."""

    def __init__(self, home: Path) -> None:
        config = config_of("c.toml", OURS.format(home=home).encode(), str(home))
        self.boxes = mailboxes_of(config)
        self.seconds = 0.0
        self.quotas = MailboxQuotas(config, lambda: self.seconds, self.boxes)

    def has(self, address: str, many: int, octets: int) -> None:
        """So many messages more, of that size."""
        with self.boxes.of(address, make=True) as box:
            box.put([NewMail("INBOX", b"x" * octets) for _ in range(many)])

    def full(self, user: User, octets: int = 0) -> bool:
        """Whether he has no room for so many octets, some time later."""
        self.seconds += 60
        return asyncio.run(self.quotas.refuses(MemoryUsers([user]), [Recipient(user.address)], octets)) is not None


def test_a_mailbox_of_our_own_has_room_for_what_is_announced(own: Own) -> None:
    """In octets, of which the message that is coming counts, and in messages; one that is not there yet has all of it, and none is made."""
    assert not own.full(User("ann@example.com", quota=1000), 1000)
    assert own.full(User("ann@example.com", quota=1000), 1001)
    assert own.boxes.owners.listing() == []
    own.has("ann@example.com", 2, 300)
    assert not own.full(User("ann@example.com", quota=1000), 400)
    assert own.full(User("ann@example.com", quota=1000), 401)
    assert own.full(User("ann@example.com", quota=600))
    assert not own.full(User("ann@example.com", quota_messages=3))
    assert own.full(User("ann@example.com", quota_messages=2))
    assert not own.full(User("ann@example.com"), 1 << 40)


def test_a_mailbox_that_cannot_be_asked_takes_none_for_now(own: Own) -> None:
    """Nobody is told that it is full; who has no quota is not asked about."""
    own.has("ann@example.com", 1, 10)
    own.boxes.close()
    for index in (Path(own.boxes.owners.path).parent).rglob("index.sqlite3*"):
        index.unlink()
    with pytest.raises(Problem):
        own.full(User("ann@example.com", quota=1000))
    assert not own.full(User("ann@example.com"))
