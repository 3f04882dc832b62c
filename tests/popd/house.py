"""A door of the kind pop3 in the test's own event loop, in front of mailboxes in memory, with two users who may log in there."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from mailer.accounts.logins import digest_of
from mailer.accounts.password import key_pair, record
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.register import SessionRegister
from mailer.accounts.users.api import AppPassword, User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config import Config
from mailer.config.sections import Mailer
from mailer.config.sections.doors import DoorPlace, Listen
from mailer.events import Event
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.limits.users import UserLimits
from mailer.mailbox.api import NewMail
from mailer.popd.kind import PopDoorKind
from mailer.popd.session import PopTimes
from mailer.serving.boxes import BoxUse
from mailer.serving.component import ServedDoors
from mailer.serving.counting import limits_of
from mailer.serving.login import LoginDesk
from mailer.serving.threads import BoxThreads
from tests.mailbox.premises import ANN, Premises

SECRET, PHONE = "correct-horse", "abcdefghjkmnpqrstuvw"
SALT = b"0123456789abcdef"
USERS = [
    User(
        ANN,
        record(SECRET, SALT, cost=4),
        key_pair(SECRET, SALT, 4096),
        SALT,
        4096,
        (
            AppPassword("phone", digest_of(PHONE), frozenset({"pop3"}), key_pair(PHONE, SALT, 4096)),
            AppPassword("printer", digest_of("z" + PHONE), frozenset({"submission"}), key_pair("z" + PHONE, SALT, 4096)),
        ),
    ),
    User("bob@example.com", record("battery staple", SALT, cost=4)),
]


class PopHouse:
    """A door, what it has told, and the mailboxes behind it; `more` is of the door."""

    def __init__(self, premises: Premises | None = None, *, times: PopTimes | None = None, port: int = 0, **more: Any) -> None:
        door = Listen(kind="pop3", address=(DoorPlace("127.0.0.1", port),), **more)
        self.config = Config(mailer=Mailer(hostname="pop.example.com"), listens=(door,))
        self.premises = premises or Premises()
        self.told: list[Event] = []
        self.slept: list[float] = []
        self.threads = BoxThreads()
        clock = SystemClock()
        self.users = MemoryUsers(USERS)
        self.sessions = MemorySessions()
        self.register = SessionRegister(self.sessions, "test", clock.now, self.told.append)
        self.limits = UserLimits.of(*limits_of(self.config), secret=b"a secret")
        self.desk = LoginDesk(self.users, self.limits, self.told.append, clock.now, self._sleep, self.register)
        self.kind = PopDoorKind(self.config, self.desk, self._opened, self.told.append, times)
        self.doors = ServedDoors(self.config, [self.kind], self.told.append, clock, Chores(self._bug, self._bug))

    def _opened(self, address: str) -> BoxUse:
        return BoxUse(lambda: contextlib.nullcontext(self.premises.boxes), address, self.threads)

    def _bug(self, error: object) -> None:
        raise AssertionError(error)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def put(self, *contents: bytes, folder: str = "INBOX") -> None:
        """Put messages into a folder of Ann's."""
        with self.premises.ann() as box:
            box.put([NewMail(folder, content) for content in contents])

    def left(self) -> list[int]:
        """The UIDs that are in her inbox."""
        with self.premises.ann() as box:
            return list(box.uids(1))

    @property
    def port(self) -> int:
        """Where it listens."""
        return next(iter(self.doors.ports.values()))

    def heard(self, kind: type[Any]) -> list[Any]:
        """What was told of this kind."""
        return [event for event in self.told if isinstance(event, kind)]

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[PopHouse]:
        """From the start to the end."""
        await self.doors.start()
        try:
            yield self
        finally:
            await self.doors.stop(0.0)
            await self.desk.close()
            self.threads.shutdown()

    @contextlib.asynccontextmanager
    async def client(self, password: str = SECRET, name: str = ANN) -> AsyncIterator[PopTalker]:
        """A client that has logged in, if there is a password."""
        async with PopTalker.of(self.port) as client:
            assert (await client.line()).startswith("+OK")
            if password:
                assert await client(f"USER {name}") == "+OK and the password"
                assert (await client(f"PASS {password}")).startswith("+OK logged in")
            yield client


class PopTalker:
    """Says lines, and hears answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, port: int, context: ssl.SSLContext | None = None) -> AsyncIterator[PopTalker]:
        """A client that has said nothing."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None))
        try:
            yield client
        finally:
            client.writer.close()

    async def __call__(self, line: str) -> str:
        """The first line of the answer."""
        await self.say(f"{line}\r\n".encode())
        return await self.line()

    async def say(self, data: bytes) -> None:
        """Octets as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def line(self) -> str:
        """A line; "" where the connection is over."""
        return (await self.reader.readline()).decode().removesuffix("\r\n")

    async def lines(self) -> bytes:
        """What follows a first line, up to the dot, without the dots that were put in."""
        found = []
        while (line := await self.reader.readline()) != b".\r\n":
            assert line.endswith(b"\r\n"), line
            found.append(line.removeprefix(b"."))
        return b"".join(found)

    async def asked(self, line: str) -> bytes:
        """The lines of an answer that has some."""
        first = await self(line)
        assert first.startswith("+OK"), first
        return await self.lines()


def played(house: PopHouse, play: Callable[[PopHouse], Awaitable[None]]) -> None:
    """Do `play` while the door is open."""

    async def scenario() -> None:
        async with asyncio.timeout(60), house.open() as opened:
            await play(opened)

    asyncio.run(scenario())
