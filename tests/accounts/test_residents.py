"""Residents: files of aliases that come, change and go while a daemon runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended
from mailer.mail.problem import Problem
from tests.fakes.mail import FakeClock


class Locked(MemoryUsers):
    """Users who cannot be looked up."""

    async def find(self, _: Sequence[str]) -> Sequence[User | None]:
        raise Problem("the database is locked", "try-again")


def residents(tmp_path: Path, told: list[Event], users: MemoryUsers | None = None) -> Residents:
    text = f'[[domain]]\nname = "example.com"\nvia = "maildir:{tmp_path}/{{user}}"\naliases_file = "{tmp_path}/aliases"\n'
    return Residents(config_of("", text.encode(), str(tmp_path)), users or MemoryUsers([User("ann@example.com")]), told.append, FakeClock())


def test_a_file_counts_as_it_is_now(tmp_path: Path) -> None:
    """While it was never read, nothing is known; when it cannot be read any more, what it said; when it has changed, what it says."""
    told: list[Event] = []
    path = tmp_path / "aliases"

    async def scenario() -> None:
        found = residents(tmp_path, told)
        await found.refresh()
        assert (await found.resolve("ann@example.com")).kind == "trouble"
        assert isinstance(told[-1], Alarm)
        path.write_text("Sales: ann\n")
        await found.refresh()
        assert isinstance(told[-1], Mended)
        assert (await found.resolve("sales@example.com")).recipients[0].address == "ann@example.com"
        path.unlink()
        await found.refresh()
        assert isinstance(told[-1], Alarm)
        assert (await found.resolve("sales@example.com")).kind == "mailbox"
        path.write_text("info: bob@example.net\n")
        os.utime(path, (1, 1))
        await found.refresh()
        assert (await found.resolve("sales@example.com")).kind == "unknown"
        assert (await found.resolve("info@example.com")).kind == "forward"

    asyncio.run(scenario())


def test_a_file_with_a_line_that_is_no_alias_is_not_gone_by(tmp_path: Path) -> None:
    """It may have been broken off, or written over, and a name that is not read is one whose mail is refused for good."""
    told: list[Event] = []
    path = tmp_path / "aliases"
    path.write_text("sales: ann\n")

    async def scenario() -> None:
        found = residents(tmp_path, told)
        await found.refresh()
        path.write_text("info: ann\nsales an")
        await found.refresh()
        assert isinstance(told[-1], Alarm)
        assert "aliases:2: this is no alias" in told[-1].detail
        assert (await found.resolve("sales@example.com")).kind == "mailbox"

    asyncio.run(scenario())


def test_users_who_cannot_be_looked_up_are_not_nobody(tmp_path: Path) -> None:
    """Their mail waits where it is."""
    told: list[Event] = []
    (tmp_path / "aliases").write_text("")

    async def scenario() -> None:
        found = residents(tmp_path, told, Locked())
        await found.refresh()
        residence = await found.resolve("ann@example.com")
        assert residence.kind == "trouble"
        assert residence.reply is not None
        assert residence.reply.code == 451
        assert isinstance(told[-1], Alarm)
        assert "the database is locked" in told[-1].detail

    asyncio.run(scenario())


def test_a_configuration_that_is_read_again_counts(tmp_path: Path) -> None:
    """Domains come and go."""
    told: list[Event] = []
    (tmp_path / "aliases").write_text("")

    async def scenario() -> None:
        found = residents(tmp_path, told)
        await found.refresh()
        assert (await found.resolve("ann@example.com")).kind == "mailbox"
        found.take(config_of("", b'[[domain]]\nname = "example.net"\nvia = "maildir:/srv/{user}"\n', str(tmp_path)))
        assert (await found.resolve("ann@example.com")).kind == "elsewhere"
        assert (await found.resolve("ann@example.net")).kind == "unknown"

    asyncio.run(scenario())
