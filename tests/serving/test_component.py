"""Doors of a process: opened, changed and closed, whatever is spoken there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from mailer.config import Config
from mailer.config.sections.doors import DoorPlace, Listen
from mailer.events import Alarm, Event
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop
from mailer.net.stream import Stream
from mailer.serving.common import Common
from mailer.serving.component import ServedDoors
from mailer.serving.kinds import DoorLimits
from mailer.serving.pace import Pace
from tests.fakes.processes import free_port


class Greeter:
    """A kind that says its name, and what it was told of the door."""

    name = "pop3"
    what = "callers"
    refusal = b"full\r\n"

    def __init__(self, name: str = "one") -> None:
        self.called = name
        self.most = 10

    async def start(self) -> None:
        """Nothing."""

    def take(self, _: Config) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Nothing."""

    def limits(self, _: Config) -> DoorLimits:
        """So many."""
        return DoorLimits(self.most)

    async def serve(
        self, stream: Stream, peer: Peer, section: Listen, place: str, loop: AcceptLoop, context: ssl.SSLContext | None, common: Common
    ) -> None:
        """Greet."""
        stream.write(f"{self.called} {section.kind} {place} {common.pace.command:.0f}\r\n".encode())
        stream.allow(60)
        with loop.idle():
            await stream.read(1)


def config(port: int, *, processes: int = 1) -> Config:
    """A configuration with one door."""
    made = Config(listens=(Listen(kind="pop3", address=(DoorPlace("127.0.0.1", port),)),))
    return made.but(access=made.access.but(processes=processes))


def doors(of: Config, kind: Greeter, told: list[Event]) -> ServedDoors:
    """The doors of a process."""
    chores = Chores(told.append, told.append)  # type: ignore[arg-type]
    more = {"pace": lambda _: Pace(7.0), "shared": lambda config: config.access.processes > 1}
    return ServedDoors(of, [kind], told.append, SystemClock(), chores, **more)  # type: ignore[arg-type]


async def greeting(port: int) -> str:
    """What a caller hears first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return (await reader.readline()).decode().strip()
    finally:
        writer.close()


async def until(wanted: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(10):
        while not await wanted():
            await asyncio.sleep(0.01)


def test_a_kind_serves_at_its_doors() -> None:
    """It is told of the place, and what is common; who is one too many hears its refusal."""

    async def run() -> None:
        told, kind = list[Event](), Greeter()
        kind.most = 1
        made = doors(config(0), kind, told)
        await made.start()
        [port] = made.ports.values()
        assert await greeting(port) == "one pop3 127.0.0.1 7"
        await until(lambda: asyncio.sleep(0, made.sessions() == {"pop3": 0}))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        assert await greeting(port) == "full"
        writer.close()
        await made.stop(0.0)
        assert not [each for each in told if isinstance(each, Alarm)]

    asyncio.run(run())


def test_one_more_process_shares_the_place_after_a_reload() -> None:
    """The place is opened anew where others are to have it as well; who is being served is served on."""

    async def run() -> None:
        told, port = list[Event](), free_port()
        first, second = doors(config(port), Greeter("one"), told), doors(config(port, processes=2), Greeter("two"), told)
        await first.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.readline()).startswith(b"one")
        await second.start()
        assert [each.what for each in told if isinstance(each, Alarm)] == ["door"]
        with first.reload(config(port, processes=2)):
            pass
        await first._opening
        await second._open()
        assert second.ports == {f"127.0.0.1:{port}": port}
        heard = {(await greeting(port))[:3] for _ in range(60)}
        assert heard == {"one", "two"}
        assert first.sessions()["pop3"] >= 1
        writer.close()
        await first.stop(0.0)
        await second.stop(0.0)

    asyncio.run(run())
