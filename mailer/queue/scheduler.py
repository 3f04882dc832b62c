"""The scheduler: which messages to read, which sessions to open, and when to look again. Pure.

It knows three kinds of messages: those that wait on disk (`due`: a name and a time, nothing else is kept of them), those that are
due, and those that are in memory, of which there are never more than `active_limit`. `plan` decides; the manager carries the
plan out and tells the scheduler what happened. What a plan costs depends on what is due and what has changed, not on how much waits.

Destinations take turns, as they stand in `lines`. New mail and mail that was put off before take turns too, and a fifth of the sessions is
kept for destinations that have mail which was never tried: a mountain of deferred mail never keeps a first attempt waiting. Who has not
answered yet gets no more than `newcomers` allows. Which messages stay in memory, `admission` says.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Literal

from mailer.limits.window import Window

from .admission import Admission, is_long
from .destination import Destination
from .due import DueQueue
from .lines import WaitingLines
from .newcomers import Newcomers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailer.shaping.table import Terms
    from mailer.transport.route import Route

    from .attempt import Job

BATCH = 50  # messages read before the sessions get a turn
FORGET = 3600.0  # seconds for which a destination is remembered that nothing is the matter with
MANY = 10_000  # destinations; beyond, those are forgotten at once
KEPT = 5  # one session in so many is kept for mail that was not tried before
PORTION = 10_000  # messages that are looked at while no other thread has its turn
CONGESTED = 60.0  # seconds a part of a message is put off for, if there is no room for it and the other parts go on


@dataclass(slots=True)
class Plan:
    """What to do now: read `load`, open a session for each of `open` and begin with its job, put off what waits for `put_off`, and call
    off the oldest session of each of `call_off` that does not stand yet.

    `again` is when to plan anew if nothing happens before: 0.0 at once, None not before something does.
    """

    load: list[str] = field(default_factory=list)
    open: list[tuple[Destination, Job]] = field(default_factory=list)
    put_off: list[Destination] = field(default_factory=list)
    call_off: list[Destination] = field(default_factory=list)
    again: float | None = None


@dataclass(slots=True)
class QueueLimits:
    """The limits of how much is done at once: messages in memory, sessions in all, sessions and their start per destination."""

    active: int = 10_000
    connections: int = 100
    per_destination: int = 20
    start_mx: int = 2
    start_relay: int = 5


def _nobody_counts(_: Destination) -> None:
    """What nobody wants to know."""


class Scheduler:
    """The scheduler of everything that is to be delivered, by when it may be.

    `terms` says on what terms a destination gets mail, if anything does.
    """

    def __init__(self, limits: QueueLimits, terms: Callable[[Route], Terms] | None = None) -> None:
        self.limits = limits
        self.terms = terms
        self.limited: Callable[[Destination], object] = _nobody_counts
        """Told each time that a rate of ours keeps mail of a destination waiting."""
        self.destinations: dict[str, Destination] = {}
        self.running = 0
        self.newcomers = Newcomers(limits.connections, limits.per_destination)
        self._now = 0.0
        self._waiting = DueQueue()
        self._memory = Admission(limits.active, self._waiting)
        self.active = self._memory.active
        self._lines = WaitingLines()
        self._timers: list[tuple[float, int, Destination]] = []
        self._serial = count()
        self._retrying = 0  # sessions that were opened for retries
        self._idle: deque[tuple[float, Destination]] = deque()

    # What is told to it about messages

    def expect(self, id: str, due: float) -> None:
        """Expect message `id`, which is on disk and due at `due`; 0.0 is a message that is new.

        Ignored while it is in memory, or due and parked.
        """
        if id not in self.active:
            self._waiting.add(id, due)

    def expect_all(self, dues: Iterable[tuple[float, str]]) -> None:
        """Expect messages that a scan found, (when due, ID) each, unless they are known."""
        active, waiting = self.active, self._waiting
        for due, id in dues:
            if id not in waiting.dues and id not in active:
                waiting.add(id, due)

    def forget(self, id: str) -> None:
        """Forget message `id`, which is not to be tried any more."""
        if id in self.active:
            self._memory.forget(id)
        else:
            self._waiting.remove(id)

    def knows(self, id: str) -> bool:
        """Whether message `id` waits or is in memory."""
        return id in self.active or id in self._waiting.dues

    def known(self) -> list[str]:
        """All messages that wait or are in memory, in no order."""
        return [*self._waiting.dues, *self.active]

    def due_of(self, id: str) -> float | None:
        """When message `id` is due, 0.0 if it waits for nothing but its turn; None if it does not wait."""
        return self._waiting.of(id)

    def admits(self, route: Route, id: str, now: float) -> bool:
        """Whether message `id`, which was read, may stay in memory until its destination has time for it."""
        return self._memory.admits(self.destinations.get(route.key), id, now)

    def weigh(self, id: str, size: int) -> None:
        """Note that message `id`, which was read, has `size` bytes of envelope and records, which stay in memory with it."""
        self._memory.weigh(id, size)

    @property
    def crowded(self) -> bool:
        """Whether all memory is taken by messages that have very much of these."""
        return self._memory.crowded

    def is_long(self, route: Route, now: float) -> bool:
        """Whether so much waits for its destination that a message should rather be put off for `admission.LONG` seconds or more."""
        return is_long(self.destination(route), now)

    def park(self, id: str, route: Route) -> None:
        """Let message `id`, which was not admitted, wait on disk until its destination has room."""
        self._memory.park(self.destination(route), id, self._now)

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more: whatever is until or since a time is so by the new one."""
        self._now += seconds
        self._waiting.move(seconds)
        self._memory.move(seconds)
        self._timers = [(at + seconds, serial, destination) for at, serial, destination in self._timers]
        self._idle = deque((since + seconds, destination) for since, destination in self._idle)
        for destination in self.destinations.values():
            destination.move(seconds)

    # What is told to it about destinations

    def queue(self, job: Job) -> Destination:
        """Queue a part of a message that is in memory for its destination, which is returned."""
        destination = self.destinations.get(job.route.key)
        if destination is None:
            destination = self.destination(job.route)
        destination.queue.add(job)
        if not destination.line:
            if not destination.running:
                destination.mark(self._now)
            self._lines.join(destination, self._now)
        elif (destination.line == "retries" and not destination.only_retries) or (
            destination.line == "timer" and not job.attempt.entry.envelope.sender  # a report waits for no rate of messages
        ):
            self._lines.join(destination, self._now)
        return destination

    def destination(self, route: Route) -> Destination:
        """The destination that `route` leads to; made when it is met for the first time."""
        known = self.destinations.get(route.key)
        if known is None:
            start, cap = self._start(route), self.limits.per_destination
            known = self.destinations[route.key] = Destination(route.key, Window(start, cap, start), route)
            if self.terms is not None:
                known.agree(self.terms(route))
                known.window.restart()
            known.idle_since = self._now
            self._idle.append((self._now, known))
        return known

    def _start(self, route: Route) -> int:
        limits = self.limits
        return min(limits.start_relay if route.relay else limits.start_mx, limits.per_destination)

    def limit(self, limits: QueueLimits) -> None:
        """Let other limits hold from now on, for the destinations that are known too."""
        self.limits = limits
        self._memory.most = limits.active
        self.newcomers.limit(limits.connections, limits.per_destination)
        for destination in self.destinations.values():
            destination.window.limit(self._start(destination.route), limits.per_destination)
        self.terms_changed()

    def terms_changed(self) -> None:
        """Note that `terms` has other answers now, or is another one."""
        for destination in self.destinations.values():
            if self.terms is not None:
                destination.agree(self.terms(destination.route))
            if len(destination):
                self._lines.join(destination, self._now)

    def changed(self, destination: Destination) -> None:
        """Look again at `destination`, which was paused or resumed."""
        if len(destination):
            self._lines.join(destination, self._now)

    def try_now(self, destination: Destination, now: float) -> None:
        """Let one session find out at once, as an operator says that mail may go there."""
        destination.try_now(now)
        self.changed(destination)

    def reopen(self, destination: Destination) -> None:
        """Forget what `destination` did: it is called in another way from now on."""
        destination.reopen()
        self.changed(destination)

    def succeeded(self, destination: Destination) -> bool:
        """Note that a host of `destination` talked to us about a message; returns whether another session may be opened now."""
        if destination.guest is not None:
            self.newcomers.took(destination)
        if destination.succeeded() and len(destination) and not destination.line:
            self._lines.join(destination, self._now)
            return True
        return False

    def failed(self, destination: Destination, now: float, reply: str, *, ours: bool = False) -> None:
        """Note that no host of `destination` would talk, or (`ours`) one would not let us in."""
        if not destination.breaker.failures:
            destination.pace(now)
        destination.failed(now, reply, ours=ours)
        self.newcomers.failed(destination)
        if len(destination) and destination.rests(now):
            self._lines.join(destination, self._now)

    def stands(self, destination: Destination) -> bool:
        """Note that a session which the plan opened has got as far as mail; returns whether others wait, so that it is time to plan."""
        self.newcomers.stands(destination)
        return self.newcomers.waiting

    def session_ended(self, destination: Destination) -> None:
        """Note that a session which the plan opened has found no more work."""
        destination.running -= 1
        self.running -= 1
        self.newcomers.closed(destination)
        if destination.retrying > destination.running:
            destination.retrying -= 1
            self._retrying -= 1
        if destination.terms is not None:
            destination.terms.throttle.closed()
        if len(destination):
            self._lines.join(destination, self._now)
        elif not destination.running:
            destination.idle_since = self._now
            self._idle.append((self._now, destination))

    # What it decides

    def plan(self, now: float) -> Plan:
        """Look at what has changed and decide. The messages to load count as being in memory from now on."""
        plan = Plan()
        self._now = now
        self._ring(now)
        self._plan_rests(plan, now)
        self._plan_sessions(plan, now)
        self._plan_loads(plan, now)
        self._forget_idle(now)
        self._plan_call_offs(plan, now)
        plan.again = 0.0 if plan.load else self._again(now, plan.again)
        return plan

    def _again(self, now: float, patience: float | None) -> float | None:
        times = [self._timers[0][0]] if self._timers else []
        if patience is not None:
            times.append(patience)
        if (again := self._memory.again(now)) is not None:
            times.append(again)
        return min(times, default=None)

    def _ring(self, now: float) -> None:
        """Those whose time has come are looked at again."""
        while self._timers and self._timers[0][0] <= now:
            at, _, destination = heapq.heappop(self._timers)
            if destination.wakes_at == at:
                destination.wakes_at = 0.0
                if len(destination) and destination.line == "timer":
                    self._lines.join(destination, self._now)

    def _plan_rests(self, plan: Plan, now: float) -> None:
        for destination in self._lines.rested():
            if len(destination) and destination.rests(now):
                plan.put_off.append(destination)
                self._memory.relieve(destination)
            elif len(destination):
                self._lines.join(destination, now)

    def _plan_sessions(self, plan: Plan, now: float) -> None:
        """One session for each destination in turn, round and round, while there is room anywhere."""
        self._lines.go_first(self.newcomers.let_out())
        while self.running < self.limits.connections and (destination := self._lines.next(may_retry=self._may_retry)):
            if destination.rests(now):
                destination.line = ""
                plan.put_off.append(destination)
            elif (crowd := self.newcomers.lacks(destination)) and not destination.blocked(now):
                self.newcomers.wait(destination, crowd)
            elif not destination.blocked(now) and (job := destination.take(now)):
                self._open(plan, destination, job, now)
            else:
                self._wait(destination, now)

    def _plan_call_offs(self, plan: Plan, now: float) -> None:
        """Who has been silent for too long while others wait. How many of them wait for what does not matter: he had his time."""
        full = self.running >= self.limits.connections and self._lines.wanted(may_retry=False)
        if not (full or self.newcomers.waiting):
            return
        for destination, until in self.newcomers.silent(all=full):
            if until > now:
                plan.again = until
                break
            plan.call_off.append(destination)
        for destination in plan.call_off:
            self.newcomers.call_off(destination)

    @property
    def _may_retry(self) -> bool:
        return self._retrying < self.limits.connections - self.limits.connections // KEPT

    def _open(self, plan: Plan, destination: Destination, job: Job, now: float) -> None:
        destination.line = ""
        destination.running += 1
        self.running += 1
        if job.attempt.entry.state == "deferred":
            destination.retrying += 1
            self._retrying += 1
        if destination.terms is not None:
            destination.terms.throttle.opened(now)
        self.newcomers.opened(destination, now)
        plan.open.append((destination, job))
        if len(destination):
            self._lines.join(destination, self._now)

    def _wait(self, destination: Destination, now: float) -> None:
        """What keeps it from another session ends with a session of its own, or at a time."""
        destination.line = ""
        if not destination.breaker.allows(now, destination.running) or destination.running >= destination.window.size:
            return
        destination.line = "timer"
        self.limited(destination)
        ready = max(destination.ready(now), now + 0.001)
        if not destination.wakes_at or ready < destination.wakes_at:
            destination.wakes_at = ready
            heapq.heappush(self._timers, (ready, next(self._serial), destination))

    def _plan_loads(self, plan: Plan, now: float) -> None:
        memory, waiting = self._memory, self._waiting
        room = min(BATCH, memory.room)
        memory.call(plan.load, room)
        room -= len(plan.load)
        waiting.ripen(now)
        if memory.waits(now):
            return
        while room > 0 and (waiting.fresh or waiting.due):
            for fresh in (True, False):
                if room > 0 and (waiting.fresh if fresh else waiting.due) and (id := waiting.pick(now, fresh=fresh)):
                    self.active.add(id)
                    plan.load.append(id)
                    room -= 1

    def drained(self, destination: Destination) -> bool:
        """Note that a session has taken a job; returns whether it is time to plan, for little is left to do there."""
        if destination.queue.count >= destination.low:
            return False
        self._memory.relieve(destination)
        return True

    def _forget_idle(self, now: float) -> None:
        """What nothing is the matter with is forgotten after a while, or at once where there are very many."""
        idle = self._idle
        while idle and (idle[0][0] + FORGET <= now or len(self.destinations) > MANY):
            since, destination = idle.popleft()
            if destination.idle_since != since or self.destinations.get(destination.key) is not destination:
                continue
            if destination.boring(now):
                del self.destinations[destination.key]
            elif not (len(destination) or destination.running):
                destination.idle_since = now
                idle.append((now, destination))
                break

    def must_yield(self) -> bool:
        """Whether a session has to end after its job: all are taken, and some destination has none for its mail."""
        if self.running < self.limits.connections:
            return False
        return self._lines.wanted(may_retry=self._may_retry)

    @property
    def idle(self) -> bool:
        """Whether nothing is in memory and nothing that was due by the last plan waits."""
        return not (self.active or self._waiting.fresh or self._waiting.due or self._memory.lots)

    def backlog(self) -> dict[str, int]:
        """How many messages wait on disk and how many are in memory. May be asked from another thread."""
        return {"waiting": len(self._waiting), "active": len(self.active), "sessions": self.running}

    @property
    def ripe(self) -> int:
        """How many messages wait on disk for nothing but their turn, about. May be asked from another thread."""
        return min(len(self._waiting.fresh) + len(self._waiting.due), len(self._waiting))

    def ids(self, kind: Literal["fresh", "later", "active"]) -> Iterator[list[str]]:
        """The messages that wait for nothing but their turn, for their time, or are in memory, in portions.

        May be asked from another thread; what comes or goes meanwhile may be in it or not.
        """
        if kind == "active":
            yield [*self.active]
            return
        dues = [*self._waiting.dues.items()]
        for start in range(0, len(dues), PORTION):
            later = kind == "later"
            yield [id for id, due in dues[start : start + PORTION] if (isinstance(due, float) and due > 0.0) is later]
