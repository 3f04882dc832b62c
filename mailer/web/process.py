"""``mailer web``: the process. It listens, tells that it is ready, reads its configuration again at SIGHUP, and ends at SIGTERM.

It needs no daemon: what it takes is in the spool, and waits there. A configuration that cannot be read, or whose doors cannot be opened,
is told in one line, and the old one stays. Before there is a key nobody listens, since nobody could use the API, and who has no key must
not find a door that waits for the first one: an alarm says so, and the doors open when a key is there. Where users have doors of their
own, their programs ask here for these without a key, and it listens at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.alarms.beside import AlarmsBeside
from mailer.discovery.services import are_told
from mailer.events import Alarm, Mended, Requested
from mailer.io.notify import notify
from mailer.mail.problem import Problem
from mailer.metrics.readers import Readers
from mailer.neighbour import Given, Neighbour
from mailer.net.activation import opened_for
from mailer.operate.api_keys import keys_of, place_of

from .app import application
from .asked import WebRequest
from .desk import Desk
from .figures import page
from .server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.config import Config

    from .framing import WebRefusal

LOOK = 1.0  # seconds between two looks for the first key


class WebProcess(Neighbour):
    """The process of HTTP: see `Neighbour`. `listening` is told of the places where clients can call, once it is ready."""

    NAME = "web"
    OTHER = "another mailer web serves the spool"

    def __init__(
        self,
        given: Given,
        *,
        hangups: Callable[[Callable[[], object] | None], None],
        listening: Callable[[Sequence[tuple[str, bool]]], object],
    ) -> None:
        super().__init__(given, hangups=hangups)
        self._listening = listening
        self.server: WebServer | None = None

    def check(self, config: Config) -> None:
        """Raises `Problem` (bad-config) where there is nothing to listen at."""
        if not config.web_doors:
            where = config.path or "the configuration"
            raise Problem(
                f'{where}: there is no door for HTTP; write [[listen]] with kind = "web" and address = "127.0.0.1:8025"', "bad-config"
            )

    async def work(self) -> None:
        """Wait for the first key, and serve."""
        async with AlarmsBeside(self.directory, self.NAME, self.book).kept():
            if are_told(self.config) or await self._any_key() or await self._first_key():
                await self._serve()

    async def _any_key(self) -> bool:
        return bool(await keys_of(self.config).all())

    async def _first_key(self) -> bool:
        """Wait for it; False where the end comes before. The service manager hears that all is well: only an operator can do something."""
        notify("READY=1", "STATUS=waiting for the first API key")
        async with self.hearing():
            why = f"there is no API key in {place_of(self.config)}, and nobody listens before there is one"
            while not self.stopping.is_set():
                self.events.tell(Alarm(self.clock.now(), "door", why, "key", "mailer api key add NAME --scope send,status"))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), LOOK)
                if are_told(self.config):  # since it was read again
                    self.events.tell(Mended(self.clock.now(), "door", "key", "programs of users ask here without one"))
                    return True
                try:
                    if await self._any_key():
                        self.events.tell(Mended(self.clock.now(), "door", "key", "there is an API key"))
                        return True
                except Problem as problem:  # such as one that others can read
                    why = str(problem)
        self.tell("stopping")
        return False

    async def _serve(self) -> None:
        self.desk = desk = Desk(self.config, self.clock, self.given)
        self.server = server = WebServer(application(desk, self._answered), self.config, self._refused, self.bug)
        self.readers: Readers | None = None
        try:
            places = [place for section in self.config.web_doors for place in section.address]
            (await server.listen(self.config, opened_for(places)))()
            await self._show()
            async with self.hearing():
                self._listening(server.places)
                self.tell("ready", " ".join(place for place, _ in server.places))
                notify("READY=1", "STATUS=serving HTTP")
                await self.stopping.wait()
                notify("STOPPING=1")
                self.tell("stopping")
        finally:
            desk.ending.set()
            await server.close(self.config.api.stop_timeout)
            if self.readers:
                await self.readers.close()
            await asyncio.to_thread(desk.close)

    async def prepare(self, config: Config) -> None:
        """Open its doors. Raises `Problem` where one cannot be opened."""
        if self.server is not None:
            self._take_over = await self.server.listen(config, {})

    async def take(self, config: Config) -> None:
        """Serve at its doors alone."""
        if self.server is not None:
            self._take_over()
            self.desk.config = config

    async def _show(self) -> None:
        """Serve the figures, where they are wanted. Raises `Problem` (unavailable)."""
        place = self.config.api.metrics
        if place is None:
            return
        self.readers = Readers(page(self.desk.requests, self._gauges), self.bug)
        await self.readers.serve(place, "api.metrics")

    def _gauges(self) -> Iterator[tuple[str, str, float]]:
        yield "mailer_api_connections", "Connections that are open.", self.server.connections if self.server else 0
        yield "mailer_api_working", "Requests that are at work on the disk, or wait for that.", self.desk.waiting

    # -- what is told

    def _answered(self, asked: WebRequest) -> None:
        if asked.bug is not None:
            self.bug(asked.bug, asked.ref)
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
