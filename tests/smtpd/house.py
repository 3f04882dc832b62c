"""A door for reports in the test's own event loop, and a client that speaks to it line by line."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

from mailer.config import Config
from mailer.config.sections import Mailer
from mailer.config.sections.bounce import Bounce
from mailer.config.sections.doors import DoorPlace, Listen
from mailer.events import Event
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.reports.api import Reports
from mailer.reports.memory import MemoryReports
from mailer.serving.component import ServedDoors
from mailer.smtpd.reports import ReportDoorKind


def config(address: str = "bounces@example.com", **more: Any) -> Config:
    """One door at a free port, or at `place`."""
    place = more.pop("place", DoorPlace("127.0.0.1", 0))
    door = Listen(kind="reports", address=(place,), **more)
    return Config(mailer=Mailer(hostname="mx.example.com"), bounce=Bounce(address=address), listens=(door,))


class House:
    """The doors, what they have told, and what was taken."""

    def __init__(self, reports: Reports | None = None, **more: Any) -> None:
        self.reports = reports or MemoryReports()
        self.told: list[Event] = []
        self.arrivals = 0
        self.config = config(**more)
        self.kind = ReportDoorKind(self.config, self.reports, self.told.append, SystemClock(), self._arrived)
        self.doors = ServedDoors(self.config, [self.kind], self.told.append, SystemClock(), Chores(self._bug, self._bug))

    def _arrived(self) -> None:
        self.arrivals += 1

    def _bug(self, error: object) -> None:
        raise AssertionError(error)

    @property
    def port(self) -> int:
        """Where it listens."""
        return next(iter(self.doors.ports.values()))

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        """From the start to the end."""
        await self.doors.start()
        try:
            yield self
        finally:
            await self.doors.stop(0.0)

    async def taken(self) -> dict[str, bytes]:
        """Each report by the address that it came to."""
        loaded = await self.reports.load(await self.reports.waiting(100))
        return {each.facts.recipient: each.content for each in loaded}


class Client:
    """Says lines, and hears replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, port: int, *, hello: str = "EHLO me") -> AsyncIterator[Client]:
        """A client that has greeted."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        try:
            await client.hear()
            await client(hello)
            yield client
        finally:
            client.writer.close()

    async def __call__(self, line: str) -> str:
        """The reply to a line."""
        await self.say(f"{line}\r\n".encode())
        return await self.hear()

    async def say(self, data: bytes) -> None:
        """Octets as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> str:
        """A whole reply; "" where the connection is over."""
        lines = []
        while True:
            line = (await self.reader.readline()).decode()
            lines.append(line)
            if not line or line[3:4] != "-":
                return "".join(lines).strip()

    async def send(self, content: bytes, *recipients: str, lmtp: bool = False) -> list[str]:
        """The replies to a whole message: one, or in LMTP one for each recipient that was taken."""
        await self("MAIL FROM:<>")
        good = [said for recipient in recipients if (said := await self(f"RCPT TO:<{recipient}>")).startswith("250")]
        first = await self("DATA")
        if not first.startswith("354"):
            return [first]
        await self.say(content + b".\r\n")
        return [await self.hear() for _ in (good if lmtp else [None])]

    async def secure(self, context: ssl.SSLContext) -> None:
        """STARTTLS."""
        assert (await self("STARTTLS")).startswith("220")
        await self.writer.start_tls(context, server_hostname="localhost")
