"""``mailer amqp``: the process. It visits the broker, and again after each loss; reads its configuration again at SIGHUP; ends at SIGTERM.

It needs no daemon: what it takes is in the spool, and waits there. A broker that is not there, or refuses us, is an alarm that begins and
ends, and is tried again with growing pauses. One process works for a spool.
"""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mailer.alarms.beside import AlarmsBeside
from mailer.alarms.book import AlarmBook
from mailer.config.file import load, load_again
from mailer.events import Alarm, DoorNews, Events
from mailer.io.clock import SystemClock
from mailer.io.leash import leashed
from mailer.io.lock import sole
from mailer.io.notify import notify, reloading
from mailer.journal.files import journal_of
from mailer.limits.backoff import pause
from mailer.log import LogComponent
from mailer.mail.problem import Problem
from mailer.metrics.readers import Readers
from mailer.net import broker
from mailer.spool.files.batch import Post
from mailer.spool.files.store import SpoolDirectory

from .figures import AmqpFigures, page
from .results import Results
from .taking import Taker
from .visit import LANES, Visit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mailer.config import Config
    from mailer.events import DaemonNews

NAME = "amqp"
FIRST, LONGEST = 1.0, 60.0  # seconds between two visits, at first and at most
LASTING = 60.0  # seconds; after a visit of more than that, the next begins after `FIRST`


class AmqpProcess:
    """The process that `given`, (path of the configuration, spool), asks for. Raises `Problem` where that cannot be read.

    `hangups` takes whom each SIGHUP is to be told, or None.
    """

    def __init__(self, given: tuple[str | None, str | None], *, hangups: Callable[[Callable[[], object] | None], None]) -> None:
        self.given = given
        self.config = load(*given)
        self._hangups = hangups
        self.figures = AmqpFigures()
        self.clock = SystemClock()
        _configured(self.config)
        broker.require()

    async def run(self) -> None:
        """Work until a signal says stop, or the daemon that has started this ends. Raises `Problem`."""
        self.directory = directory = SpoolDirectory(self.config.spool)
        directory.prepare()
        with sole(f"{directory.place}/{NAME}.lock", f"another mailer amqp works for the spool {directory.place}"):
            await self._run(directory)

    async def _run(self, directory: SpoolDirectory) -> None:
        loop = asyncio.get_running_loop()
        self.stopping, self.changed = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        leashed(loop, self._stop)
        self.log = LogComponent(self.config, self.clock, DoorNews(0.0, NAME, "stopped"))
        self.book = AlarmBook()
        self.events = Events([self.log.log], self._bug, self.book)
        beside = AlarmsBeside(directory, NAME, self.book)
        self._hangups(lambda: loop.call_soon_threadsafe(self.reload))
        try:
            self._tell("started", self.config.path)
            async with beside.kept(), self._shown():
                await self._work()
        finally:
            self._hangups(None)
            await self.log.stop(0.0)

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """Serve the figures, where they are wanted. Raises `Problem` (unavailable)."""
        place = self.config.amqp.metrics
        if place is None:
            yield
            return
        readers = Readers(page(self.figures), self._bug)
        try:
            await readers.serve(place, "amqp.metrics")
            yield
        finally:
            await readers.close()

    async def _work(self) -> None:
        notify("READY=1", "STATUS=takes mail from the broker")
        attempts = 0
        while not self.stopping.is_set():
            self.changed.clear()
            began = asyncio.get_running_loop().time()
            try:
                await self._visit()
                attempts = 0
            except Problem as problem:
                lasted = asyncio.get_running_loop().time() - began
                attempts = 1 if lasted > LASTING else attempts + 1
                self.events.tell(Alarm(self.clock.now(), "broker", str(problem), remedy=_remedy(problem)))
                await self._rest(pause(attempts, FIRST, 2.0, LONGEST, random.random))
        notify("STOPPING=1")
        self._tell("stopping")

    async def _visit(self) -> None:
        """One visit, with the configuration that holds now. Raises `Problem` where the broker cannot be had, or is lost."""
        settings, tell = self.config.submitting, self.events.tell
        with Post(settings.spool, sacks=LANES) as post:
            results = Results(journal_of(self.directory), self.config.amqp, tell, self.clock) if self.config.amqp.events else None
            visit = Visit(self.config, Taker(settings, post), results, self.figures, tell, self.clock)
            await visit.run(self.changed, lambda: self._tell("ready", ", ".join(self.config.amqp.queues)))

    async def _rest(self, seconds: float) -> None:
        """Wait, unless there is something else to do before."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass

    def _stop(self) -> None:
        self.stopping.set()
        self.changed.set()

    def reload(self) -> None:
        """Read the configuration again, and begin a visit with it; what is wrong with it is told, and the old one stays."""
        reloading()
        try:
            config = load_again(self.given, self.config)
            _configured(config)
            with self.log.reload(config):
                pass
            self.config = config
            self._tell("reloaded", config.path)
            self.changed.set()
        except Problem as problem:
            self._tell("reload-refused", f"the configuration stays as it was: {problem}")
        notify("READY=1")

    def _tell(self, what: DaemonNews, detail: str = "") -> None:
        self.events.tell(DoorNews(self.clock.now(), NAME, what, detail))

    def _bug(self, error: Exception) -> None:
        self.log.log.told(DoorNews(self.clock.now(), NAME, "bug", Alarm.of(self.clock.now(), error).detail))


def _configured(config: Config) -> None:
    """Raises `Problem` (bad-config) where there is no broker."""
    if not config.amqp.configured:
        where = config.path or "the configuration"
        raise Problem(f'{where}: there is no broker; write url_file = "/etc/mailer/amqp.url" below [amqp]', "bad-config")


def _remedy(problem: Problem) -> str:
    return "amqp.url_file and the broker: mailer doctor looks at both" if problem.kind == "bad-config" else ""
