"""``mailer hooks run``: the process. All endpoints of the configuration side by side, read again at SIGHUP, until SIGTERM.

It needs no daemon: what the journal has is posted, and more is waited for. One runs on a spool. Whether an endpoint answers is told in the
log, as an alarm that begins and ends; who is to be told of it by mail is the daemon's to know (`mailer.hooks.watch`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mailer.events import Alarm, Mended
from mailer.io.notify import notify
from mailer.journal.files import journal_of
from mailer.mail.problem import Problem
from mailer.neighbour import Given, Neighbour
from mailer.net import tls

from .files import FileHookStore
from .post import Poster, client_of
from .subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook
    from mailer.io.clock import Clock
    from mailer.journal.api import Journal
    from mailer.net.https import HttpsClient

    from .api import HookStore
    from .endpoint import EndpointState

LOOK = 1.0  # seconds after which wishes are looked for
GRACE = 10.0  # seconds that posts under way have at the end


class HookProcess(Neighbour):
    """The process of webhooks: see `Neighbour`."""

    NAME = "hooks"
    OTHER = "another mailer hooks run posts the events of"

    def __init__(self, given: Given, *, hangups: Callable[[Callable[[], object] | None], None] = lambda _: None) -> None:
        super().__init__(given, hangups=hangups)
        if not self.config.webhooks:
            where = self.config.path or "the configuration"
            raise Problem(f"{where} has no [[webhook]]; write one, with name, url and secret_file", "bad-config")

    async def work(self) -> None:
        """Post to all endpoints."""
        store = FileHookStore(self.config.spool)
        self.senders = Senders(journal_of(self.directory), store, self.clock, self._told)
        try:
            self.senders.change(self.config)
            async with self.hearing():
                self.tell("ready", " ".join(self.senders.names))
                notify("READY=1", "STATUS=posting events")
                await self._until_stopped()
                notify("STOPPING=1")
                self.tell("stopping")
        finally:
            await self.senders.close(GRACE)

    async def take(self, config: Config) -> None:
        """Begin anew with its endpoints."""
        await self.senders.rearrange(config)

    async def _until_stopped(self) -> None:
        """Look for wishes. Raises what a bug raised."""
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            while not self.stopping.is_set():
                await asyncio.wait([stopped, *self.senders.tasks], timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                self.senders.check()
                for over in self.book.lapse(self.clock.now()):
                    self.log.log.told(over)
                await self.senders.look()
        finally:
            stopped.cancel()

    def _told(self, hook: Webhook, state: EndpointState, error: OSError | None) -> None:
        """An endpoint has changed, or our disk has trouble: once when it begins, and once when it ends."""
        now = self.clock.now()
        if error is not None:
            event: Alarm | Mended = Alarm(now, "spool", f"{error.filename or self.config.spool}: {error.strerror or error}")
        elif state.off:
            event = Alarm(now, "webhook", f"{hook.name} is switched off: {state.off}", key=hook.name)
        elif state.failures:
            event = Alarm(now, "webhook", f"{hook.name} ({hook.url.shown}) gets nothing now: {state.why}", key=hook.name)
        else:
            event = Mended(now, "webhook", key=hook.name, detail="it takes events")
        self.events.tell(event)


class Senders:
    """A `Subscriber` for each endpoint, each in a task of its own. `told` is theirs."""

    def __init__(
        self, journal: Journal, store: HookStore, clock: Clock, told: Callable[[Webhook, EndpointState, OSError | None], object]
    ) -> None:
        self._journal = journal
        self._store = store
        self._clock = clock
        self._told = told
        self._client: HttpsClient | None = None
        self._running: dict[str, tuple[Subscriber, asyncio.Task[None]]] = {}

    @property
    def names(self) -> list[str]:
        """The endpoints."""
        return [*self._running]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks of the endpoints, of which none ends before it is stopped."""
        return [task for _, task in self._running.values()]

    def check(self) -> None:
        """Raises what has ended one."""
        for task in self.tasks:
            if task.done():
                task.result()

    def change(self, config: Config) -> None:
        """Begin with the endpoints of `config`, which are not running."""
        self._client = client_of(config)
        poster = Poster(self._client, self._clock.now)
        for hook in config.webhooks:
            subscriber = Subscriber(hook, self._journal, self._store, poster, self._clock, self._told)
            self._running[hook.name] = subscriber, asyncio.create_task(subscriber.run())

    async def rearrange(self, config: Config) -> None:
        """End all, and begin with those of `config`: names are looked up, files of authorities and secrets read anew."""
        await self.close(GRACE)
        tls.forget()
        self.change(config)

    async def look(self) -> None:
        """Hand on what is wished; where that cannot be read, it is told."""
        for name, (subscriber, _) in self._running.items():
            try:
                wishes = await self._store.wishes(name)
            except OSError as error:
                self._told(subscriber.hook, subscriber.state, error)
                continue
            if wishes:
                subscriber.ask([*wishes])

    async def close(self, grace: float) -> None:
        """End all, side by side."""
        running, self._running = self._running, {}
        await asyncio.gather(*(subscriber.stop(grace) for subscriber, _ in running.values()))
        for _, task in running.values():
            task.cancel()
        await asyncio.gather(*(task for _, task in running.values()), return_exceptions=True)
        if self._client is not None:
            await self._client.close()
