"""The exporter: whether figures are counted and served, and where. It follows the configuration, also when that changes.

What may take its time is done in a thread: the library's import, looking up a name, making an answer.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mailer.events import Alarm
from mailer.io.component import Component
from mailer.io.extras import installing
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from wsgiref.types import WSGIApplication

    from mailer.config import Config
    from mailer.config.kinds import HostPort
    from mailer.events import Events
    from mailer.hooks.view import EndpointView
    from mailer.io.clock import Clock
    from mailer.journal.component import JournalState
    from mailer.mail.alarm import OpenAlarm
    from mailer.queue.invariants import Invariants

    from .counts import Counts
    from .mailboxes import MailboxCounts
    from .queue_figures import QueueFigures
    from .readers import Readers


class Exporter(Component):
    """Serves `counts`, which hears of `events` for as long, and what `queue` and `invariants` know, where the configuration says.

    `traces` says how many were sent and dropped; `alarms` are those that are open; `version` is the daemon's;
    `webhooks` are the endpoints, and how they do.
    """

    def __init__(
        self,
        config: Config,
        counts: Counts,
        events: Events,
        queue: QueueFigures,
        invariants: Invariants,
        clock: Clock,
        traces: Callable[[], Mapping[str, int]] = dict,
        alarms: Callable[[], Sequence[OpenAlarm]] = list,
        version: str = "",
        webhooks: Callable[[], Sequence[EndpointView]] = list,
    ) -> None:
        self._config = config
        self.counts = counts
        self.events = events
        self.queue = queue
        self.invariants = invariants
        self.clock = clock
        self._traces = traces
        self._alarms = alarms
        self.journal: Callable[[], JournalState | None] = lambda: None
        """How it stands with the journal; None where nobody subscribes."""
        self.sessions: Callable[[], Mapping[str, int]] = dict
        """How many clients there are at the doors for mail, by the kind of the door."""
        self.mailboxes: Callable[[], MailboxCounts | None] = lambda: None
        """What was counted of our own mailboxes; None where there are none."""
        self._version = version
        self._webhooks = webhooks
        self._listen: HostPort | None = None
        self._failed = False  # what was asked for last could not be done
        self._readers: Readers | None = None
        self._turn = asyncio.Lock()
        self._changes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Serve from now on. Raises `Problem`."""
        await self.serve(self._config.metrics.listen)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Serve elsewhere, or not at all, soon. Whether it can is found out by doing it; where it cannot, that is an alarm, ``metrics``."""
        yield
        self._config = config
        self.counts.hosts.change(config.metrics.hosts, relays_of(config))
        self.change(config.metrics.listen)

    async def stop(self, _grace: float) -> None:
        """Let go of the port and of the thread."""
        if self._changes:
            await asyncio.wait(self._changes)
        await self.serve(None)

    async def serve(self, listen: HostPort | None) -> None:
        """Serve at `listen` and nowhere else; None: do not even count. Raises `Problem`; then it is counted, not served."""
        async with self._turn:
            if listen == self._listen and not self._failed:
                return
            self._count(listen is not None)
            self._failed = True
            await self._close()
            if listen:
                await self._open(listen)
            self._listen, self._failed = listen, False

    def change(self, listen: HostPort | None) -> None:
        """Serve at `listen` soon, for a daemon that goes on whatever comes of it: what cannot be is an alarm, ``metrics``."""
        task = asyncio.get_running_loop().create_task(self._change(listen))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _change(self, listen: HostPort | None) -> None:
        try:
            await self.serve(listen)
        except Problem as problem:
            self.events.tell(Alarm(self.clock.now(), "metrics", str(problem)))

    def _count(self, on: bool) -> None:
        """Hear of events, or leave, so that an event costs nothing that nobody wants to know of."""
        self.counts.sessions.counting = on
        listeners = self.events.listeners
        if on and self.counts not in listeners:
            listeners.append(self.counts)
        elif not on and self.counts in listeners:
            listeners.remove(self.counts)

    async def _open(self, listen: HostPort) -> None:
        from .readers import Readers

        try:
            made = await asyncio.to_thread(self._made)
        except ImportError:
            raise Problem(
                f"metrics.listen is set, and the library prometheus-client is not installed: {installing('metrics')}", "bad-config"
            ) from None
        readers = Readers(made, lambda error: self.events.tell(Alarm.of(self.clock.now(), error)))
        try:
            await readers.listen(listen.host, listen.port)
        except (OSError, UnicodeError) as error:  # a name that is none is no OSError
            await readers.close()
            reason = getattr(error, "strerror", None) or error
            raise Problem(
                f"cannot serve metrics at {listen}: {reason}; choose another address with metrics.listen", "unavailable"
            ) from None
        self._readers = readers

    def _made(self) -> WSGIApplication:
        """Raises `ImportError` where the library is not installed."""
        from .page import Figures, application

        figures = Figures(self.counts, self.queue, self.invariants, self.clock.now)
        figures.place = self._config.spool
        figures.reserve = lambda: self._config.submission.min_free_space
        figures.own = lambda: {relay.name: relay.client_certificate for relay in self._config.relays.values() if relay.client_certificate}
        figures.traces = self._traces
        figures.alarms = self._alarms
        figures.journal = self.journal
        figures.sessions = self.sessions
        figures.mailboxes = self.mailboxes
        figures.version = self._version
        figures.webhooks = self._webhooks
        return application(figures)

    async def _close(self) -> None:
        readers, self._readers = self._readers, None
        if readers:
            await readers.close()


def relays_of(config: Config) -> dict[tuple[str, int], str]:
    """The names of relays by the host and port that are called."""
    return {(relay.host, relay.port): relay.name for relay in config.relays.values()}
