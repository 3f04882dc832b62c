"""A model internet and a clock that jumps: the scheduler itself, with nothing around it that takes time.

`Simulation` does with a plan what the manager does, for messages that are a name, a sender and a destination. Hosts are of a `Kind`: how
long they take and what they answer is all that is known of them. One event is one thing that a host says.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from mailer.limits.window import Window
from mailer.queue.admission import LONG
from mailer.queue.attempt import Job
from mailer.queue.destination import Destination
from mailer.queue.scheduler import QueueLimits, Scheduler
from mailer.tlspolicy import Requirement
from mailer.transport.route import Endpoint, NextHop, Route

START = 1_800_000_000.0
RETRY = (60.0, 300.0, 900.0, 1800.0, 3600.0)
PATIENCE = 3


@dataclass(frozen=True)
class Kind:
    """What hosts there are. Times in seconds."""

    name: str
    connect: float = 0.1
    service: float = 0.2
    guests: int = 1000
    """Sessions that it bears; who comes beyond is told 421."""

    greylists: bool = False
    down: tuple[float, float] = (0.0, 0.0)
    """From when to when after the start nobody answers."""

    addresses: tuple[str, ...] = ()


FAST = Kind("fast")
SLOW = Kind("slow", service=5.0)
GREY = Kind("greylisting", greylists=True)
CROWDED = Kind("421 to the 6th", guests=5)
OUTAGE = Kind("down for 2 h", connect=1.0, down=(600.0, 7800.0))
HOLE = Kind("black hole", connect=30.0, down=(0.0, float("inf")))


class Message:
    """As much of a message as the scheduler looks at; it is its own attempt, entry and envelope."""

    __slots__ = ("arrived", "done", "id", "kind", "parts", "priority", "route", "sender", "state", "tries")

    def __init__(self, id: str, route: Route, kind: Kind, sender: str, arrived: float) -> None:
        self.id, self.route, self.kind, self.sender, self.arrived = id, route, kind, sender, arrived
        self.priority = "normal"
        self.state = "queued"
        self.parts = 1
        self.tries = 0
        self.done = 0.0

    @property
    def entry(self) -> Message:
        """Itself."""
        return self

    @property
    def envelope(self) -> Message:
        """Itself."""
        return self


def _stops(key: str, kind: Kind) -> tuple[NextHop, ...]:
    return (NextHop(Endpoint(key, 25, Requirement("none")), kind.addresses, relay=False),) if kind.addresses else ()


class Fixed(Window):
    """As many sessions as are allowed, whatever happens."""

    def __post_init__(self) -> None:
        self.size = self.start = self.cap

    def succeeded(self) -> bool:
        """Nothing is learned."""
        return False

    def failed(self) -> None:
        """Nothing is learned."""


class Plain(Window):
    """1/N more for a success, 1/N less for a failure, at once: no hysteresis."""

    def succeeded(self) -> bool:
        """A little more."""
        before, self.size = int(self.size), min(self.size + 1 / self.size, self.cap)
        return int(self.size) > before

    def failed(self) -> None:
        """A little less."""
        self.size = max(self.size - 1 / self.size, 1)


@dataclass
class Tally:
    """What came of it."""

    delays: dict[str, list[float]] = field(default_factory=dict)
    finished: dict[str, float] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    most_active: int = 0
    ended: float = 0.0

    def percentile(self, kind: str, part: float) -> float:
        """The delay that `part` of the messages did not exceed."""
        delays = sorted(self.delays.get(kind, [0.0]))
        return delays[min(int(part * len(delays)), len(delays) - 1)]

    def rate(self, kind: str) -> float:
        """Messages in a second, from the start to the last one."""
        return len(self.delays.get(kind, ())) / max(self.finished.get(kind, 0.0), 1e-9)


class Simulation:
    """`hosts` kinds by destination key; `window` makes the windows; `lenient`: 421 to one session of several is no attempt."""

    def __init__(
        self,
        hosts: dict[str, Kind],
        limits: QueueLimits | None = None,
        window: Callable[..., Window] = Window,
        *,
        lenient: bool = True,
        seed: int = 1,
    ) -> None:
        self.hosts = hosts
        self.routes = {key: Route(key, _stops(key, kind), relay=False) for key, kind in hosts.items()}
        self.scheduler = Scheduler(limits or QueueLimits())
        self.window, self.lenient = window, lenient
        self.random = random.Random(seed)
        self.now = START
        self.messages: dict[str, Message] = {}
        self.guests: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.tally = Tally()
        self._calls: dict[str, list[Job]] = {}
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = count()

    def put(self, key: str, sender: str = "me@example.com", at: float = 0.0) -> Message:
        """A message for `key`, `at` seconds after the start."""
        message = Message(f"{len(self.messages):026}", self.routes[key], self.hosts[key], sender, START + at)
        self.messages[message.id] = message
        if at:
            self._later(at, self.scheduler.expect, message.id, 0.0)
        else:
            self.scheduler.expect(message.id, 0.0)
        return message

    def run(self, seconds: float) -> Tally:
        """Let time pass until nothing happens any more, or `seconds` are over."""
        end = START + seconds
        while self.now < end:
            again = self._plan()
            if not self._events and again is None:
                break
            following = self._events[0][0] if self._events else end
            self.now = min(end, following if again is None else min(following, max(again, self.now)))
            while self._events and self._events[0][0] <= self.now:
                _, _, act, arguments = heapq.heappop(self._events)
                act(*arguments)
        self.tally.ended = self.now - START
        return self.tally

    def _later(self, seconds: float, act: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._serial), act, arguments))

    def _plan(self) -> float | None:
        plan = self.scheduler.plan(self.now)
        for destination in plan.put_off:
            for job in destination.take_all():
                self.tally.events["put off"] += 1
                self._back(job, destination.rests_until + destination.spread(self.random.random()))
        for destination in plan.call_off:
            self._called_off(destination)
        for destination, job in plan.open:
            self._calls.setdefault(destination.key, []).append(job)
            self._later(destination.route.relay or self.hosts[destination.key].connect, self._connected, destination, job)
        for id in plan.load:
            self._load(self.messages[id])
        self.tally.most_active = max(self.tally.most_active, len(self.scheduler.active))
        return self.now if plan.put_off else plan.again  # what was put off is news, of which the plan does not know

    def _load(self, message: Message) -> None:
        self.tally.events["read"] += 1
        if not self.scheduler.admits(message.route, message.id, self.now):
            self._no_room(message)
            return
        known = message.route.key in self.scheduler.destinations
        destination = self.scheduler.queue(Job(message, message.route, [0]))  # type: ignore[arg-type]
        if not known:
            destination.window = self.window(destination.window.size, destination.window.cap)

    def _no_room(self, message: Message) -> None:
        if self.scheduler.is_long(message.route, self.now):
            self.tally.events["congested"] += 1
            self._back(Job(message, message.route, [0]), self.now + LONG * (1 + self.random.random()))  # type: ignore[arg-type]
        else:
            self.tally.events["parked"] += 1
            self.scheduler.park(message.id, message.route)

    def _called_off(self, destination: Destination) -> None:
        """Others wait, and this one has been silent for long."""
        self._refused(destination, self._calls[destination.key].pop(0), "called off")

    def _connected(self, destination: Destination, job: Job) -> None:
        """The host answers, or does not."""
        calls = self._calls[destination.key]
        if not any(job is each for each in calls):
            return
        self._calls[destination.key] = [each for each in calls if each is not job]
        kind = self.hosts[destination.key]
        begin, end = kind.down
        if begin <= self.now - START < end:
            self._refused(destination, job, "no answer")
        elif self.guests[destination.key] >= kind.guests:
            self._refused(destination, job, "421")
        else:
            self.guests[destination.key] += 1
            self.scheduler.stands(destination)
            self._work(destination, job)

    def _work(self, destination: Destination, job: Job) -> None:
        service = self.hosts[destination.key].service
        self._later(service * (0.5 + self.random.random()), self._answered, destination, job)

    def _answered(self, destination: Destination, job: Job) -> None:
        message: Message = job.attempt  # type: ignore[assignment]
        self.scheduler.succeeded(destination)
        if message.kind.greylists and message.tries == 0:
            self._defer(job)
        else:
            message.done = self.now
            self.scheduler.forget(message.id)
            self.served[destination.key] += 1
            self.tally.delays.setdefault(message.kind.name, []).append(self.now - message.arrived)
            self.tally.finished[message.kind.name] = self.now - START
        welcome = not self.scheduler.must_yield() and destination.running <= destination.window.size and not destination.breaker.failures
        following = destination.take(self.now) if welcome else None
        self.scheduler.drained(destination)
        if following is not None:
            self._work(destination, following)
        else:
            self.guests[destination.key] -= 1
            self.scheduler.session_ended(destination)

    def _refused(self, destination: Destination, job: Job, reply: str) -> None:
        self.tally.events[reply] += 1
        if self.lenient and reply == "421" and destination.running > 1 and not destination.breaker.failures and job.turned_away < PATIENCE:
            job.turned_away += 1
            destination.crowded(self.now, reply)
            self.scheduler.queue(job)
        else:
            if reply == "421":
                self.tally.events["deferred by our own concurrency"] += 1
            self.scheduler.failed(destination, self.now, reply)
            self._defer(job)
        self.scheduler.session_ended(destination)

    def _defer(self, job: Job) -> None:
        message: Message = job.attempt  # type: ignore[assignment]
        message.tries += 1
        self._back(job, self.now + RETRY[min(message.tries, len(RETRY)) - 1] * self.random.uniform(0.8, 1.2))

    def _back(self, job: Job, due: float) -> None:
        message: Message = job.attempt  # type: ignore[assignment]
        message.state = "deferred"
        self.scheduler.forget(message.id)
        self.scheduler.expect(message.id, due)

    def jain(self, kind: Kind, until: float) -> float:
        """How evenly the destinations of a kind were served in the first `until` seconds: 1 is even, 1/n is one of n."""
        shares = Counter(m.route.key for m in self.messages.values() if m.kind is kind and 0 < m.done <= START + until)
        rates = [shares[key] for key, each in self.hosts.items() if each is kind]
        return sum(rates) ** 2 / (len(rates) * sum(rate * rate for rate in rates) or 1)
