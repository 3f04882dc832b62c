"""A door of the kind submission in the test's own event loop, in front of a spool, with users who may log in there."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from mailer.accounts.logins import digest_of
from mailer.accounts.password import key_pair, record
from mailer.accounts.residents import Residents
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.register import SessionRegister
from mailer.accounts.users.api import AppPassword, User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.config.sections.doors import DoorPlace
from mailer.events import Event
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.limits.store.memory import MemoryLimits
from mailer.limits.users import UserLimits
from mailer.reports.memory import MemoryReports
from mailer.serving.component import ServedDoors
from mailer.serving.counting import CountedLimits, limits_of
from mailer.serving.login import LoginDesk
from mailer.smtpd.reception import Reception
from mailer.smtpd.reports import ReportDoorKind
from mailer.smtpd.submission import SubmissionDoorKind
from mailer.spool.api import Entry
from mailer.spool.files.store import SpoolDirectory

from .house import Client

SECRET, PHONE = "correct-horse", "abcdefghjkmnpqrstuvw"
SALT = b"0123456789abcdef"
ANN = User(
    "ann@example.com",
    record(SECRET, SALT, cost=4),
    key_pair(SECRET, SALT, 4096),
    SALT,
    4096,
    (AppPassword("phone", digest_of(PHONE), frozenset({"submission"}), key_pair(PHONE, SALT, 4096)),),
    ("*@shop.example",),
)
BOB = User("bob@example.com", record("battery staple", SALT, cost=4))
ALIASES = "sales: ann, bob\nann.smith: ann\nteam: bob\nout: carl@example.net\n"
MAIL = b"From: Ann <ann@example.com>\r\nTo: carl@example.net\r\nSubject: hello\r\n\r\nbody\r\n"


class SubmissionHouse:
    """A door, what it has told, and the spool behind it. `accounts`, `listen` and `more` are of the configuration."""

    def __init__(self, home: Path, *, accounts: str = "", listen: str = 'tls = "none"', more: str = "") -> None:
        (home / "aliases").write_text(ALIASES)
        text = f"""
[mailer]
hostname = "mx.example.com"
spool = "{home}/spool"
[accounts]
{accounts}
[[listen]]
kind = "submission"
address = "127.0.0.1:1"
{listen}
[[domain]]
name = "example.com"
via = "maildir:{home}/mail/{{user}}"
aliases_file = "{home}/aliases"
[[domain]]
name = "all.example"
via = "maildir:{home}/mail/{{domain}}/{{user}}"
catch_all = "ann@example.com"
{more}
"""
        asked = config_of(f"{home}/config.toml", text.encode())
        self.config = asked.but(listens=[each.but(address=(DoorPlace("127.0.0.1"),)) for each in asked.listens])  # a free port
        self.spool = SpoolDirectory(f"{home}/spool")
        self.spool.prepare()
        self.told: list[Event] = []
        self.slept: list[float] = []
        self.users, self.store = MemoryUsers([ANN, BOB]), MemoryLimits()
        clock = SystemClock()
        residents = Residents(self.config, self.users, self.told.append, clock)
        reports = ReportDoorKind(self.config, MemoryReports(), self.told.append, clock, lambda: None)
        self.reception = Reception(self.config, residents, reports.counter, self.told.append, clock)
        limits = UserLimits.of(*limits_of(self.config), secret=b"a secret")
        self.ahead = 0.0
        self.sessions = MemorySessions()
        self.register = SessionRegister(self.sessions, "test", lambda: clock.now() + self.ahead, self.told.append)
        self.desk = LoginDesk(self.users, limits, self.told.append, clock.now, self._sleep, self.register)
        chores = Chores(self._bug, self._bug)
        self.counted = CountedLimits(limits, self.store, "test", self.told.append, clock.now, chores)
        kind = SubmissionDoorKind(self.desk, self.reception, self.counted)
        self.doors = ServedDoors(self.config, [kind], self.told.append, clock, chores)

    def _bug(self, error: object) -> None:
        raise AssertionError(error)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def later(self, seconds: float) -> None:
        """So many seconds have passed, for the register of sessions."""
        self.ahead += seconds

    @property
    def port(self) -> int:
        """Where it listens."""
        return next(iter(self.doors.ports.values()))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[SubmissionHouse]:
        """From the start to the end."""
        await self.reception.residents.refresh()
        await self.doors.start()
        try:
            yield self
        finally:
            await self.doors.stop(0.0)

    @contextlib.asynccontextmanager
    async def client(self, name: str = "ann@example.com", password: str = SECRET) -> AsyncIterator[Client]:
        """A client that has logged in."""
        async with Client.of(self.port) as client:
            assert (await client(plain(name, password))).startswith("235")
            yield client

    def entries(self) -> Sequence[Entry]:
        """All messages in the spool, in the order in which they came."""
        return [self.spool.read(id, "queued") for id in sorted(self.spool.ids("queued"))]

    def heard(self, kind: type[Any]) -> list[Any]:
        """What was told of this kind."""
        return [event for event in self.told if isinstance(event, kind)]


def played(house: SubmissionHouse, play: Callable[[SubmissionHouse], Awaitable[None]]) -> None:
    """Do `play` while the doors are open."""

    async def scenario() -> None:
        async with asyncio.timeout(60), house.open() as opened:
            await play(opened)

    asyncio.run(scenario())


def plain(name: str, password: str, acting: str = "") -> str:
    """AUTH PLAIN in one line."""
    said = b"\0".join(each.encode() for each in (acting, name, password))
    return f"AUTH PLAIN {base64.b64encode(said).decode()}"


async def brought(client: Client, content: bytes, *recipients: str, sender: str = "ann@example.com", more: str = "") -> list[str]:
    """The replies to a message: to MAIL, to each recipient, and to its end, where it got so far."""
    said = [await client(f"MAIL FROM:<{sender}>{more}")]
    said += [await client(f"RCPT TO:{recipient if '<' in recipient else f'<{recipient}>'}") for recipient in recipients]
    said.append(first := await client("DATA"))
    if first.startswith("354"):
        await client.say(content + b".\r\n")
        said.append(await client.hear())
    return said
