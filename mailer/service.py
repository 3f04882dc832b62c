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
import random
import signal
import sys
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mailer.bounces import Reports
from mailer.config import load
from mailer.config.owner import check_ancestors
from mailer.events import Alarm, Daemon, Events
from mailer.intake.door import Door
from mailer.io.clock import SystemClock
from mailer.io.notify import notify, reloading, watchdog_seconds
from mailer.limits.backoff import Schedule
from mailer.log import Log, open_stream
from mailer.mail.failure import OK, TRY_AGAIN, Failure, from_os
from mailer.metrics.counts import Counts
from mailer.metrics.exporter import Exporter
from mailer.net import tls
from mailer.net.dns import Resolver
from mailer.queue.bulletin import EVERY, Bulletin
from mailer.queue.clock_step import deferred
from mailer.queue.courier import SmtpCourier
from mailer.queue.descriptors import FILES, QUESTIONS, Shares, shares
from mailer.queue.housekeeping import DISK, Upkeep
from mailer.queue.inherited import inherited
from mailer.queue.manager import Engine
from mailer.queue.policy import Policy
from mailer.queue.recorder import Ledger
from mailer.queue.scheduler import Limits, Scheduler
from mailer.queue.suspension import POLL
from mailer.routing.calling import callings, changed
from mailer.routing.resolve import Finder
from mailer.routing.router import Router
from mailer.shaping.replies import Reactions
from mailer.shaping.sources import NAME as WARMUP
from mailer.shaping.sources import Book, Sources
from mailer.shaping.table import TermsTable
from mailer.spool import Spool
from mailer.spool.files import calendar, doorbell
from mailer.spool.files.sweep import sweep
from mailer.status.sqlite.catchup import catch_up, known_now, missed, settle_left
from mailer.status.sqlite.writer import NAME, StatusWriter
from mailer.transport.endpoint import Timeouts
from mailer.transport.pool import Pool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from mailer.config import Config
    from mailer.events import Event, Listener
    from mailer.queue.signing import Signer

SWEEP_EVERY = 3600.0  # seconds
LOG_PATIENCE = 2.0  # seconds that a log which nobody reads holds up the end
CLOCK = 1.0  # seconds between two looks at the clock
CHECKPOINT_EVERY = 1.0  # seconds
PLENTY = Shares(1 << 30, FILES, QUESTIONS)
MOST_DESCRIPTORS = 65536  # asked for, where more would be allowed
MAKING_GOOD = 0.005  # seconds at a time


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
        self._callings = callings(self.config)
        self.clock = SystemClock()
        self.counts = Counts()
        self.spool = Spool(self.config.spool)
        self._known: dict[str, str] | None = None
        self.book: Book | None = None
        self.lock = FileLock(f"{self.spool.root}/daemon.lock", timeout=0, mode=0o600)

    def run(self) -> int:
        """Run until a signal says stop, or with `once` until nothing is due; returns the exit code. Raises `Failure`."""
        self.spool.prepare()
        check_ancestors(self.spool.root)
        raise_descriptor_limit()
        quieten_collector()
        try:
            self.lock.acquire()
        except Timeout:
            raise Failure(f"another daemon runs on the spool {self.spool.root}", TRY_AGAIN) from None
        except OSError as error:
            raise from_os("cannot lock the spool", self.lock.lock_file, error) from None
        try:
            return _run_loop(self._main())
        finally:
            self.lock.release()

    async def _main(self) -> int:
        self._build()
        loop = asyncio.get_running_loop()
        self.stopping = asyncio.Event()
        self._rescan_soon = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        bell = self._hang_bell()
        try:
            self._tell("started", _summary(self.config, self.spool))
            if self.once:
                await asyncio.to_thread(catch_up, self.status, self.spool)
            else:
                await self.exporter.serve(self.config.metrics.listen)
                self._known = await asyncio.to_thread(settle_left, self.status, self.spool)
            self._adopt()
            self.engine.dispatcher.mind_pauses()
            self.upkeep.disk()
            self._scan()
            self._post()
            if not self.once:
                self._open_door()
            notify("READY=1", f"STATUS=delivering from {self.spool.root}")
            self._tell("ready", " ".join(f"{state}={len(self.spool.ids(state))}" for state in ("queued", "deferred", "held", "failed")))
            self.hangups(lambda: loop.call_soon_threadsafe(self.reload))
            await self._work()
            if self.engine.settler.undone:
                raise Failure(f"the disk did not take what became of {self.engine.settler.undone} messages; run it again", TRY_AGAIN)
        finally:
            self.hangups(None)
            if bell is not None:
                loop.remove_reader(bell)
                bell.close()
            await self.door.close()
            await self._take_down()
        return OK

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
        if doorbell.EVERYTHING in ids:
            self._rescan_soon.set()
        self.engine.look(ids)
        self.door.rung(ids)

    def _build(self) -> None:
        config = self.config
        self.log = Log(sys.stderr, later=asyncio.get_running_loop().call_soon, apart=True)
        try:
            self._open_log()
        except OSError as error:
            raise from_os("cannot open the log", config.log.file, error) from None
        self.status = StatusWriter(f"{self.spool.root}/{NAME}", self._status_lost)
        self.ledger = Ledger(self.spool, self.status.prepare, self._left)
        listeners: list[Listener] = [self.ledger, self.log]
        self.events = Events(listeners, self._bug)
        self.shares = self._shared_out(config)
        self.bulletin = Bulletin()
        reactions = self._reactions(config)
        self.courier = SmtpCourier(pool_of(config, self.shares), self.clock, reactions.meaning)
        self.engine = Engine(
            self.spool,
            Scheduler(limits_of(config, self.shares), reactions.table),
            self.courier,
            policy_of(config, self.events.tell, self.clock.now(), reactions, self.shares),
            self.ledger,
            self.clock,
            self.events.tell,
            random.random,
            self.shares.files,
        )
        self.engine.settler.known = self.status.knows
        self.upkeep = Upkeep(self.engine, self.ledger, self._hush)
        self.exporter = Exporter(self.counts, self.events, self.engine.scheduler, self.upkeep.guard, self.clock)
        self.door = Door(self.spool, config, self.status, self.clock, self.engine.look, self.events.tell)

    def _shared_out(self, config: Config) -> Shares:
        """What the limit of descriptors allows; told where that is less than the configuration wants."""
        limit, wanted = descriptor_limit(), config.delivery.max_connections
        found = shares(limit, wanted)
        if found.sessions < wanted:
            text = f"{limit} open files are allowed (LimitNOFILE, ulimit -n), which is enough for {found.sessions} sessions at once"
            self.events.tell(Alarm(self.clock.now(), "descriptors", f"{text}, not for delivery.max_connections = {wanted}"))
        return found

    def _reactions(self, config: Config, before: Reactions | None = None) -> Reactions:
        """Limits by destination, sources and what replies lead to. What was measured before a reload is taken over."""
        table = TermsTable(config, before.table if before else None)
        if not config.sources:
            return Reactions(table, None, before)
        if self.book is None:
            self.book = Book(f"{self.spool.root}/{WARMUP}")
            if self.book.trouble:
                self._alarm("warmup", self.book.trouble)
        return Reactions(table, Sources(table, self.book, before.sources if before else None), before)

    def _save_book(self) -> None:
        if self.book is not None:
            self.book.save()

    def _save_book_now(self) -> None:
        try:
            self._save_book()
        except OSError as error:
            self._alarm("warmup", f"what was sent today is not kept: {error.strerror}")

    def _status_lost(self, report: str) -> None:
        self._alarm("status", report)

    def _open_log(self) -> None:
        config = self.config.log
        self.log.change(open_stream(config.file), form=config.format, level=config.level)

    def _left(self, ids: list[str], problems: list[tuple[str, Exception]]) -> None:
        self.engine.left(ids, problems)

    async def _work(self) -> None:
        """The engine and the chores side by side, until one of them ends or a signal comes."""
        self.engine.settler.once = self.once
        engine = asyncio.create_task(self.engine.run(once=self.once))
        chores = [asyncio.create_task(chore) for chore in self._chores()]
        stopping = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait([engine, stopping, *chores], return_when=asyncio.FIRST_COMPLETED)
            notify("STOPPING=1", "STATUS=finishing what is under way")
            self._tell("stopping")
            await self.engine.stop(self.config.delivery.stop_timeout)
            await engine
            if self.once and not self.stopping.is_set():
                await self._last_sweep()
        finally:
            for task in (*chores, stopping, engine):
                task.cancel()
            results = await asyncio.gather(*chores, stopping, engine, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _last_sweep(self) -> None:
        """Where no daemon ever runs, each pass clears out what is past its time."""
        try:
            await asyncio.to_thread(self._sweep)
        except OSError as error:
            self._spool_alarm(error)

    def _chores(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._every(lambda: CHECKPOINT_EVERY, self.status.checkpoint, threaded=True)
        if self.once:
            return
        yield self._make_good()
        yield self._rescan()
        yield self._every(lambda: DISK, self.upkeep.disk)
        yield self._every(lambda: POLL, self.upkeep.network)
        yield self._every(lambda: CLOCK, self._look_at_clock)
        yield self._every(lambda: self.config.delivery.rescan, self.door.scan)
        yield self._every(lambda: SWEEP_EVERY, self._sweep, threaded=True)
        yield self._every(lambda: EVERY, self._post)
        yield self._every(lambda: 60.0 if self.book and self.book.failed else 1.0, self._save_book)
        if seconds := watchdog_seconds():
            yield self._every(lambda: seconds, lambda: self.upkeep.alive() and notify("WATCHDOG=1"))

    async def _every(self, seconds: Callable[[], float], chore: Callable[[], object], *, threaded: bool = False) -> None:
        while True:
            await asyncio.sleep(seconds())
            try:
                await asyncio.to_thread(chore) if threaded else chore()
            except OSError as error:
                self._spool_alarm(error)
            except MemoryError:  # of one chore, whose turn comes again
                self.engine.out_of_memory("a chore could not be done")

    def _spool_alarm(self, error: OSError) -> None:
        self.events.tell(Alarm(self.clock.now(), "spool", f"{error.filename or self.spool.root}: {error.strerror}"))

    async def _take_down(self) -> None:
        self._post()
        await self.engine.courier.close()
        self.engine.policy.close()
        await self.ledger.close()
        await self.exporter.close()
        self._save_book_now()
        self.status.close()
        self._tell_log("stopped")
        self.log.close(LOG_PATIENCE)

    # Chores

    async def _make_good(self) -> None:
        """Take up what the daemon before had put off, and write down what the database missed, at the start; the latter also whenever it
        was begun anew or has lost something.
        """
        known, self._known = self._known, None
        self.engine.standstill.hurry(await asyncio.to_thread(inherited, f"{self.spool.root}/{NAME}", self.config))
        await self._tell_missed(known)
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY)
            if self.status.incomplete:
                self.status.incomplete = False
                await self._tell_missed(await asyncio.to_thread(known_now, self.status))

    async def _tell_missed(self, known: dict[str, str] | None) -> None:
        """In a part of the time: the mail goes first."""
        time = asyncio.get_running_loop().time
        begin = time()
        for event in missed(self.spool, known) if known is not None else ():
            if event is not None and event.entry.id not in self.engine.scheduler.active:  # what is tried now will be told anyway
                self.ledger.told(event)
            if time() - begin > MAKING_GOOD:
                await asyncio.sleep(9 * (time() - begin))
                begin = time()

    def _look_at_clock(self) -> None:
        """Where it was set, what waits is told its new time at once."""
        if self.upkeep.clock():
            self._rescan_soon.set()

    async def _rescan(self) -> None:
        """Look through the queue from time to time, and when somebody says that all of it may have changed."""
        while True:
            try:
                async with asyncio.timeout(self.config.delivery.rescan):
                    await self._rescan_soon.wait()
            except TimeoutError:
                pass
            self._rescan_soon.clear()
            try:
                await self.upkeep.look()
            except OSError as error:
                self._spool_alarm(error)
            except MemoryError:
                self.engine.out_of_memory("the queue could not be looked through")

    def _hush(self, on: bool) -> None:
        """Keep a log short that is on the disk of the spool. What goes to standard error is somebody else's to keep."""
        file = self.config.log.file
        if not on or (file and os.stat(file).st_dev == os.stat(self.spool.root).st_dev):
            self.log.hush(on)

    def _scan(self) -> None:
        """Find all that is there, at the start."""
        self.engine.expect_all((0.0, id) for id in self.spool.ids("queued"))
        dues, ahead = deferred(self.engine, self.clock.now())
        if ahead:
            self._alarm("clock", f"the clock was set back since {ahead} messages were put off: they wait as long as they were to")
        self.engine.expect_all(dues)
        for name in self.spool.strangers("queued"):
            self.engine.dispatcher.stranger(name)

    def _post(self) -> None:
        """Tell how it stands with the destinations."""
        news = self.bulletin.news(self.engine.scheduler.destinations.values(), self.clock.now())
        if news is not None:
            self.ledger.told(news)

    def _sweep(self) -> None:
        clear_out(self.spool, self.status, self.config, self.clock.now())

    # Signals

    def reload(self) -> None:
        """Read the configuration again; what is wrong with it is told, and the old one stays."""
        reloading()
        try:
            config = load(*self.given)
            if config.spool != self.config.spool:
                raise Failure("the spool cannot change while the daemon runs; restart it", 78)
        except Failure as failure:
            self.events.tell(Alarm(self.clock.now(), "config", f"the configuration stays as it was: {failure}"))
        else:
            self._take_over(config)
        notify("READY=1")

    def _take_over(self, config: Config) -> None:
        """Everything but the spool may change. The log is opened anew, as whoever rotates it expects."""
        self.config = config
        reactions = self._reactions(config, self.engine.policy.reactions)
        self.engine.policy.close()
        self.shares = self._shared_out(config)
        self.engine.budget.files = self.shares.files
        self.engine.policy.become(policy_of(config, self.events.tell, self.clock.now(), reactions, self.shares))
        self.engine.scheduler.terms = reactions.table
        self.engine.scheduler.limit(limits_of(config, self.shares))
        tls.forget()
        self.courier.change(pool_of(config, self.shares), reactions.meaning)
        before, self._callings = self._callings, callings(config)
        self.engine.recall(changed(before, self._callings))
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


def policy_of(
    config: Config,
    tell: Callable[[Event], None],
    now: float,
    reactions: Reactions | None = None,
    shares: Shares = PLENTY,
) -> Policy:
    """What a reload may change, as the engine wants it. Keys that cannot sign are told."""
    dns, family = config.dns, config.delivery.family
    resolver = Resolver(dns.nameservers, dns.timeout, dns.lifetime, dns.cache_size, family, at_once=shares.questions)
    retry, bounce = config.retry, config.bounce
    return Policy(
        Router(Finder(config, resolver, random.shuffle)),
        Schedule(retry.schedule, retry.expire, retry.jitter),
        Reports(
            config.hostname,
            config.postmaster,
            full=bounce.content == "full",
            enabled=bounce.enabled,
            delay_warning=bounce.delay_warning,
            max_per_hour=bounce.max_per_hour,
            max_per_hour_in_all=bounce.max_per_hour_in_all,
        ),
        config.submitting,
        signer_of(config, tell, now),
        max_hops=config.delivery.max_hops,
        attempt_limit=config.delivery.attempt_limit,
        reactions=reactions,
    )


def signer_of(config: Config, tell: Callable[[Event], None], now: float) -> Signer | None:
    """Who signs mail; where nobody does, nobody pays for the library."""
    if not any(key.signs for key in config.dkim):
        return None
    from mailer.queue.signing import Signer

    signer = Signer(config.dkim, tell)
    signer.check(now)
    return signer


def pool_of(config: Config, shares: Shares = PLENTY) -> Pool:
    """Where sessions wait for more mail."""
    timeouts = Timeouts(**vars(config.timeouts))
    return Pool(timeouts, idle=config.delivery.idle_timeout, lifetime=config.delivery.max_lifetime, most=shares.sessions)


def limits_of(config: Config, shares: Shares = PLENTY) -> Limits:
    """How much at once, as the scheduler wants it."""
    delivery = config.delivery
    return Limits(
        delivery.active_limit,
        min(delivery.max_connections, shares.sessions),
        delivery.max_connections_per_destination,
        delivery.initial_connections_mx,
        delivery.initial_connections_relay,
    )


def _summary(config: Config, spool: Spool) -> str:
    relays = ", ".join(f"{relay.name} ({relay.host}:{relay.port})" for relay in config.relays.values()) or "none"
    return f"config={config.path or 'defaults'} spool={spool.root} hostname={config.hostname} relays={relays}"


def _run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on uvloop where it is installed, else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def raise_descriptor_limit() -> None:
    """Each session and each message under way needs a file descriptor; the default of 1024 is soon used up."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if 0 <= soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def descriptor_limit() -> int:
    """How many descriptors this process may have."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft >= 0 else MOST_DESCRIPTORS


def quieten_collector() -> None:
    """What was imported stays, and messages come and go without cycles: look for garbage rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def clear_out(spool: Spool, status: StatusWriter, config: Config, now: float) -> None:
    """Delete what is past its time, in the spool and in the status database; nothing by a clock that may be wrong. Raises `OSError`."""
    if calendar.believed(spool.root, now):
        sweep(spool, now, config.bounce.retention, config.submission.request_id_ttl)
        status.forget(now - config.status.retention)
