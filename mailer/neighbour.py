"""A process beside the daemon, such as a door of its own or the sender of webhooks: what each of them does as the others do.

It needs no daemon, and works for a spool alone. It has a log and a book of alarms, reads its configuration again at SIGHUP, where what is
wrong is told in one line and the old one stays, and ends at SIGTERM, at SIGINT, or with the daemon that has started it. What it works at
is for `Neighbour.work`.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from mailer.alarms.book import AlarmBook
from mailer.config.file import load, load_again
from mailer.events import Alarm, DoorNews, Events
from mailer.io.clock import SystemClock
from mailer.io.leash import leashed
from mailer.io.lock import sole
from mailer.io.notify import notify, reloading
from mailer.log import PATIENCE, LogComponent
from mailer.mail.problem import Problem
from mailer.spool.files.store import SpoolDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mailer.config import Config
    from mailer.events import DaemonNews

Given = tuple[str | None, str | None]
"""What the command line says: the path of the configuration, and the spool."""


class Neighbour:
    """The process that `given` asks for. Raises `Problem` where that cannot be read, or asks for nothing.

    `hangups` takes whom each SIGHUP is to be told, or None.
    """

    NAME: ClassVar[str] = ""
    """What it is called in the log, in notes, and in the name of its lock; `name` of one of which there are several."""
    OTHER: ClassVar[str] = ""
    """What is said, before the place of the spool, where another one is at work there; `other` of one of which there are several."""

    name = other = ""

    def __init__(self, given: Given, *, hangups: Callable[[Callable[[], object] | None], None] = lambda _: None) -> None:
        self.given = given
        self.config = load(*given)
        self.check(self.config)
        self.clock = SystemClock()
        self.book = AlarmBook()
        self._hangups = hangups

    async def run(self) -> None:
        """Work until a signal says stop, or the daemon that has started this ends. Raises `Problem`."""
        self.directory = SpoolDirectory(self.config.spool)
        self.directory.prepare()
        place = self.directory.place
        with sole(f"{place}/{(self.name or self.NAME)}.lock", f"{self.other or self.OTHER} {place}"):
            await self._run()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        leashed(loop, self.stop)
        self.log = LogComponent(self.config, self.clock, DoorNews(0.0, (self.name or self.NAME), "stopped"))
        self.events = Events([self.log.log], self.bug, self.book)
        self._turn = asyncio.Lock()
        try:
            await self.work()
        except BaseException:  # it is told on standard error, by one line and no more
            self.log.log.close(PATIENCE)
            raise
        await self.log.stop(0.0)

    # What each of them does in its own way

    def check(self, config: Config) -> None:
        """Raises `Problem` (bad-config, unavailable) where `config` asks for nothing that this process could do."""

    async def work(self) -> None:
        """Work until `stopping` is set. Raises `Problem`."""
        raise NotImplementedError

    async def prepare(self, config: Config) -> None:
        """Make ready what another configuration needs. Raises `Problem` where it cannot be taken; then nothing has changed."""

    async def take(self, config: Config) -> None:
        """Go on with the configuration that was prepared."""

    def stop(self) -> None:
        """Let the work end."""
        self.stopping.set()

    # What they do alike

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[None]:
        """Meanwhile each SIGHUP has the configuration read again; a reload that has begun ends before this does."""
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = asyncio.ensure_future(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        self._hangups(lambda: loop.call_soon_threadsafe(reload))
        try:
            yield
        finally:
            self._hangups(None)
            await asyncio.gather(*reloads)

    async def _reload(self) -> None:
        """One at a time, and beside the work: files may be slow."""
        async with self._turn:
            if self.stopping.is_set():
                return
            reloading()
            try:
                config = await asyncio.to_thread(load_again, self.given, self.config)
                self.check(config)
                with self.log.reload(config):
                    await self.prepare(config)
                self.config = config
                await self.take(config)
                self.tell("reloaded", config.path)
            except Problem as problem:
                self.tell("reload-refused", f"the configuration stays as it was: {problem}")
            except Exception as error:
                self.bug(error)
            notify("READY=1")

    def tell(self, what: DaemonNews, detail: str = "") -> None:
        """Tell something of this process."""
        self.events.tell(DoorNews(self.clock.now(), (self.name or self.NAME), what, detail))

    def bug(self, error: BaseException, ref: str = "") -> None:
        """Tell what should not have happened; `ref` is what it is found by."""
        found = Alarm.of(self.clock.now(), error)
        self.log.log.told(DoorNews(self.clock.now(), (self.name or self.NAME), "bug", f"{ref} {found.detail}".strip()))
