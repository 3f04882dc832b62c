"""``mailer web``: the process. It listens, tells that it is ready, reads its configuration again at SIGHUP, and ends at SIGTERM.

It needs no daemon: what it takes is in the spool, and waits there. A configuration that cannot be read, or whose doors cannot be opened,
is told in one line, and the old one stays.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

from mailer.config.file import load, load_again
from mailer.config.sections.doors import DoorPlace
from mailer.events import Alarm, DoorNews, Requested
from mailer.io.clock import SystemClock
from mailer.io.leash import leashed
from mailer.io.lock import sole
from mailer.io.notify import notify, reloading
from mailer.log import PATIENCE, LogComponent
from mailer.mail.problem import Problem
from mailer.metrics.readers import Readers
from mailer.net.activation import inherited
from mailer.operate.api_keys import keys_of, place_of
from mailer.spool.files.store import SpoolDirectory

from .app import WebRequest, application
from .desk import Desk
from .figures import page
from .server import WebServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config
    from mailer.events import DaemonNews

    from .framing import WebRefusal


class WebProcess:
    """The process that `given`, (path of the configuration, spool), asks for. Raises `Problem` where that cannot be read.

    `hangups` takes whom each SIGHUP is to be told, or None. `listening` is told of the places where clients can call, once it is ready.
    """

    def __init__(
        self,
        given: tuple[str | None, str | None],
        *,
        hangups: Callable[[Callable[[], object] | None], None],
        listening: Callable[[Sequence[tuple[str, bool]]], object],
    ) -> None:
        self.given = given
        self.config = load(*given)
        self._hangups = hangups
        self._listening = listening
        _doors(self.config)

    async def run(self) -> None:
        """Serve until a signal says stop, or the daemon that has started this ends. Raises `Problem`."""
        directory = SpoolDirectory(self.config.spool)
        directory.prepare()
        await _known(self.config)
        with sole(f"{directory.place}/web.lock", f"another mailer web serves the spool {directory.place}"):
            await self._run()

    async def _run(self) -> None:
        clock = SystemClock()
        loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        leashed(loop, self.stopping.set)
        self.log = LogComponent(self.config, clock, DoorNews(0.0, "web", "stopped"))
        self.clock = clock
        try:
            await self._serve()
        except BaseException:  # it is told on standard error, by one line and no more
            self.log.log.close(PATIENCE)
            raise
        await self.log.stop(0.0)

    async def _serve(self) -> None:
        self.desk = desk = Desk(self.config, self.clock, self.given)
        self.server = WebServer(application(desk, self._answered), self.config, self._refused, self._bug)
        self.turn = asyncio.Lock()
        self.readers: Readers | None = None
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = asyncio.ensure_future(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        try:
            (await self.server.listen(self.config, _given(self.config)))()
            await self._show()
            loop = asyncio.get_running_loop()
            self._hangups(lambda: loop.call_soon_threadsafe(reload))
            self._listening(self.server.places)
            self._tell("ready", " ".join(place for place, _ in self.server.places))
            notify("READY=1", "STATUS=serving HTTP")
            await self.stopping.wait()
            notify("STOPPING=1")
            self._tell("stopping")
        finally:
            self._hangups(None)
            desk.ending.set()
            for task in reloads:
                task.cancel()
            await self.server.close(self.config.api.stop_timeout)
            if self.readers:
                await self.readers.close()
            await asyncio.to_thread(desk.close)

    async def _show(self) -> None:
        """Serve the figures, where they are wanted. Raises `Problem` (unavailable)."""
        place = self.config.api.metrics
        if place is None:
            return
        self.readers = Readers(page(self.desk.requests, self._gauges), self._bug)
        await self.readers.serve(place, "api.metrics")

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        yield "mailer_api_connections", "Connections that are open.", self.server.connections
        yield "mailer_api_working", "Requests that are at work on the disk, or wait for that.", self.desk.waiting

    async def _reload(self) -> None:
        """Read the configuration again; what is wrong with it is told, and the old one stays."""
        async with self.turn:
            reloading()
            try:
                config = await asyncio.to_thread(load_again, self.given, self.config)
                _doors(config)
                with ExitStack() as ready:
                    ready.enter_context(self.log.reload(config))
                    take_over = await self.server.listen(config, {})
                take_over()
                self.config = self.desk.config = config
                self._tell("reloaded", config.path)
            except Problem as problem:
                self._tell("reload-refused", f"the configuration stays as it was: {problem}")
            notify("READY=1")

    # -- what is told

    def _tell(self, what: DaemonNews, detail: str = "") -> None:
        self.log.log.told(DoorNews(self.clock.now(), "web", what, detail))

    def _answered(self, asked: WebRequest) -> None:
        if asked.bug is not None:
            self._bug(asked.bug, asked.ref)
        self.log.log.told(
            Requested(
                self.clock.now(),
                asked.client,
                asked.method,
                asked.path,
                asked.status,
                asked.seconds,
                key=asked.key,
                ref=asked.ref,
                reason=asked.reason,
            )
        )

    def _refused(self, client: str, refusal: WebRefusal) -> None:
        self.desk.requests.count("other", refusal.status)
        self.log.log.told(Requested(self.clock.now(), client, "", "", refusal.status, 0.0, reason=refusal.message))

    def _bug(self, error: BaseException, ref: str = "") -> None:
        found = Alarm.of(self.clock.now(), error)
        self._tell("bug", f"{ref} {found.detail}".strip())


def _doors(config: Config) -> None:
    """Raises `Problem` (bad-config) where there is nothing to listen at."""
    if not config.web_doors:
        where = config.path or "the configuration"
        raise Problem(
            f'{where}: there is no door for HTTP; write [[listen]] with kind = "web" and address = "127.0.0.1:8025"', "bad-config"
        )


async def _known(config: Config) -> None:
    """Raises `Problem` (bad-config) where nobody could use the API: who has no key must not find a door that waits for the first one."""
    if not await keys_of(config).all():
        raise Problem(
            f"there is no API key in {place_of(config)}, so nobody could use the API; run: mailer api key add NAME --scope send,status",
            "bad-config",
        )


def _given(config: Config) -> dict[DoorPlace, socket.socket]:
    """The sockets that the service manager has opened, by the places of the configuration that they are for. Raises `Problem`."""
    places = [place for section in config.web_doors for place in section.address]
    found: dict[DoorPlace, socket.socket] = {}
    for each in inherited():
        name = each.getsockname()
        here = DoorPlace(path=name) if isinstance(name, str) else DoorPlace(name[0], name[1])
        place = next((place for place in places if place == here and place not in found), None)
        if place is None:  # another spelling, or a unit that says where: the doors get them in their order
            place = next((place for place in places if place not in found), None)
        if place is None:
            raise Problem(f"a socket was opened at {here}, and no listen.address is left for it", "bad-config")
        found[place] = each
    return found
