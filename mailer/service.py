"""The daemon: builds everything from the configuration, runs it, and takes it down in order.

The only place where concrete things are chosen: which clock, which courier, which listeners. What happens
at the start, in this order: lock the spool, adopt what is there, hang the doorbell, say that we are ready,
deliver. At the end, in this order: begin nothing new, let what runs finish within ``delivery.stop_timeout``,
write down the last outcomes, say QUIT, release the lock. Being killed in between loses nothing: the spool is
the truth, and the start is the same after a crash as after a stop.

SIGTERM and SIGINT stop, SIGHUP reads the configuration again. One that cannot be read changes nothing.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mailer.config import load
from mailer.config.secret import check_ancestors
from mailer.events import Alarm, Daemon, Events
from mailer.intake.door import Door
from mailer.io.clock import SystemClock
from mailer.io.component import Chores
from mailer.io.notify import notify, reloading, watchdog_seconds
from mailer.log import Log, open_stream
from mailer.mail.problem import Problem, from_os
from mailer.metrics.counts import Counts
from mailer.metrics.exporter import Exporter
from mailer.queue.component import Queue, raise_descriptor_limit
from mailer.queue.recorder import Recorder
from mailer.spool import Spool
from mailer.spool.files import doorbell
from mailer.status.sqlite.writer import NAME, StatusWriter

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine
    from typing import Any

    from mailer.config import Config

LOG_PATIENCE = 2.0  # seconds that a log which nobody reads holds up the end
CHECKPOINT_EVERY = 1.0  # seconds


class Service:
    """One daemon on one spool. `given` is what the command line said: (path of the configuration, spool).

    `hangups` takes whom each SIGHUP is to be told, at whatever moment it comes, or None where nobody is.
    """

    def __init__(
        self, given: tuple[str | None, str | None], *, hangups: Callable[[Callable[[], object] | None], None], once: bool = False
    ) -> None:
        self.given = given
        self.once = once
        self.hangups = hangups
        self.config = load(*given)
        self.clock = SystemClock()
        self.counts = Counts()
        self.spool = Spool(self.config.spool)
        self.lock = FileLock(f"{self.spool.root}/daemon.lock", timeout=0, mode=0o600)

    def run(self) -> None:
        """Run until a signal says stop, or with `once` until nothing is due. Raises `Problem`."""
        self.spool.prepare()
        check_ancestors(self.spool.root)
        raise_descriptor_limit()
        quieten_collector()
        try:
            self.lock.acquire()
        except Timeout:
            raise Problem(f"another daemon runs on the spool {self.spool.root}", "try-again") from None
        except OSError as error:
            raise from_os("cannot lock the spool", self.lock.lock_file, error) from None
        try:
            _run_loop(self._main())
        finally:
            self.lock.release()

    async def _main(self) -> None:
        self._build()
        loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        bell = self._hang_bell()
        try:
            self._tell("started", _summary(self.config, self.spool))
            if not self.once:
                await self.exporter.serve(self.config.metrics.listen)
            self._adopt()
            await self.queue.start()
            if not self.once:
                self._open_door()
            notify("READY=1", f"STATUS=delivering from {self.spool.root}")
            self._tell("ready", " ".join(f"{state}={len(self.spool.ids(state))}" for state in ("queued", "deferred", "held", "failed")))
            self.hangups(lambda: loop.call_soon_threadsafe(self.reload))
            await self._work()
        finally:
            self.hangups(None)
            if bell is not None:
                loop.remove_reader(bell)
                bell.close()
            await self.door.close()
            await self._take_down()

    def _hang_bell(self) -> socket.socket | None:
        """The doorbell; without one, new mail is found by the next rescan."""
        try:
            bell = doorbell.hang(self.spool.root)
        except OSError as error:
            self._alarm("doorbell", f"{error.filename}: {error.strerror}: new mail is found by the rescan (delivery.rescan)")
            return None
        asyncio.get_running_loop().add_reader(bell, lambda: self._rung(doorbell.listen(bell)))
        return bell

    def _open_door(self) -> None:
        """The socket where other users hand mail in; without one, they use ``drop/``."""
        try:
            self.door.listen()
        except OSError as error:
            self._alarm("intake", f"{error.filename or self.spool.root}: {error.strerror}: other users hand in by drop/ alone")

    def _adopt(self) -> None:
        """Take what is in ``drop/``: one pass is not over before; a daemon delivers meanwhile, for there may be any amount."""
        if self.once:
            self.door.adopt_now()
        else:
            self.door.scan()

    def _rung(self, ids: list[str]) -> None:
        self.queue.rung(ids)
        self.door.rung(ids)

    def _build(self) -> None:
        config = self.config
        self.log = Log(sys.stderr, later=asyncio.get_running_loop().call_soon, apart=True)
        try:
            self._open_log()
        except OSError as error:
            raise from_os("cannot open the log", config.log.file, error) from None
        self.status = StatusWriter(f"{self.spool.root}/{NAME}", self._status_lost)
        self.recorder = Recorder(self.spool, self.status.prepare)
        self.events = Events([self.recorder, self.log], self._bug)
        self.chores = Chores(self._spool_alarm, self._short)
        tell, hush = self.events.tell, self._hush
        self.queue = Queue(config, self.spool, self.recorder, self.status, self.clock, tell, self.chores, hush, once=self.once)
        self.exporter = Exporter(self.counts, self.events, self.queue.scheduler, self.queue.guard, self.clock)
        self.door = Door(self.spool, config, self.status, self.clock, self.queue.manager.look, self.events.tell)

    def _status_lost(self, report: str) -> None:
        self._alarm("status", report)

    def _open_log(self) -> None:
        config = self.config.log
        self.log.change(open_stream(config.file), form=config.format, level=config.level)

    async def _work(self) -> None:
        """The chores of all, until one of them ends or a signal comes."""
        self._begin()
        try:
            await self.chores.until(self.stopping)
            notify("STOPPING=1", "STATUS=finishing what is under way")
            self._tell("stopping")
            await self.queue.stop(self.config.delivery.stop_timeout)
        finally:
            await self.chores.end()
        if self.queue.undone:
            raise Problem(f"the disk did not take what became of {self.queue.undone} messages; run it again", "try-again")

    def _begin(self) -> None:
        chores = self.chores
        chores.every(CHECKPOINT_EVERY, self.status.checkpoint, threaded=True)
        if not self.once:
            chores.every(lambda: self.config.delivery.rescan, self.door.scan)
            if seconds := watchdog_seconds():
                chores.every(seconds, lambda: self.queue.upkeep.alive() and notify("WATCHDOG=1"))
        chores.begin()

    def _spool_alarm(self, error: OSError) -> None:
        self.events.tell(Alarm(self.clock.now(), "spool", f"{error.filename or self.spool.root}: {error.strerror}"))

    async def _take_down(self) -> None:
        await self.recorder.close()
        await self.exporter.close()
        self.status.close()
        self._tell_log("stopped")
        self.log.close(LOG_PATIENCE)

    def _short(self, what: str) -> None:
        self.queue.manager.out_of_memory(what)

    def _hush(self, on: bool) -> None:
        """Keep a log short that is on the disk of the spool. What goes to standard error is somebody else's to keep."""
        file = self.config.log.file
        if not on or (file and os.stat(file).st_dev == os.stat(self.spool.root).st_dev):
            self.log.hush(on)

    # Signals

    def reload(self) -> None:
        """Read the configuration again; what is wrong with it is told, and the old one stays."""
        reloading()
        try:
            config = load(*self.given)
            if config.spool != self.config.spool:
                raise Problem("the spool cannot change while the daemon runs; restart it", "bad-config")
            with self.queue.reload(config):
                pass
            self._take_over(config)
        except Problem as failure:
            self.events.tell(Alarm(self.clock.now(), "config", f"the configuration stays as it was: {failure}"))
        notify("READY=1")

    def _take_over(self, config: Config) -> None:
        """Everything but the spool may change. The log is opened anew, as whoever rotates it expects."""
        self.config = config
        self.door.change(config)
        if not self.once:
            self.exporter.change(config.metrics.listen)
        try:
            self._open_log()
        except OSError as error:
            self.events.tell(Alarm(self.clock.now(), "log", f"cannot open {config.log.file}: {error.strerror}"))
        self._tell("reloaded", config.path)

    def _tell(self, what: str, detail: str = "") -> None:
        self.events.tell(Daemon(self.clock.now(), what, detail))

    def _tell_log(self, what: str) -> None:
        self.log.told(Daemon(self.clock.now(), what))

    def _alarm(self, what: str, detail: str) -> None:
        self._tell_plainly(Alarm(self.clock.now(), what, detail))

    def _bug(self, error: Exception) -> None:
        self._tell_plainly(Alarm.of(self.clock.now(), error))

    def _tell_plainly(self, alarm: Alarm) -> None:
        """One that is about those who listen, or comes from another thread than theirs: the log and the figures bear that."""
        self.log.told(alarm)
        self.counts.told(alarm)


def _summary(config: Config, spool: Spool) -> str:
    relays = ", ".join(f"{relay.name} ({relay.host}:{relay.port})" for relay in config.relays.values()) or "none"
    return f"config={config.path or 'defaults'} spool={spool.root} hostname={config.hostname} relays={relays}"


def _run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def quieten_collector() -> None:
    """What was imported stays, and messages come and go without cycles: look for garbage rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
