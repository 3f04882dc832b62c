"""Doors for the mail of strangers in the test's own event loop, in front of a spool and of people who live there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.config.sections.doors import DoorPlace
from mailer.events import Event, TakenIn, TurnedAway
from mailer.filtering.api import Panel
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.reports.memory import MemoryReports
from mailer.serving.component import ServedDoors
from mailer.smtpd.mx import StrangerDoorKind
from mailer.smtpd.reception import Reception
from mailer.smtpd.reports import ReportDoorKind
from mailer.spool.api import Entry
from mailer.spool.files.store import SpoolDirectory

PEOPLE = (User("ann@example.com"), User("bob@example.com"))
ALIASES = "sales: ann, bob, carl@example.net\nout: carl@example.net\nround: about\nabout: round\n"


class MxHouse:
    """A door of kind `door`, what it has told, and the spool behind it. `more` is of the configuration."""

    def __init__(
        self,
        home: Path,
        *,
        door: str = "mx",
        receiving: str = "",
        listen: str = "",
        more: str = "",
        panel: Panel | None = None,
        records: Any = None,
        people: Sequence[User] = (),
    ) -> None:
        (home / "aliases").write_text(ALIASES)
        text = f"""
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[receiving]
{receiving}
[[listen]]
kind = "{door}"
address = "127.0.0.1:1"
{listen}
[[domain]]
name = "example.com"
via = "maildir:{home}/mail/{{user}}"
aliases_file = "{home}/aliases"
[[domain]]
name = "b\u00fccher.example"
via = "maildir:{home}/mail/{{domain}}/{{user}}"
catch_all = "bob@example.com"
{more}
"""
        asked = config_of(f"{home}/config.toml", text.encode())
        self.config = asked.but(listens=[each.but(address=(DoorPlace("127.0.0.1"),)) for each in asked.listens])  # a free port
        self.spool = SpoolDirectory(f"{home}/spool")
        self.spool.prepare()
        self.told: list[Event] = []
        clock = SystemClock()
        residents = Residents(self.config, MemoryUsers([*PEOPLE, *people]), self.told.append, clock)
        self.reports = MemoryReports()
        about_us = ReportDoorKind(self.config, self.reports, self.told.append, clock, lambda: None)
        self.reception = Reception(self.config, residents, about_us.counter, self.told.append, clock, panel, records)
        self.kind = StrangerDoorKind(door, self.reception)
        self.doors = ServedDoors(self.config, [self.kind], self.told.append, clock, Chores(self._bug, self._bug))

    def _bug(self, error: object) -> None:
        raise AssertionError(error)

    @property
    def port(self) -> int:
        """Where it listens."""
        return next(iter(self.doors.ports.values()))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[MxHouse]:
        """From the start to the end."""
        await self.doors.start()
        try:
            yield self
        finally:
            await self.doors.stop(0.0)

    def entries(self, state: str = "queued") -> Sequence[Entry]:
        """All messages in the spool, in the order in which they came."""
        return [self.spool.read(id, state) for id in sorted(self.spool.ids(state))]  # type: ignore[arg-type]

    def content(self, entry: Entry) -> bytes:
        """The message."""
        return self.spool.content(entry.id)

    def heard(self, kind: type[Any]) -> list[Any]:
        """What was told of this kind: `TakenIn` or `TurnedAway`."""
        assert kind in (TakenIn, TurnedAway)
        return [event for event in self.told if isinstance(event, kind)]
