"""The scheduler: which messages to read, which sessions to open, and when to look again. Pure.

It knows three kinds of messages: those that wait on disk until they are due (a heap of times and names,
nothing else is kept of them), those that are due, and those that are in memory, of which there are never
more than `active_limit`. `plan` looks at everything and decides; the engine carries the plan out and tells
the scheduler what happened. Destinations take turns, so that none waits for another's queue.

New mail and mail that was put off before take turns too: a mountain of deferred mail never keeps a first
attempt waiting.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .destination import Destination, Window

if TYPE_CHECKING:
    from .attempt import Job
    from .router import Way

BATCH = 50  # messages read before the sessions get a turn


@dataclass(slots=True)
class Plan:
    """What to do now: read `load`, open a session for each of `open` and begin with its job, put off what waits for `put_off`.

    `again` is when to plan anew if nothing happens before: 0.0 at once, None not before something does.
    """

    load: list[str] = field(default_factory=list)
    open: list[tuple[Destination, Job]] = field(default_factory=list)
    put_off: list[Destination] = field(default_factory=list)
    again: float | None = None


@dataclass(slots=True)
class Limits:
    """How much at once: messages in memory, sessions in all, sessions and their start per destination."""

    active: int = 10_000
    connections: int = 100
    per_destination: int = 20
    start_mx: int = 2
    start_relay: int = 5


class Scheduler:
    """Everything that is to be delivered, by when it may be."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.destinations: dict[str, Destination] = {}
        self.active: set[str] = set()
        self.running = 0
        self._waiting: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._fresh: deque[str] = deque()
        self._due: deque[str] = deque()
        self._turn: dict[str, Destination] = {}  # those with a queue, in the order of their turns

    # What is told to it

    def expect(self, id: str, due: float) -> None:
        """Message `id` is on disk and due at `due`; 0.0 is a message that is new. Ignored while it is in memory."""
        if id in self.active or self._waiting.get(id) == due:
            return
        self._waiting[id] = due
        if due:
            heapq.heappush(self._heap, (due, id))
        else:
            self._fresh.append(id)

    def forget(self, id: str) -> None:
        """Message `id` is not to be tried any more."""
        self._waiting.pop(id, None)
        self.active.discard(id)

    def knows(self, id: str) -> bool:
        """Whether it waits or is in memory."""
        return id in self._waiting or id in self.active

    def due_of(self, id: str) -> float | None:
        """When it is due; None if it does not wait."""
        return self._waiting.get(id)

    def queue(self, job: Job) -> Destination:
        """A part of a message that is in memory waits for its destination from now on."""
        destination = self.destination(job.way)
        self._turn.setdefault(job.way.key, destination)
        destination.add(job)
        return destination

    def destination(self, way: Way) -> Destination:
        """What is known of where `way` leads; made when it is met for the first time."""
        known = self.destinations.get(way.key)
        if known is None:
            limits = self.limits
            start = limits.start_relay if way.relay else limits.start_mx
            known = Destination(way.key, Window(min(start, limits.per_destination), limits.per_destination))
            self.destinations[way.key] = known
        return known

    def limit(self, limits: Limits) -> None:
        """Other limits hold from now on, for the destinations that are known too."""
        self.limits = limits
        for destination in self.destinations.values():
            destination.window.cap = limits.per_destination
            destination.window.size = min(destination.window.size, limits.per_destination)

    # What it decides

    def plan(self, now: float) -> Plan:
        """Look at everything and decide. The messages to load count as being in memory from now on."""
        plan = Plan()
        self._plan_sessions(plan, now)
        self._plan_loads(plan, now)
        if plan.load:
            plan.again = 0.0
        elif self._heap and len(self.active) < self.limits.active:
            plan.again = self._heap[0][0]
        return plan

    def _plan_loads(self, plan: Plan, now: float) -> None:
        self._ripen(now)
        room = min(BATCH, self.limits.active - len(self.active))
        while room > 0 and (self._fresh or self._due):
            for source in (self._fresh, self._due):
                if source and room > 0:
                    id = source.popleft()
                    due = self._waiting.get(id)
                    if due is None or due > now or id in self.active:
                        continue  # forgotten, or expected anew for later
                    del self._waiting[id]
                    self.active.add(id)
                    plan.load.append(id)
                    room -= 1

    def _ripen(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, id = heapq.heappop(self._heap)
            if self._waiting.get(id) == due:
                self._due.append(id)

    def _plan_sessions(self, plan: Plan, now: float) -> None:
        """One session for each destination in turn, round and round, while there is room anywhere."""
        self._turn = {key: destination for key, destination in self._turn.items() if len(destination)}
        plan.put_off = [destination for destination in self._turn.values() if destination.breaker.is_open(now)]
        progress = True
        while progress and self.running < self.limits.connections:
            progress = False
            for destination in self._turn.values():
                if self.running < self.limits.connections and destination.has_room(now) and (job := destination.take()):
                    destination.running += 1
                    self.running += 1
                    plan.open.append((destination, job))
                    progress = True
        for destination, _ in plan.open:  # who had a turn comes last in the next plan
            self._turn[destination.key] = self._turn.pop(destination.key)

    def must_yield(self, destination: Destination) -> bool:
        """Whether a session there has to end after its job: all are taken, and another destination has none for its mail."""
        if self.running < self.limits.connections:
            return False
        return any(other.running == 0 and len(other) for other in self._turn.values() if other is not destination)

    @property
    def idle(self) -> bool:
        """Whether nothing is in memory and nothing that was due by the last plan waits."""
        return not self.active and not self._fresh and not self._due

    def backlog(self) -> dict[str, int]:
        """How many messages wait on disk and how many are in memory."""
        return {"waiting": len(self._waiting), "active": len(self.active), "sessions": self.running}

    def session_ended(self, destination: Destination) -> None:
        """A session that the plan opened has found no more work."""
        destination.running -= 1
        self.running -= 1
