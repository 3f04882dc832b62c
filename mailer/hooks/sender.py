"""``mailer hooks run``: the process. All endpoints of the configuration side by side, read again at SIGHUP, until SIGTERM.

It needs no daemon: what the journal has is posted, and more is waited for. One runs on a spool. Whether an endpoint answers is told in the
log, as an alarm that begins and ends; who is to be told of it by mail is the daemon's to know (`mailer.hooks.watch`).
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from mailer.alarms.book import AlarmBook
from mailer.config.file import load, load_again
from mailer.events import Alarm, DoorNews, Mended
from mailer.io.clock import SystemClock
from mailer.io.leash import leashed
from mailer.io.lock import sole
from mailer.io.notify import notify, reloading
from mailer.journal.files import journal_of
from mailer.log import LogComponent
from mailer.mail.problem import Problem
from mailer.net import tls
from mailer.spool.files.store import SpoolDirectory

from .files import LOCK, FileHookStore
from .post import Poster, client_of
from .subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook
    from mailer.events import DaemonNews
    from mailer.journal.api import Journal
    from mailer.net.https import HttpsClient

    from .api import HookStore
    from .endpoint import EndpointState

LOOK = 1.0  # seconds after which wishes are looked for
GRACE = 10.0  # seconds that posts under way have at the end


class HookProcess:
    """The process that `given`, (path of the configuration, spool), asks for. Raises `Problem` where that cannot be read.

    `hangups` takes whom each SIGHUP is to be told, or None.
    """

    def __init__(
        self, given: tuple[str | None, str | None], *, hangups: Callable[[Callable[[], object] | None], None] = lambda _: None
    ) -> None:
        self.given = given
        self.config = load(*given)
        self._hangups = hangups
        if not self.config.webhooks:
            raise Problem(
                f"{self.config.path or 'the configuration'} has no [[webhook]]; write one, with name, url and secret_file", "bad-config"
            )

    async def run(self) -> None:
        """Post until a signal says stop, or the daemon that has started this ends. Raises `Problem`."""
        SpoolDirectory(self.config.spool).prepare()
        with locked(self.config.spool):
            loop = asyncio.get_running_loop()
            self.stopping = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stopping.set)
            leashed(loop, self.stopping.set)
            self.clock = SystemClock()
            self.log = LogComponent(self.config, self.clock, DoorNews(0.0, "hooks", "stopped"))
            try:
                await self._serve()
            finally:
                await self.log.stop(0.0)

    async def _serve(self) -> None:
        self.again = asyncio.Event()
        self.book = AlarmBook()
        self.senders = Senders(journal_of(SpoolDirectory(self.config.spool)), FileHookStore(self.config.spool), self.clock, self._told)
        loop = asyncio.get_running_loop()
        try:
            self.senders.change(self.config)
            self._hangups(lambda: loop.call_soon_threadsafe(self.again.set))
            self._tell("ready", " ".join(self.senders.names))
            notify("READY=1", "STATUS=posting events")
            await self._until_stopped()
            notify("STOPPING=1")
            self._tell("stopping")
        finally:
            self._hangups(None)
            await self.senders.close(GRACE)

    async def _until_stopped(self) -> None:
        """Look for wishes, and for a reload that is due. Raises what a bug raised."""
        told = [asyncio.ensure_future(event.wait()) for event in (self.stopping, self.again)]
        try:
            while not self.stopping.is_set():
                await asyncio.wait([*told, *self.senders.tasks], timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
                self.senders.check()
                for over in self.book.lapse(self.clock.now()):
                    self.log.log.told(over)
                if self.again.is_set():
                    self.again.clear()
                    told[1] = asyncio.ensure_future(self.again.wait())
                    await self._reload()
                await self.senders.look()
        finally:
            for each in told:
                each.cancel()

    async def _reload(self) -> None:
        """Read the configuration again; what is wrong with it is told, and the old one stays."""
        reloading()
        try:
            config = await asyncio.to_thread(load_again, self.given, self.config)
            with self.log.reload(config):
                pass
            await self.senders.rearrange(config)
            self.config = config
            self._tell("reloaded", config.path)
        except Problem as problem:
            self._tell("reload-refused", f"the configuration stays as it was: {problem}")
        notify("READY=1")

    # What is told

    def _tell(self, what: DaemonNews, detail: str = "") -> None:
        self.log.log.told(DoorNews(self.clock.now(), "hooks", what, detail))

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
        heard = self.book.heard(event)
        if heard is not None:
            self.log.log.told(heard)


class Senders:
    """A `Subscriber` for each endpoint, each in a task of its own. `told` is theirs."""

    def __init__(
        self, journal: Journal, store: HookStore, clock: SystemClock, told: Callable[[Webhook, EndpointState, OSError | None], object]
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


def locked(spool: str) -> AbstractContextManager[None]:
    """Holds the lock of the one sender of a spool. Raises `Problem` (try-again) where another has it."""
    return sole(f"{spool}/{LOCK}", f"another mailer hooks run posts the events of {spool}", "cannot lock the webhooks")
