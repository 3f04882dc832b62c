"""The order of the jobs that wait for one destination.

Three priorities share the turns 4 : 2 : 1; none is starved. Within a priority, first attempts and retries take turns. Within these, jobs
come in streams: the parts of one message that has several, or everything of one sender. The oldest stream is served first, but
of five turns one belongs to the others, in turns: so a single message passes ten thousand of a newsletter, and the newsletter
takes a quarter longer at most (4 of 5 turns are its own).

All of it costs the same however much waits.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .attempt import Job

WEIGHTS = {"high": 4, "normal": 2, "low": 1}
OWN_TURNS = 4  # of the oldest stream, before another one has one


class JobStream:
    """Jobs of one sender or one message, in their order. There is always a first one; most streams have no other."""

    __slots__ = ("first", "more", "name")

    def __init__(self, name: str, first: Job) -> None:
        self.name = name
        self.first = first
        self.more: deque[Job] | None = None


class TurnQueue:
    """The streams of one kind of mail, the oldest first; `count` jobs in all."""

    __slots__ = ("_known", "_own", "_streams", "count")

    def __init__(self) -> None:
        self.count = 0
        self._streams: deque[JobStream] = deque()
        self._known: dict[str, JobStream] = {}
        self._own = 0  # turns in a row of the oldest

    def add(self, name: str, job: Job) -> None:
        """Put `job` behind the others of its stream; a new stream is the last one."""
        self.count += 1
        stream = self._known.get(name)
        if stream is None:
            stream = self._known[name] = JobStream(name, job)
            self._streams.append(stream)
        elif stream.more is None:
            stream.more = deque((job,))
        else:
            stream.more.append(job)

    def take(self) -> Job:
        """The next job; there has to be one."""
        self.count -= 1
        streams = self._streams
        if self._own >= OWN_TURNS and len(streams) > 1:
            self._own = 0
            stream = streams[1]
            del streams[1]
            job = stream.first
            if stream.more:
                stream.first = stream.more.popleft()
                streams.append(stream)
            else:
                del self._known[stream.name]
            return job
        stream = streams[0]
        job = stream.first
        if stream.more:
            stream.first = stream.more.popleft()
            self._own += 1
        else:
            streams.popleft()
            del self._known[stream.name]
            self._own = 0
        return job

    def has(self, name: str) -> bool:
        """Whether there is a stream of that name."""
        return name in self._known

    def take_of(self, name: str) -> Job | None:
        """The next job of one stream, past all others."""
        stream = self._known.get(name)
        if stream is None:
            return None
        self.count -= 1
        job = stream.first
        if stream.more:
            stream.first = stream.more.popleft()
        else:
            del self._known[name]
            self._streams.remove(stream)
        return job


class PriorityQueue:
    """The mail of one priority, `count` jobs, of which each costs a `step` of its share; `passed` says how much of that it has had."""

    __slots__ = ("count", "first", "order", "passed", "retries", "step", "turn")

    def __init__(self, order: int, weight: int) -> None:
        self.count = 0
        self.order = order
        self.step = 1 / weight
        self.passed = 0.0
        self.first = TurnQueue()
        self.retries: TurnQueue | None = None
        self.turn = False

    def next(self) -> TurnQueue:
        """The kind of mail whose turn it is, first attempts or retries; there has to be some."""
        if not self.retries or not self.retries.count:
            return self.first
        self.turn = not self.turn
        return self.retries if not self.turn or not self.first.count else self.first


class FairQueue:
    """All that waits for one destination: `count` jobs, of which `first_attempts` were not tried before."""

    __slots__ = ("_at", "_busy", "_ranks", "count", "first_attempts")

    def __init__(self) -> None:
        self.count = 0
        self.first_attempts = 0
        self._ranks: dict[str, PriorityQueue] = {}
        self._busy: list[PriorityQueue] = []
        self._at = 0.0  # how far the shares have got

    def add(self, job: Job) -> None:
        """Put `job` behind those of its kind."""
        attempt = job.attempt
        entry = attempt.entry
        envelope = entry.envelope
        rank = self._ranks.get(envelope.priority) or self._rank(envelope.priority)
        if not rank.count:
            rank.passed = max(rank.passed, self._at)
            self._busy.append(rank)
        name = envelope.sender if attempt.parts <= 1 or not envelope.sender else entry.id
        if entry.state != "deferred":
            rank.first.add(name, job)
            self.first_attempts += 1
        else:
            if rank.retries is None:
                rank.retries = TurnQueue()
            rank.retries.add(name, job)
        rank.count += 1
        self.count += 1

    def _rank(self, priority: str) -> PriorityQueue:
        known = priority if priority in WEIGHTS else "normal"
        rank = self._ranks.get(known)
        if rank is None:
            rank = self._ranks[known] = PriorityQueue([*WEIGHTS].index(known), WEIGHTS[known])
        self._ranks[priority] = rank
        return rank

    def take(self) -> Job | None:
        """The next job, or None."""
        busy = self._busy
        if not busy:
            return None
        rank = busy[0] if len(busy) == 1 else min(busy, key=lambda rank: (rank.passed, rank.order))
        self._at = rank.passed
        rank.passed += rank.step
        turns = rank.next() if rank.retries else rank.first
        return self._took(rank, turns, turns.take())

    def has_report(self) -> bool:
        """Whether a job with the null reverse-path waits: a report, which no rate holds up."""
        return any(turns.has("") for rank in self._busy for turns in (rank.first, rank.retries) if turns)

    def take_report(self) -> Job | None:
        """The next job with the null reverse-path, past all others: no rate holds it up."""
        for rank in self._busy:
            for turns in (rank.first, rank.retries):
                if turns and (job := turns.take_of("")):
                    return self._took(rank, turns, job)
        return None

    def take_all(self) -> list[Job]:
        """Take all jobs, in order."""
        jobs = []
        while job := self.take():
            jobs.append(job)
        return jobs

    def _took(self, rank: PriorityQueue, turns: TurnQueue, job: Job) -> Job:
        self.count -= 1
        rank.count -= 1
        if turns is rank.first:
            self.first_attempts -= 1
        if not rank.count:
            self._busy.remove(rank)
        return job
