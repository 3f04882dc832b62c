"""A destination: what shares a fate. Its queue, how many sessions it may have, how fast, and whether it is to be left alone.

A destination is a relay, or the normalised set of MX hosts, so that all domains of one operator share
their limits. What is known of it outlives its jobs: a destination with one message at a time must not
forget its failures. Everything here is pure; time comes in as an argument, in seconds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mailer.limits.breaker import Breaker
from mailer.limits.window import Window
from mailer.transport.route import Route

from .fairness import FairQueue

if TYPE_CHECKING:
    from mailer.mail.outcome import Outcome, WaitKind
    from mailer.shaping.table import Terms

    from .attempt import Job

NOWHERE = Route("", (), relay=False)
MEASURED = 0.5  # seconds over which a pace is measured, at least
LOW_WATER = 2  # jobs left in the queue when more messages are read
WORD = 1.0  # seconds in which the words of an operator are one: he may have meant two thousand messages
REMEMBERED = 100_000  # messages that met nobody
LONGEST_SPREAD = 600.0  # seconds over which a backlog comes back at most


class HoldUp(NamedTuple):
    """Why mail waits; `until` is in seconds since the epoch, 0.0 where it is not known."""

    kind: WaitKind
    detail: str = ""
    until: float = 0.0


class ParkedQueue:
    """Messages that wait for a destination to have room, in their order; some do `since` that time."""

    __slots__ = ("count", "destination", "ids", "since")

    def __init__(self, destination: Destination, since: float) -> None:
        self.destination = destination
        self.since = since
        self.ids: deque[str] = deque()
        self.count = 0
        """How many of `ids` do wait here; the rest has gone meanwhile."""


class Guest:
    """The calls that count for one destination: `calls`, since when its sessions do not stand; `sessions` that count for `places`."""

    __slots__ = ("calls", "places", "sessions")

    def __init__(self, places: tuple[str, ...]) -> None:
        self.places = places
        self.calls: deque[float] = deque()
        self.sessions = 0

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more."""
        self.calls = deque(at + seconds for at in self.calls)


@dataclass(slots=True, eq=False)
class Destination:
    """The queue, window and breaker of what is called `key`; `running` sessions are at work."""

    key: str
    window: Window
    route: Route = NOWHERE
    breaker: Breaker = field(default_factory=Breaker)
    terms: Terms | None = None
    queue: FairQueue = field(default_factory=FairQueue)
    running: int = 0
    retrying: int = 0
    """Sessions that were opened for retries, of those."""

    successes: int = 0
    failures: int = 0
    last_reply: str = ""
    """What it answered when something last went wrong, and `last_at` when; see `told`."""

    last_at: float = 0.0
    trouble: Outcome | None = None
    """What the last session met that found no host which would talk, without its dialog."""

    in_vain: dict[str, None] = field(default_factory=dict)
    """Messages that have found no host here which would talk, since one did: for a relay, which may get another host."""

    late: set[str] = field(default_factory=set)
    """Messages that wait because no host here would talk, since one did; so many are known by name."""

    paused_until: float = 0.0
    """No session is opened before that; infinity: until somebody resumes it."""

    pause_reason: str = ""
    rate: float = 0.0
    """Messages that went through in a second, lately."""

    put_off: int = 0
    """How many jobs were put off since the breaker opened."""

    lot: ParkedQueue | None = None
    """Messages that wait on disk until there is room for them in memory."""

    called: int = 0
    """Those of the lot that are being read."""

    low: int = LOW_WATER
    line: str = ""
    """Where the scheduler has it: ``first`` (it has no session), ``more`` (it could do with another), ``timer``, ``crowd``, or nowhere."""

    guest: Guest | None = None
    """What `newcomers` counts of its sessions."""

    idle_since: float = 0.0
    wakes_at: float = 0.0
    urged_at: float = -math.inf
    marked_at: float = 0.0
    """Since when its pace is measured."""

    _marked: int = 0

    # The queue

    def add(self, job: Job) -> None:
        """Queue `job` behind those of its kind."""
        self.queue.add(job)

    def take(self, now: float = math.inf) -> Job | None:
        """The next job that may begin now, or None. Without `now`, whatever the rate."""
        terms = self.terms
        if terms is None or not terms.throttle.messages or now == math.inf:
            return self.queue.take()
        if terms.throttle.ready(now, 1) > now:
            return self.queue.take_report()
        job = self.queue.take()
        if job is not None and job.attempt.entry.envelope.sender:
            terms.throttle.took(now, len(job.recipients))
        return job

    def give_back(self, job: Job, now: float) -> None:
        """Give back a job that does not begin after all; what it took of the rate is free again."""
        if self.terms is not None and job.attempt.entry.envelope.sender:
            self.terms.throttle.took(now, -len(job.recipients))

    def take_all(self) -> list[Job]:
        """Take all jobs that wait, in order: they are put off together."""
        return self.queue.take_all()

    def __len__(self) -> int:
        return self.queue.count

    @property
    def held(self) -> int:
        """How many jobs it has in memory, waiting and under way."""
        return self.queue.count + self.running + self.called

    @property
    def only_retries(self) -> bool:
        """Whether all that waits was tried before."""
        return self.queue.first_attempts == 0

    # Whether it gets a session

    def blocked(self, now: float) -> str:
        """What keeps the destination from another session: window, breaker, pause, rate; empty if nothing does."""
        if now < self.paused_until:
            return "pause"
        if self.running >= self.window.size:
            return "window"
        if not self.breaker.allows(now, self.running):
            return "breaker"
        return "rate" if self.terms is not None and self.ready(now) > now else ""

    def ready(self, now: float) -> float:
        """The earliest time at which its limits on rates let a session begin; at most `now` if they do."""
        if self.terms is None:
            return now
        throttle = self.terms.throttle
        ready = throttle.ready_connection(now)
        if throttle.messages and ready <= now and not self.queue.has_report():
            ready = throttle.ready(now, 1)
        return ready

    def rests(self, now: float) -> bool:
        """Whether what waits for the destination should wait elsewhere."""
        return now < self.breaker.open_until or now < self.paused_until

    @property
    def rests_until(self) -> float:
        """When it is worth while to look at the destination again, in seconds since the epoch."""
        return max(self.breaker.open_until, self.paused_until)

    def why(self, now: float) -> HoldUp:
        """Why the mail that waits there does."""
        if now < self.paused_until:
            return HoldUp("pause", self.pause_reason, self.paused_until)
        if self.breaker.is_open(now):
            return HoldUp("breaker", self.breaker.reason, self.breaker.open_until)
        if not len(self):
            return HoldUp("")
        if not self.breaker.allows(now, self.running):
            return HoldUp("breaker", f"one session finds out whether it answers again; it did not: {self.breaker.reason}")
        if (ready := self.ready(now)) > now:
            return HoldUp("rate", "more would be faster than its limits allow", ready)
        if self.running >= self.window.size:
            return HoldUp("window", f"{self.running} sessions are at work, and no more are opened yet")
        return HoldUp("connections", "all sessions are in use")

    def try_now(self, now: float) -> None:
        """Let one session find out, whatever was to be waited for, as an operator says that it is worth a try."""
        if self.rests(now) and not 0 <= now - self.urged_at < WORD:
            self.urged_at = now
            self.breaker.reason = self.breaker.reason or self.pause_reason
            self.paused_until = 0.0
            self.breaker.half_open(now)

    def reopen(self) -> None:
        """Forget what is known: what is called by this name is another host, or is called in another way."""
        self.breaker.reset()
        self.window.restart()
        self.paused_until = 0.0
        self.put_off = 0
        self.trouble = None
        self.in_vain = {}
        self.late = set()

    def met_nobody(self, id: str) -> None:
        """Note that message `id` has found no host which would talk."""
        self.waits(id)
        if self.route.relay and len(self.in_vain) < REMEMBERED:
            self.in_vain[id] = None

    def waits(self, id: str) -> None:
        """Note that message `id` waits because no host would talk."""
        if len(self.late) < REMEMBERED:
            self.late.add(id)

    # What was learned

    def succeeded(self) -> bool:
        """Note that a host talked to us about a message; returns whether there may be more sessions than before."""
        self.successes += 1
        if self.in_vain:
            self.in_vain = {}
        if self.late:
            self.late = set()
        if self.breaker.failures and self.breaker.succeeded():
            self.window.restart()
            self.put_off = 0
            return True
        return self.window.succeeded()

    def failed(self, now: float, reply: str, *, ours: bool = False) -> None:
        """Note that no host would talk, or (`ours`) one would not let us in."""
        self.failures += 1
        self.told(now, reply)
        cohort = self.window.size
        self.window.failed()
        if ours:
            self.breaker.trip(now, reply)
        else:
            self.breaker.failed(now, reply, cohort)

    def crowded(self, now: float, reply: str) -> None:
        """Note that one of several sessions was turned away: no more than the others are welcome."""
        self.told(now, reply)
        self.window.failed()
        self.window.size = max(min(self.window.size, self.running - 1), 1)

    def told(self, now: float, reply: str) -> None:
        """Note what the destination answered last, where that was not yes."""
        self.last_reply, self.last_at = reply, now

    def spread(self, random: float) -> float:
        """How many seconds after the breaker's time the next job that is put off comes back: all of them at its pace, `random` 0 to 1.

        That is for the hosts of others, whom a backlog must not hit at one moment. What waits for a relay of ours waits for nothing else
        than its answer, and its window is pace enough.
        """
        if self.route.relay:
            return 0.0
        self.put_off += 1
        return random * min(self.put_off / max(self.rate, 1.0), LONGEST_SPREAD)

    def mark(self, now: float) -> None:
        """Measure the pace from now on: the destination was idle until now."""
        self.marked_at, self._marked = now, self.successes

    def pace(self, now: float) -> float:
        """The pace: messages in a second, measured over half a second at least, or since it began to work."""
        seconds = now - self.marked_at
        pace = (self.successes - self._marked) / max(seconds, 0.05)
        if seconds < MEASURED:
            return max(pace, self.rate)
        self.rate = pace
        self.mark(now)
        return pace

    @property
    def proven(self) -> bool:
        """Whether a host of it has answered about a message, and none has failed since."""
        return self.successes > 0 and not self.breaker.failures

    def begins(self, now: float) -> bool:
        """Whether the destination takes mail, and it is too early to know its pace."""
        return not self.rate and self.successes > self._marked and now - self.marked_at < MEASURED

    def agree(self, terms: Terms) -> None:
        """Let `terms` hold for this destination from now on."""
        if self.terms is not None:
            terms.throttle.move_in(self.terms.throttle, self.running)
        self.terms = terms
        self.window.limit(terms.window_start, terms.window_max)
        self.breaker.threshold = terms.breaker_threshold
        self.breaker.first, self.breaker.longest = terms.breaker_first, terms.breaker_longest

    def move(self, seconds: float) -> None:
        """The clock was set, and shows so many seconds more: what is known until or since a time is so by the new one."""
        self.breaker.open_until += seconds if self.breaker.open_until else 0.0
        self.paused_until += seconds if self.paused_until else 0.0
        self.wakes_at += seconds if self.wakes_at else 0.0
        self.idle_since += seconds
        self.urged_at += seconds
        self.marked_at += seconds
        if self.guest is not None:
            self.guest.move(seconds)

    def boring(self, now: float) -> bool:
        """Whether nothing is lost when the destination is forgotten."""
        if len(self) or self.running or self.called or self.lot is not None:
            return False
        return not self.breaker.failures and now >= self.paused_until
