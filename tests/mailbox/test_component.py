"""Mailboxes as a part of the daemon: opened when they are wanted, swept, moved by a reload, and never a reason not to start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.config import Config
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended
from mailer.io.component import Chores
from mailer.mailbox.api import NewMail
from mailer.mailbox.component import MailboxesComponent
from tests.fakes.mail import FakeClock

ANN = "ann@example.com"


def config_at(home: Path, name: str = "mailboxes", via: str = "local") -> Config:
    text = f'[mailer]\nspool = "{home}"\n[mailboxes]\npath = "{home}/{name}"\n[[domain]]\nname = "example.com"\nvia = "{via}"\n'
    return config_of("c.toml", text.encode(), str(home))


class House:
    """A component that has `config`, and what it has told."""

    def __init__(self, config: Config) -> None:
        self.told: list[Event] = []
        self.clock = FakeClock()
        chores = Chores(lambda _: None, lambda _: None)
        self.component = MailboxesComponent(config, self.tell, self.clock, chores)

    def tell(self, event: Event) -> None:
        """As those in a daemon, who have timers made: in the loop, and in no other thread."""
        asyncio.get_running_loop()
        self.told.append(event)

    def put(self, content: bytes = b"Subject: a test\r\n\r\nhello\r\n") -> None:
        """A message for Ann."""
        with self.component.of(ANN, make=True) as box:
            box.put([NewMail("INBOX", content)])

    def alarms(self) -> list[str]:
        """What is wrong."""
        return [event.detail for event in self.told if isinstance(event, Alarm)]


def test_nothing_is_made_before_it_is_wanted(tmp_path: Path) -> None:
    """Neither at the start nor at the end; at the first mail it is, with all above it."""
    house = House(config_at(tmp_path, "a/b/mailboxes"))
    asyncio.run(house.component.start())
    assert [*tmp_path.iterdir()] == []
    assert house.alarms() == []
    house.put()
    assert (tmp_path / "a/b/mailboxes").stat().st_mode & 0o777 == 0o700
    asyncio.run(house.component.stop(0))


def test_a_domain_elsewhere_opens_nothing(tmp_path: Path) -> None:
    """Nobody looks at a place that is not used."""
    (tmp_path / "mailboxes").mkdir()
    (tmp_path / "mailboxes/owners.sqlite3").write_bytes(b"no database" * 1000)
    house = House(config_at(tmp_path, via="maildir:/srv/{user}"))
    asyncio.run(house.component.start())
    assert house.told == []


def test_a_place_that_cannot_be_used_is_an_alarm(tmp_path: Path) -> None:
    """The daemon goes on; it is over when it can."""
    (tmp_path / "mailboxes").mkdir(mode=0o700)
    (tmp_path / "mailboxes/owners.sqlite3").write_bytes(b"no database" * 1000)
    house = House(config_at(tmp_path))
    asyncio.run(house.component.start())
    [alarm] = house.alarms()
    assert alarm.startswith("mail for our mailboxes waits: ")
    (tmp_path / "mailboxes/owners.sqlite3").unlink()
    asyncio.run(house.component.start())
    assert isinstance(house.told[-1], Mended)


def test_a_reload_waits_for_whoever_uses_them(tmp_path: Path) -> None:
    """Who has a mailbox open goes on with it; who comes after that gets the other one."""
    house = House(config_at(tmp_path))
    house.put(b"Subject: before\r\n\r\n")

    async def reloaded() -> None:
        with house.component.of(ANN) as old:
            with house.component.reload(config_at(tmp_path, "others")):
                pass
            await asyncio.gather(*house.component._begun)
            house.put(b"Subject: after\r\n\r\n")
            assert old.usage().messages == 1
            old.put([NewMail("INBOX", b"Subject: late\r\n\r\n")])
        with house.component.of(ANN) as new:
            assert new.usage().messages == 1
        await house.component.stop(0)

    asyncio.run(reloaded())
    assert {path.name for path in tmp_path.iterdir()} == {"mailboxes", "others"}


def test_a_reload_that_another_refuses_changes_nothing(tmp_path: Path) -> None:
    """The mailboxes stay where they were."""
    house = House(config_at(tmp_path))
    house.put()
    with pytest.raises(RuntimeError), house.component.reload(config_at(tmp_path, "others")):
        raise RuntimeError
    house.put()
    assert not (tmp_path / "others").exists()
    asyncio.run(house.component.stop(0))
