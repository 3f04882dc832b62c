"""Standstill: mail that waits for what can end at any moment: an operator's pause, a night without a network, an outage of a relay.

None is an attempt, so nothing counts and nothing is learned about a destination. The message is put off like any other and looked
at again from time to time, in case nobody says that the wait is over; but who waits is remembered here, so that all go at once when
it is.

*Pauses* are read from their file (`spool.pauses`) when the doorbell says so, and whenever the queue is looked through. What waits in
memory for a destination that is paused is put off with the rest. A pause is an operator's word about a destination, and mail expires
as ever.

*Offline* is noticed by what fails: no name server can be reached, or a connection cannot be begun and this machine has no route. It is
our own trouble, for which nothing expires. While something waits for that, the kernel is asked every `POLL` seconds whether there is
a route, which sends nothing; if there is one, a single message finds out how far it gets, and when it gets further than the
last time, all go. (Netlink would tell a second earlier, and not whether the name servers answer.)

*Outages* of a relay are the breaker's to notice and to end; what was put off meanwhile, and was not tried, goes when it closes. So does
what waits until something of ours is mended, also at a reload.
"""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING

from mailer.events import Alarm, Daemon
from mailer.mail.cause import Cause
from mailer.mail.problem import Problem
from mailer.net.happy_eyeballs import has_route
from mailer.spool.files import suspensions
from mailer.spool.suspensions import Suspensions

from ..transport import verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.mail.outcome import Outcome
    from mailer.spool.api import Entry
    from mailer.spool.suspensions import Suspension

    from .attempt import Job
    from .scheduler import Scheduler

POLL = 3.0  # seconds between two looks for a route, while something waits for one
PAUSE_LOOK = 900.0  # seconds after which mail that is paused is looked at again: it may have expired, or the news may have been lost
OFFLINE_LOOK = 60.0  # seconds after which mail that found no network is looked at again, whatever the kernel says
SHORT_LOOK = 5.0  # seconds after which mail is tried again for which there was no descriptor, up to twice as long
SHORT_ALARM = 60.0  # seconds between two alarms about that
SOON = 1.0  # seconds, for what is just being put off
REMEMBERED = 100_000  # messages; those beyond wait for the next look


class Standstill:
    """What waits for the end of something. `wake` makes the manager plan anew, `online` says whether there is a route."""

    def __init__(
        self,
        root: str,
        scheduler: Scheduler,
        clock: Clock,
        tell: Callable[[Event], None],
        wake: Callable[[], None],
        random: Callable[[], float],
        online: Callable[[], bool] = has_route,
    ) -> None:
        self.root = root
        self.scheduler = scheduler
        self.clock = clock
        self.tell = tell
        self.wake = wake
        self.random = random
        self.online = online
        self.pauses = Suspensions()
        self.hurried: dict[str, bool] = {}
        """Messages that are due whatever their records say: False for those recipients that were never tried, True for all."""
        self._paused: dict[str, dict[str, None]] = {}
        self._offline: dict[str, None] = {}
        self._behind: dict[str, dict[str, None]] = {}
        self._probe = ""
        self._told_at = 0.0
        self._version: tuple[int, ...] = ()

    # Being due before one's time

    def hurry(self, ids: Iterable[str], *, all: bool = False) -> None:
        """What these messages waited for is over: they are due now, and those that are in memory yet as soon as they are not.

        Those that have left meanwhile are no concern; with `all`, also those that the scheduler does not know are.
        """
        now, busy = self.clock.now(), []
        for id in ids:
            if id in self.scheduler.active:
                busy.append(id)
            elif all or self.scheduler.knows(id):
                self.hurried[id] = all
                self.scheduler.expect(id, now)
        self.wake()
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

    def read(self) -> bool:
        """Read the file of pauses if it has changed, and whether it has: what is no longer paused goes on."""
        try:
            version = _version(f"{self.root}/{suspensions.NAME}")
            if version == self._version:
                return False
            known = suspensions.read(self.root)
        except (Problem, OSError) as error:
            self.tell(Alarm(self.clock.now(), "pauses", f"the list of pauses stays as it was: {error}"))
            return False
        self._version = version
        self._take_over(known)
        return True

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more: a pause for an hour is one of an hour, in memory and in the file."""
        before = [pause for pause in self.pauses if pause.until < math.inf]
        if not before:
            return
        moved = (pause._replace(until=pause.until + seconds, at=pause.at + seconds) for pause in self.pauses)
        self.pauses = Suspensions(moved)
        try:
            suspensions.move(self.root, before, seconds, self.clock.now())
        except Problem as failure:
            self.tell(Alarm(self.clock.now(), "pauses", f"the pauses in the file end by the old clock: {failure}"))

    def _take_over(self, known: Suspensions) -> None:
        before, self.pauses = self.pauses, known
        for target in before.by_target.keys() - known.by_target.keys():
            self.tell(Daemon(self.clock.now(), "resumed", target))
            self._try_now(before.by_target[target].is_on)
            self.hurry(self._paused.pop(target, ()))
        for target in known.by_target.keys() - before.by_target.keys():
            self.tell(Daemon(self.clock.now(), "paused", known.by_target[target].reply))

    def paused(self, id: str, pause: Suspension, recipients: Iterable[int]) -> list[Outcome]:
        """Message `id` has met a pause: an outcome for each of its `recipients`, which is no attempt."""
        now = self.clock.now()
        waiting = self._paused.setdefault(pause.target, {})
        if len(waiting) < REMEMBERED:
            waiting[id] = None
        due = min(pause.until, now + PAUSE_LOOK * (1 + 0.2 * self.random()))
        return verdict.paused(recipients, pause.reply, now, due)

    # Outages

    def behind(self, id: str, key: str) -> None:
        """Message `id` is put off while the breaker of the relay `key` is open, or until something of ours is mended."""
        waiting = self._behind.setdefault(key, {})
        if len(waiting) < REMEMBERED:
            waiting[id] = None

    def keys_behind(self) -> list[str]:
        """The destinations for which something is put off so."""
        return [*self._behind]

    def over(self, key: str) -> None:
        """The trouble at `key` has ended, or may have: what was put off because of it goes as fast as it is taken."""
        self.hurry(self._behind.pop(key, ()))

    def _try_now(self, concerned: Callable[[str], bool]) -> None:
        """The wait is over for those destinations: one session each finds out whether that of their breakers is, too."""
        now = self.clock.now()
        for key, destination in self.scheduler.destinations.items():
            if destination.rests(now) and concerned(key):
                self.scheduler.try_now(destination, now)

    # Offline

    def offline(self, id: str) -> float:
        """Message `id` has found no network; returns when it is looked at again, in seconds since the epoch."""
        if len(self._offline) < REMEMBERED:
            self._offline[id] = None
        return self.clock.now() + OFFLINE_LOOK

    def unreachable(self, job: Job, outcomes: Sequence[Outcome]) -> list[Outcome] | None:
        """What became of `job` instead, whose `outcomes` are that no connection could be begun, if this machine is offline, or short of
        what a connection needs: that is no attempt, and nothing is learned from it."""
        if outcomes[0].cause is Cause.SHORT:
            return self._short(outcomes)
        if not all(o.scope == "host" and o.phase == "connect" and _is_elsewhere(o.hop.ip) for o in outcomes) or self.online():
            return None
        due = self.offline(job.attempt.entry.id)
        return verdict.offline(outcomes, due)

    def _short(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        now = self.clock.now()
        if not 0 <= now - self._told_at < SHORT_ALARM:
            self._told_at = now
            self.tell(Alarm(now, "descriptors", outcomes[0].text))
        due = now + SHORT_LOOK * (1 + self.random())
        return verdict.short_of_descriptors(outcomes, due)

    def poll(self) -> None:
        """Look whether the network is back, if something waits for it."""
        if not self._offline:
            return
        if not self.online():
            self._probe = ""
        elif not self._probe:
            self._send_probe()
        elif self._probe not in self.scheduler.active:  # it has come back, or has got further than the last time
            if self._probe in self._offline:
                self._send_probe()
            else:
                ids, self._offline, self._probe = [*self._offline], {}, ""
                self.tell(Daemon(self.clock.now(), "online", f"{len(ids)} messages waited for the network"))
                self._try_now(lambda _: True)
                self.hurry(ids)

    def _send_probe(self) -> None:
        """One message finds out; if it has left meanwhile, that is an answer, too."""
        self._probe = next(iter(self._offline))
        del self._offline[self._probe]
        self.hurry([self._probe])
        if len(self._offline) == 0:  # nobody waits for what it finds out
            self._probe = ""


def _version(path: str) -> tuple[int, ...]:
    """What tells one state of the file from another; nothing where there is none."""
    try:
        about = os.stat(path)
    except FileNotFoundError:
        return ()
    return (about.st_ino, about.st_mtime_ns, about.st_size)


def _is_elsewhere(ip: str) -> bool:
    """Whether an address is beyond this machine: what does not answer here says nothing about the network."""
    return not ip.startswith("127.") and ip != "::1"
