"""What tests of judging share: a DNS that knows what it is told, filters that answer what a test says, and a panel of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mailer.auth.records import DnsRecords
from mailer.config import Config
from mailer.config.sections.filtering import FilteringSection, FilterSection
from mailer.events import Alarm, Event, Mended
from mailer.filtering.greylist.memory import MemoryGreylist
from mailer.filtering.panel import FilterPanel
from mailer.mail.arrival import Arrival

NOW = 1_800_000_000.0
MAIL = b"From: ann@sender.example\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nHello.\r\n"
ARRIVAL = Arrival("mx", "192.0.2.1", "mx.sender.example", "ESMTP", "", "mx.sender.example", "", NOW)

ZONE: Mapping[tuple[str, str], tuple[str, ...]] = {("sender.example", "TXT"): ("v=spf1 ip4:192.0.2.1 -all",)}
"""A sender whose mail comes from `ARRIVAL`."""


class ToldDns:
    """A `Resolver` as far as rules ask one: what is not in `zone` does not exist, and `trouble` has names that nobody can look up."""

    def __init__(self, zone: Mapping[tuple[str, str], tuple[str, ...]] = ZONE, trouble: tuple[str, ...] = ()) -> None:
        self.zone = dict(zone)
        self.trouble = trouble
        self.asked: list[tuple[str, str]] = []

    async def records(self, name: str, type: str) -> DnsRecords:
        """The records of `type` for `name`."""
        self.asked.append((name, type))
        if name in self.trouble:
            return DnsRecords(name, trouble="no name server says anything")
        found = self.zone.get((name, type), ())
        return DnsRecords(name, found, "" if found else "nxdomain")

    def remembered(self, name: str, type: str) -> DnsRecords | None:
        """Nothing: all is asked for."""
        return None


class StoppedClock:
    """A clock that shows what a test has set."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.time


class Scene:
    """A panel with these filters, and what it tells."""

    def __init__(self, *filters: FilterSection, dns: ToldDns | None = None, store: MemoryGreylist | None = None, **marks: Any) -> None:
        self.told: list[Event] = []
        self.clock = StoppedClock()
        self.dns = dns or ToldDns()
        self.greylist = store or MemoryGreylist()
        section = FilteringSection(**marks)
        config = Config(filtering=section, filters=filters).but(mailer=Config().mailer.but(hostname="mx.example.com"))
        self.panel = FilterPanel(config, self.dns, self.told.append, self.clock, self.greylist)  # type: ignore[arg-type]

    @property
    def alarms(self) -> list[tuple[str, str]]:
        """Each alarm that began or was mended, by what it is and its key."""
        return [(type(each).__name__, each.key) for each in self.told if isinstance(each, Alarm | Mended)]

    async def judged(self, content: bytes = MAIL, *, arrival: Arrival = ARRIVAL, sender: str = "ann@sender.example") -> Any:
        """What becomes of a message that goes the whole way: the first refusal, or the ruling."""
        case = self.panel.case(arrival.ip)
        try:
            for reply in (
                await case.greeted(),
                await case.sender(arrival, sender),
                await case.recipient(arrival, sender, "bob@example.com"),
            ):
                if reply is not None:
                    return reply
            return await case.judge(arrival, sender, ["bob@example.com"], content)
        finally:
            await case.ended()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def filter_at(path: Path, talk: Talk) -> AsyncIterator[str]:
    """A filter that listens at a socket and does what `talk` does with each who calls."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(served, path)
    try:
        yield str(path)
    finally:
        server.close()
        path.unlink(missing_ok=True)


def says(answer: bytes, until: bytes | None = None) -> Talk:
    """A filter that hears a message to its end (`until`: as far as this) and says `answer`."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = b""
        while (until is None or until not in heard) and (piece := await reader.read(65536)):
            heard = heard[-len(until or b"") :] + piece
        writer.write(answer)
        await writer.drain()

    return talk


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """A filter that hears everything and says nothing."""
    while await reader.read(65536):
        pass
    await asyncio.Event().wait()


END_OF_STREAM = b"\r\n" + bytes(4)
"""How a message ends that is sent to clamd."""

CLEAN, VIRUS = says(b"stream: OK\0", END_OF_STREAM), says(b"stream: Eicar FOUND\0", END_OF_STREAM)


def spamd_with(score: float, tests: str = "") -> Talk:
    """A spamd that scores so."""
    return says(f"SPAMD/1.1 0 EX_OK\r\nSpam: False ; {score} / 5.0\r\n\r\n{tests}".encode())


def section(kind: str, address: str = "", **more: Any) -> FilterSection:
    """A filter as the configuration has it."""
    return FilterSection(kind=kind, address=address, **more)
