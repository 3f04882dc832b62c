"""Suspension: mail that waits for a word which may come at any moment: a pause ends, a relay is back, something of ours is mended.

None is an attempt, so nothing counts and nothing is learned about a destination. The message is put off like any other and looked
at again from time to time, in case nobody says that the wait is over; but who waits is remembered here, so that all go at once when
it is.

*Pauses* are read from their file (`spool.suspensions`) when the doorbell says so, and whenever the queue is looked through. What waits in
memory for a destination that is paused is put off with the rest. A pause is an operator's word about a destination, and mail expires
as ever.

*Outages* of a relay are the breaker's to notice and to end; what was put off meanwhile, and was not tried, goes when it closes. So does
what waits until something of ours is mended, also at a reload.

A daemon that starts knows of no outage, and whoever restarts it may have mended what a relay refused: what the daemon before put off for
such a reason (`inherited`) is tried at once. The first message finds out; if nothing has changed, the rest is put off again without a
session. What waits for the hosts of others keeps its time: a backlog must not hit them at one moment.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, NamedTuple

from mailer.events import Alarm, Daemon
from mailer.mail.outcome import Cause
from mailer.mail.problem import Problem
from mailer.routing.table import RouteTable
from mailer.shaping.blame import BLAME
from mailer.spool.api import at_once
from mailer.spool.suspensions import Suspensions
from mailer.transport import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailer.config import Config
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.spool.suspensions import Suspension
    from mailer.status.api import StatusRecorder

    from .context import Current

PAUSE_LOOK = 900.0  # seconds after which mail that is paused is looked at again: it may have expired, or the news may have been lost
SOON = 1.0  # seconds, for what is just being put off
REMEMBERED = 100_000  # messages; those beyond wait for the next look


class SuspendedMail:
    """The mail that waits for the end of a pause or of an outage."""

    def __init__(self, current: Current) -> None:
        self.current = current
        self.pauses = Suspensions()
        self.hurried: dict[str, bool] = {}
        """Messages that are due whatever their records say: False for those recipients that were never tried, True for all."""
        self._paused: dict[str, dict[str, None]] = {}
        self._behind: dict[str, dict[str, None]] = {}
        self._last: list[Suspension] | None = None

    # Being due before one's time

    def hurry(self, ids: Iterable[str], *, all: bool = False) -> None:
        """Make these messages due, as what they waited for is over; those that are in memory yet, as soon as they are not.

        Those that have left meanwhile are no concern; with `all`, also those that the scheduler does not know are.
        """
        context = self.current.context
        now, busy = context.clock.now(), []
        for id in ids:
            if id in context.scheduler.active:
                busy.append(id)
            elif all or context.scheduler.knows(id):
                self.hurried[id] = all
                context.scheduler.expect(id, now)
        context.wake()
        if busy and not all:
            asyncio.get_running_loop().call_later(SOON, self.hurry, busy)

    def pending(self, entry: Entry, pending: list[int], now: float) -> list[int]:
        """The recipients to be tried: `pending`, and of a message that was hurried also those who are not due yet."""
        all = self.hurried.pop(entry.id, None)
        if all is None:
            return pending
        last = entry.history.last
        return [to for to in entry.history.pending() if all or to not in last or not last[to].counts or last[to].due <= now]

    # Pauses

    async def read(self) -> bool:
        """Ask the spool what is suspended, and whether that has changed: what no longer is goes on."""
        context = self.current.context
        try:
            known = await context.spool.suspensions()
        except (Problem, OSError) as error:
            context.tell(Alarm(context.clock.now(), "pauses", f"the list of pauses stays as it was: {error}"))
            return False
        if [*known] == self._last:
            return False
        self._last = [*known]
        self._take_over(known)
        return True

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more: a pause for an hour is one of an hour, in memory and in the file."""
        context = self.current.context
        before = [pause for pause in self.pauses if pause.until < math.inf]
        if not before:
            return
        moved = (pause._replace(until=pause.until + seconds, at=pause.at + seconds) for pause in self.pauses)
        self.pauses = Suspensions(moved)
        try:
            at_once(context.spool.postpone(before, seconds, context.clock.now()))  # a spool with a clock of its own does nothing
        except Problem as problem:
            context.tell(Alarm(context.clock.now(), "pauses", f"the pauses in the file end by the old clock: {problem}"))

    def _take_over(self, known: Suspensions) -> None:
        context = self.current.context
        before, self.pauses = self.pauses, known
        for target in before.by_target.keys() - known.by_target.keys():
            context.tell(Daemon(context.clock.now(), "resumed", target))
            self.try_now(before.by_target[target].is_on)
            self.hurry(self._paused.pop(target, ()))
        for target in known.by_target.keys() - before.by_target.keys():
            context.tell(Daemon(context.clock.now(), "paused", known.by_target[target].reply))

    def paused(self, id: str, pause: Suspension, recipients: Iterable[int]) -> list[Outcome]:
        """Put message `id` off, which has met a pause: an outcome for each of its `recipients`, which is no attempt."""
        context = self.current.context
        now = context.clock.now()
        waiting = self._paused.setdefault(pause.target, {})
        if len(waiting) < REMEMBERED:
            waiting[id] = None
        due = min(pause.until, now + PAUSE_LOOK * (1 + 0.2 * context.random()))
        return verdict.paused(recipients, pause.reply, now, due)

    # Outages

    def behind(self, id: str, key: str) -> None:
        """Note that message `id` is put off while the breaker of the relay `key` is open, or until something of ours is mended."""
        waiting = self._behind.setdefault(key, {})
        if len(waiting) < REMEMBERED:
            waiting[id] = None

    def keys_behind(self) -> list[str]:
        """The destinations for which something is put off so."""
        return [*self._behind]

    def counts(self) -> dict[str, int]:
        """How many messages wait for the end of a ``pause``, and for a relay's ``breaker``. May be asked from another thread."""
        return {"pause": sum(map(len, [*self._paused.values()])), "breaker": sum(map(len, [*self._behind.values()]))}

    def over(self, key: str) -> None:
        """Let what was put off because of trouble at `key` go as fast as it is taken: the trouble has ended, or may have."""
        self.hurry(self._behind.pop(key, ()))

    def try_now(self, concerned: Callable[[str], bool]) -> None:
        """End the wait for those destinations: one session each finds out whether their breakers may close."""
        context = self.current.context
        now = context.clock.now()
        for key, destination in context.scheduler.destinations.items():
            if destination.rests(now) and concerned(key):
                context.scheduler.try_now(destination, now)


class Inherited(NamedTuple):
    """What the daemon before has put off: what is to be tried at once, and what waits for its submitter's turn."""

    hurried: list[str]
    fused: list[str]


async def inherited(status: StatusRecorder, config: Config) -> Inherited:
    """The messages, as `status` has them; none where it cannot be read."""
    routes = RouteTable.of(config)
    found: dict[str, None] = {}
    fused: dict[str, None] = {}
    cursor, more = "", True
    while more:
        page = await status.put_off(cursor)
        for id, domain, cause in page.items:
            if cause in BLAME or (cause is Cause.BREAKER and all(via.kind != "mx" for via in routes.find(domain).via)):
                found[id] = None
            elif cause is Cause.FUSED:
                fused[id] = None
        cursor, more = page.cursor, bool(page.cursor)
    return Inherited([*found], [*fused])
