"""The queue as a part of the daemon: built from the configuration, started, changed by a reload, stopped.

`Queue` chooses the concrete things of the room (which couriers, which limits, which signer), starts the manager's loop and the chores that
come round from time to time, and ends them in order. How many sessions, kept files and questions to the DNS there may be at once is
shared out here too, from the limit of descriptors: who does not count meets it at a place that he did not choose.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from mailer.accounts.srs_secrets import present_srs_secrets, srs_place
from mailer.alarms.book import AlarmBook
from mailer.bounces import OwnReports, keys
from mailer.events import Alarm, Mended
from mailer.io import descriptors
from mailer.io.component import Component
from mailer.limits.backoff import Schedule
from mailer.mail.principal import unix
from mailer.mail.problem import Problem
from mailer.net import tls
from mailer.net.dns import Resolver
from mailer.routing.resolve import Finder, Router, callings, changed
from mailer.routing.sandbox import Diversion
from mailer.shaping.replies import Reactions, Slowed
from mailer.shaping.sources import Book, Sources
from mailer.shaping.table import Measured, TermsTable
from mailer.spool.api import Due, Trouble
from mailer.status.api import StatusError
from mailer.transport.courier import TRANSPORTS
from mailer.transport.maildir import MaildirCourier, make_bases
from mailer.transport.pool import Pool
from mailer.transport.return_path import ReturnPaths, SenderRewriting
from mailer.transport.route import Timeouts
from mailer.transport.trap import TrapCourier

from .clock_step import waiting
from .connectivity import POLL
from .context import Policy
from .fuses import limits_by
from .invariants import DISK, Housekeeping, Invariants
from .manager import QueueManager
from .outages import Outages
from .recorder import STANDINGS, DestinationStates
from .scheduler import QueueLimits, Scheduler
from .suspension import inherited
from .tasks import Watchdog
from .unsubscribing import UnsubscribeLinks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mailer.accounts.residents import Residents
    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import SteadyClock
    from mailer.io.component import Chores
    from mailer.mail.principal import Principal
    from mailer.spool.api import Changes, Spool
    from mailer.status.api import StatusRecorder
    from mailer.suppression.api import SuppressionChange, SuppressionList
    from mailer.transport.courier import Courier
    from mailer.transport.meter import Meter

    from .recorder import Recorder
    from .signing import Signer

FUSES = 1.0  # seconds between two looks at the fuses
CLOCK = 1.0  # seconds between two looks at the clock
OWN = 40  # descriptors: standard streams, log, lock, database, sockets to listen on and who calls there, the files that threads write
SESSION = 4  # its socket and that of a second address, its message's file, and the next one's
IDLE = 1  # for each session, one that waits for more mail or takes its leave
FILES = 600  # that are kept open at most: as many as are read ahead for two quick destinations
QUESTIONS = 200  # to the DNS; a thousand new domains must not use up everything


class Shares(NamedTuple):
    """The shares of descriptors: how many sessions, kept files and questions to the DNS at once."""

    sessions: int
    files: int
    questions: int


COURIERS = {**TRANSPORTS, "maildir": MaildirCourier, "trap": TrapCourier}
"""What carries mail, by the name that `Route.transport` has."""

PLENTY = Shares(1 << 30, FILES, QUESTIONS)


def shares(limit: int, sessions: int) -> Shares:
    """The shares that `limit` descriptors come to, where `sessions` are wanted. There is one session at least.

    The limit of a service may be as low as 256 (`ulimit -n`). What is left when all sessions have what they need is for the files that wait
    between being read and being sent.
    """
    rest = max(limit - OWN, 0)
    most = max(min(sessions, rest * 6 // 10 // (SESSION + IDLE)), 1)
    questions = max(min(QUESTIONS, rest // 5), 2)
    return Shares(most, max(min(FILES, rest - most * (SESSION + IDLE) - questions), 0), questions)


class Queue(Component):
    """The queue manager of one daemon on `spool`, with all that belongs to it.

    `recorder` writes what becomes of mail, and is closed by whoever made it, after `stop`; `status` is what it writes to. `hush`
    is told to keep the log short, or not to any more; `keep_files` how many files the spool may keep open; `meter` of sessions. The first
    of the `chores` is the manager's loop; with `once` it ends when nothing is due. `local` carries mail into our own mailboxes.
    """

    def __init__(
        self,
        config: Config,
        spool: Spool,
        recorder: Recorder,
        status: StatusRecorder,
        clock: SteadyClock,
        tell: Callable[[Event], None],
        chores: Chores,
        hush: Callable[[bool], None] = lambda _: None,
        keep_files: Callable[[int], None] = lambda _: None,
        *,
        once: bool = False,
        meter: Meter | None = None,
        book: AlarmBook | None = None,
        suppression: SuppressionList | None = None,
        residents: Residents | None = None,
        local: Courier | None = None,
    ) -> None:
        self.config = config
        self.spool = spool
        self._meter = meter
        self.recorder = recorder
        self.status = status
        self.clock = clock
        self.tell = tell
        self.once = once
        self.chores = chores
        self._callings = callings(config)
        self._book: Book | None = None
        self._measured = Measured()
        self._slowed: dict[str, Slowed] = {}
        self._rescan_soon = asyncio.Event()
        self._states = DestinationStates()
        self.keep_files = keep_files
        shares = self._shared_out(config)
        keep_files(shares.files)
        reactions = self._reactions(config)
        pool = pool_of(config, shares, meter)
        self.couriers: dict[str, Courier] = {name: courier(pool, clock, reactions.meaning) for name, courier in COURIERS.items()}
        if local is not None:
            self.couriers["local"] = local
        self.scheduler = Scheduler(limits_of(config, shares), reactions.table)
        policy = policy_of(config, tell, clock.now(), reactions, shares)
        self.manager = QueueManager(
            spool, self.scheduler, self.couriers, policy, recorder, clock, tell, random.random, once=once, suppression=suppression,
            residents=residents,
        )  # fmt: skip
        self.current = self.manager.current
        self.manager.settler.known = status.knows
        self.invariants = Invariants(self.manager)
        self.housekeeping = Housekeeping(self.manager, self.invariants, Watchdog(self.current.context.tasks), hush)
        self.outages = Outages(self.scheduler, book or AlarmBook(), tell)
        recorder.done = self.manager.left
        self.manager.fuses.recall(clock.now())
        self.manager.fuses.change(limits_by(config), clock.now())
        self.manager.folding.adopted = self._adopted
        self.manager.folding.change(None if once else config.fold)
        if trouble := self.manager.fuses.trouble:
            tell(Alarm(clock.now(), "spool", trouble, "fuses"))

    # The component

    async def start(self) -> None:
        """Find all that is in the spool, and begin to deliver. What came into ``drop/`` until now has to be adopted before."""
        make_bases(maildirs_of(self.config))
        await self.manager.mind_pauses()
        await self.housekeeping.disk()
        await self._scan()
        self._post()
        self._begin(self.chores)

    @contextmanager
    def reload(self, config: Config) -> Iterator[None]:
        """Take over a configuration, of which everything but the spool may be another.

        One that cannot be used raises `Problem`, and nothing has changed.
        """
        shares = self._shared_out(config)
        reactions = self._reactions(config)
        policy = policy_of(config, self.tell, self.clock.now(), reactions, shares)
        pool, limits, called = pool_of(config, shares, self._meter), limits_of(config, shares), callings(config)
        try:
            yield
        except BaseException:
            policy.close()
            raise
        self.config = config
        make_bases(maildirs_of(config))
        self.keep_files(shares.files)
        self.manager.change(policy)
        self.scheduler.terms = reactions.table
        self.scheduler.limit(limits)
        tls.forget()
        for courier in self.couriers.values():
            courier.change(pool, reactions.meaning)
        before, self._callings = self._callings, called
        self.manager.recall(changed(before, called))
        self.manager.folding.change(config.fold)
        self.manager.suspended.hurry(self.manager.fuses.change(limits_by(config), self.clock.now()))

    async def stop(self, grace: float) -> None:
        """Begin nothing new, let what runs finish within `grace` seconds, and say QUIT.

        Raises `Problem` (try-again) where the disk did not take what became of a message: with `once` the next run goes on.
        """
        await self.manager.stop(grace)
        self._post()
        await asyncio.gather(*(courier.close() for courier in self.couriers.values()))
        self.current.context.policy.close()
        await self._save_book_now()
        await self._mind_fuses()
        if undone := self.manager.settler.undone:
            raise Problem(f"the disk did not take what became of {undone} messages; run it again", "try-again")

    # What others say

    async def heard(self, changes: Changes) -> None:
        """Look at what others have changed in the spool."""
        if changes.everything:
            self._rescan_soon.set()
        await self.manager.look(changes.ids)
        if changes.suspensions:
            await self.manager.mind_pauses()

    async def suppressed(self, changes: Sequence[SuppressionChange]) -> None:
        """Look whether mail under way is for somebody who is not to be mailed since these changes."""
        await self.manager.suppressed.heard(changes, [*self.manager.loader.attempts])

    def out_of_memory(self, what: str) -> None:
        """Note that a chore of the daemon has met the end of the memory; its turn comes again."""
        self.current.context.alarms.out_of_memory(what)

    # Chores

    def _begin(self, chores: Chores) -> None:
        chores.run(self.manager.run)
        if self.once:
            return
        chores.beside(self._take_up)
        look, soon, what = self.housekeeping.look, self._rescan_soon, "the queue could not be looked through"
        chores.every(lambda: self.config.delivery.rescan, look, soon=soon, what=what)
        chores.every(DISK, self.housekeeping.disk)
        chores.every(POLL, self.manager.connectivity.poll)
        chores.every(CLOCK, self._look_at_clock)
        chores.every(STANDINGS, self._post)
        chores.every(FUSES, self._mind_fuses)
        chores.every(lambda: 60.0 if self._book and self._book.failed else 1.0, self._save_book)

    async def _take_up(self) -> None:
        """Take up what the daemon before had put off."""
        found = await inherited(self.status, self.config)
        self.manager.suspended.hurry(found.hurried)
        self.manager.suspended.hurry(await self.manager.fuses.inherit(found.fused))

    def _look_at_clock(self) -> None:
        """Where it was set, what waits is told its new time at once."""
        if self.housekeeping.clock():
            self._rescan_soon.set()

    async def _scan(self) -> None:
        """Find all that is there, at the start."""
        found, ahead = await waiting(self.current.context, self.clock.now())
        if ahead:
            text = f"the clock was set back since {ahead} messages were put off: they wait as long as they were to"
            self.tell(Alarm(self.clock.now(), "clock", text))
        self.manager.expect_all([(each.due, each.id) for each in found if isinstance(each, Due)])
        for each in found:
            if isinstance(each, Trouble):
                self.manager.loader.stranger(each)

    def _post(self) -> None:
        """Tell how it stands with the destinations."""
        news = self._states.news(self.scheduler.destinations.values(), self.clock.now())
        if news is not None:
            self.recorder.told(news)
        self.outages.look(news, self.clock.now())

    async def _save_book(self) -> None:
        if self._book is not None:
            await self._book.save()

    def _adopted(self, id: str, who: Principal) -> None:
        """A message stands for those of `who`, who may ask about it; where that cannot be written down, he may not."""
        if who != unix(os.getuid()):
            with suppress(StatusError):
                self.status.adopted(id, who)

    async def _mind_fuses(self) -> None:
        """Fold what is to be, tell whose mail waits no more, note how far each fuse is used up. A full disk is told of elsewhere."""
        now = self.clock.now()
        self.manager.fuses.look(now)
        self.manager.folding.look(now)
        with suppress(OSError):
            await self.manager.fuses.save(now)

    async def _save_book_now(self) -> None:
        try:
            await self._save_book()
        except OSError as error:
            self.tell(Alarm(self.clock.now(), "warmup", f"what was sent today is not kept: {error.strerror}"))

    # From the configuration

    def _shared_out(self, config: Config) -> Shares:
        """What the limit of descriptors allows; told where that is less than the configuration wants."""
        limit, wanted = descriptors.limit(), config.delivery.max_connections
        if kinds := len({door.kind for door in config.mail_doors}):
            limit -= kinds * descriptors.callers(kinds, config.receiving.max_connections, limit)
        found = shares(limit, wanted)
        if found.sessions < wanted:
            text = f"{limit} open files are allowed (LimitNOFILE, ulimit -n), which is enough for {found.sessions} sessions at once"
            self.tell(Alarm(self.clock.now(), "descriptors", f"{text}, not for delivery.max_connections = {wanted}"))
        return found

    def _reactions(self, config: Config) -> Reactions:
        """Limits by destination, sources and what replies lead to, with what has been measured so far."""
        table = TermsTable(config, self._measured)
        if not config.sources:
            return Reactions(table, None, self._slowed)
        if self._book is None:
            self._book = Book(self.spool)
            if self._book.trouble:
                self.tell(Alarm(self.clock.now(), "warmup", self._book.trouble))
        return Reactions(table, Sources(table, self._book), self._slowed)


def policy_of(
    config: Config,
    tell: Callable[[Event], None],
    now: float,
    reactions: Reactions | None = None,
    shares: Shares = PLENTY,
) -> Policy:
    """The policy of `config`, which a reload may change. Keys that cannot sign are told, `now` (seconds since the epoch)."""
    dns, family = config.dns, config.delivery.family
    resolver = Resolver(dns.nameservers, dns.timeout, dns.lifetime, dns.cache_size, family, at_once=shares.questions)
    retry, bounce = config.retry, config.bounce
    find = Finder(config, resolver, random.shuffle).find
    sandbox = Diversion(config.sandbox, find) if config.sandbox.holds else None
    return Policy(
        Router(sandbox.find if sandbox else find),
        Schedule(retry.schedule, retry.expire, retry.jitter),
        OwnReports(
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
        sandbox=sandbox,
        links=UnsubscribeLinks(config.spool, config.submission.public_url),
        returns=returns_of(config, tell, now),
        vouches_as=config.hostname if config.forwarding.arc else "",
    )


def returns_of(config: Config, tell: Callable[[Event], None], now: float) -> ReturnPaths:
    """What gives mail its sender. Where a key cannot be had that is told, and mail leaves with the sender that it has."""
    bounce, rewriting = config.bounce, _rewriting_of(config, tell, now)
    if not bounce.address or bounce.verp == "off":
        return ReturnPaths(bounce.address, rewriting=rewriting)
    path = keys.place(config)
    try:
        key = keys.present(path, now)[0].secret
    except Problem as problem:
        tell(Alarm(now, "bounces", f"mail leaves without return tokens: {problem}", "key"))
        return ReturnPaths(bounce.address, rewriting=rewriting)
    tell(Mended(now, "bounces", "key", "the key can be used"))
    return ReturnPaths(bounce.address, key, bounce.verp == "recipient", rewriting)


def _rewriting_of(config: Config, tell: Callable[[Event], None], now: float) -> SenderRewriting | None:
    """What rewrites the senders of mail that is passed on; None where nobody lives here who could pass some on."""
    if not (config.domains and config.forwarding.srs):
        return None
    try:
        [secret, *_] = present_srs_secrets(srs_place(config))
    except Problem as problem:
        tell(Alarm(now, "bounces", f"mail that is passed on keeps its sender, and many hosts refuse it: {problem}", "srs"))
        return None
    tell(Mended(now, "bounces", "srs", "the secret can be used"))
    return SenderRewriting(secret, config.forwarding.domain, frozenset(domain.name for domain in config.domains))


def signer_of(config: Config, tell: Callable[[Event], None], now: float) -> Signer | None:
    """The signer of mail; without a key there is none, and the library is not imported."""
    if not any(key.signs for key in config.dkim):
        return None
    from .signing import Signer

    signer = Signer(config.dkim, tell)
    signer.check(now)
    return signer


def pool_of(config: Config, shares: Shares = PLENTY, meter: Meter | None = None) -> Pool:
    """The pool in which sessions wait for more mail; `meter` hears of all of them."""
    timeouts, delivery = Timeouts(**vars(config.timeouts)), config.delivery
    return Pool(timeouts, idle=delivery.idle_timeout, lifetime=delivery.max_lifetime, most=shares.sessions, meter=meter)


def limits_of(config: Config, shares: Shares = PLENTY) -> QueueLimits:
    """The limits of `config` on how much is done at once."""
    delivery = config.delivery
    return QueueLimits(
        delivery.active_limit,
        min(delivery.max_connections, shares.sessions),
        delivery.max_connections_per_destination,
        delivery.initial_connections_mx,
        delivery.initial_connections_relay,
    )


def maildirs_of(config: Config) -> list[str]:
    """The templates of the Maildirs of our domains."""
    return [way.name for domain in config.domains for way in domain.via if way.kind == "maildir"]
