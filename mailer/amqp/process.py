"""``mailer amqp``: the process. It visits the broker, and again after each loss; reads its configuration again at SIGHUP; ends at SIGTERM.

It needs no daemon: what it takes is in the spool, and waits there. A broker that is not there, or refuses us, is an alarm that begins and
ends, and is tried again with growing pauses. One process works for a spool.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mailer.alarms.beside import AlarmsBeside
from mailer.events import Alarm
from mailer.io.notify import notify
from mailer.journal.files import journal_of
from mailer.limits.backoff import pause
from mailer.mail.problem import Problem
from mailer.metrics.readers import Readers
from mailer.neighbour import Given, Neighbour
from mailer.net import broker
from mailer.spool.files.batch import Post
from mailer.submit.together import WRITERS

from .figures import AmqpFigures, page
from .results import Results
from .taking import Taker
from .visit import LANES, Visit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from mailer.config import Config

FIRST, LONGEST = 1.0, 60.0  # seconds between two visits, at first and at most
LASTING = 60.0  # seconds; after a visit of more than that, the next begins after `FIRST`


class AmqpProcess(Neighbour):
    """The process of the message queue: see `Neighbour`."""

    NAME = "amqp"
    OTHER = "another mailer amqp works for the spool"

    def __init__(self, given: Given, *, hangups: Callable[[Callable[[], object] | None], None]) -> None:
        super().__init__(given, hangups=hangups)
        self.figures = AmqpFigures()
        self.changed = asyncio.Event()
        broker.require()

    def check(self, config: Config) -> None:
        """Raises `Problem` (bad-config) where there is no broker."""
        if not config.amqp.configured:
            where = config.path or "the configuration"
            raise Problem(f'{where}: there is no broker; write url_file = "/etc/mailer/amqp.url" below [amqp]', "bad-config")

    async def work(self) -> None:
        """Visit the broker, again and again."""
        self.tell("started", self.config.path)
        async with AlarmsBeside(self.directory, self.NAME, self.book).kept(), self._shown(), self.hearing():
            await self._work()

    async def take(self, config: Config) -> None:  # noqa: ARG002
        """Begin a visit with it."""
        self.changed.set()

    def stop(self) -> None:
        """End the visit, or the rest between two."""
        super().stop()
        self.changed.set()

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """Serve the figures, where they are wanted. Raises `Problem` (unavailable)."""
        place = self.config.amqp.metrics
        if place is None:
            yield
            return
        readers = Readers(page(self.figures), self.bug)
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
        self.tell("stopping")

    async def _visit(self) -> None:
        """One visit, with the configuration that holds now. Raises `Problem` where the broker cannot be had, or is lost."""
        settings, tell = self.config.submitting, self.events.tell
        with Post(settings.spool, WRITERS, LANES) as post:
            results = Results(journal_of(self.directory), self.config.amqp, tell, self.clock) if self.config.amqp.events else None
            visit = Visit(self.config, Taker(settings, post), results, self.figures, tell, self.clock)
            await visit.run(self.changed, lambda: self.tell("ready", ", ".join(self.config.amqp.queues)))

    async def _rest(self, seconds: float) -> None:
        """Wait, unless there is something else to do before."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass


def _remedy(problem: Problem) -> str:
    return "amqp.url_file and the broker: mailer doctor looks at both" if problem.kind == "bad-config" else ""
